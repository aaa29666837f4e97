//! Where the simulation writes down what happens: a line for the logs and, beside it and
//! independent of it, the change for the truth.

use std::io;

use statetrail_event::{Finite, Time, ValueRef};

use crate::clock::Clock;
use crate::config::{Amount, ShopConfig};
use crate::delivery::Delivery;
use crate::dice::{Dice, Purpose};
use crate::entity::ShopEntity;
use crate::fleet::{Fleet, Service};
use crate::kind::LineKind;
use crate::sink::{LineSink, LogLine, Stream};
use crate::text::LineText;
use crate::truth::TruthSink;
use crate::truth::settle::Settle;

/// One change of a field for the truth: the new value, or none to unset it.
pub(crate) type FieldChange<'a> = (&'static str, Option<ValueRef<'a>>);

pub(crate) struct Journal<'a> {
    pub(crate) fleet: Fleet,
    delivery: Delivery<'a>,
    truth: Option<Settle<'a>>,
    dice: Dice,
    line: LineText,
    clock: Clock,
    limit: u64,
    /// Lines by kind, repeated ones included.
    counts: Vec<u64>,
    written: u64,
    /// Lines of noise that are still owed to the lines that changed something.
    noise_owed: f64,
    noise_per_change: f64,
    /// The time of the line written last, to which its changes belong; none if the run was over.
    changed_at: Option<Time>,
    failure: Option<io::Error>,
}

impl<'a> Journal<'a> {
    pub(crate) fn new(config: &ShopConfig, lines: &'a mut dyn LineSink) -> Journal<'a> {
        let fleet = Fleet::start(config.seed, config.skew);
        Journal {
            delivery: Delivery::new(config, lines),
            truth: None,
            dice: Dice::new(config.seed, Purpose::Journal),
            line: LineText::default(),
            clock: Clock::new(config, fleet.pods().len()),
            fleet,
            limit: match config.amount {
                Amount::Lines(lines) => lines,
                Amount::Orders(_) => u64::MAX,
            },
            counts: vec![0; LineKind::ALL.len()],
            written: 0,
            noise_owed: 0.0,
            noise_per_change: (1.0 - config.matching_share) / config.matching_share,
            changed_at: None,
            failure: None,
        }
    }

    /// Hands every change to `sink` from now on.
    pub(crate) fn tell_truth(&mut self, sink: &'a mut dyn TruthSink) {
        self.truth = Some(Settle::new(sink));
    }

    /// Whether there is room for more lines.
    pub(crate) fn is_open(&self) -> bool {
        self.written < self.limit && self.failure.is_none()
    }

    /// Lets time pass until `shop_time` and hands out what is due by then.
    pub(crate) fn advance(&mut self, shop_time: i64) {
        self.clock.advance(shop_time);
        let arrived = self.delivery.arrive(&self.fleet, self.clock.now());
        self.note_failure(arrived);
        if let Some(truth) = &mut self.truth {
            let settled = truth.release_before(self.clock.settled_before());
            self.note_failure(settled);
        }
    }

    /// Writes a line on standard output of one of the service's pods.
    pub(crate) fn write(
        &mut self,
        service: Service,
        kind: LineKind,
        text: impl FnOnce(&mut LineText),
    ) {
        let pod = self.fleet.any_pod(service, &mut self.dice).index;
        self.write_on(pod, Stream::Stdout, kind, text);
    }

    /// Picks a pod for several lines in a row.
    pub(crate) fn any_pod(&mut self, service: Service) -> usize {
        self.fleet.any_pod(service, &mut self.dice).index
    }

    pub(crate) fn write_on(
        &mut self,
        pod: usize,
        stream: Stream,
        kind: LineKind,
        text: impl FnOnce(&mut LineText),
    ) {
        self.changed_at = None;
        if !self.is_open() {
            return;
        }
        let pause = self.dice.between(20_000, 2_000_000);
        self.clock.tick(pause, self.written);
        let pod = &self.fleet.pods()[pod];
        let time = self.clock.logged(pod);
        self.line.begin(time);
        text(&mut self.line);
        let line = LogLine { pod, time, stream, kind, repeated: false, text: self.line.as_bytes() };
        let may_repeat = self.written + 1 < self.limit;
        match self.delivery.send(&self.fleet, self.clock.now(), &line, may_repeat) {
            Ok(copies) => self.count(kind, copies),
            Err(error) => self.failure = Some(error),
        }
        self.changed_at = Some(time);
    }

    fn count(&mut self, kind: LineKind, copies: u64) {
        self.written += copies;
        self.counts[kind as usize] += copies;
        let copies = copies as f64;
        self.noise_owed += match kind.changes() {
            Some(_) => copies * self.noise_per_change,
            None => -copies,
        };
    }

    /// Whether the share of noise asks for another line of it.
    pub(crate) fn owes_noise(&self) -> bool {
        self.noise_owed >= 1.0
    }

    /// Records for the truth what the line written last was about.
    pub(crate) fn change(&mut self, entity: ShopEntity, changes: &[FieldChange<'_>]) {
        if let (Some(truth), Some(time)) = (&mut self.truth, self.changed_at) {
            let owned = |(field, value): &FieldChange<'_>| (*field, value.map(ValueRef::to_value));
            truth.push(time, entity, changes.iter().map(owned).collect());
        }
    }

    /// Says that the entity will not change any more.
    pub(crate) fn retire(&mut self, entity: ShopEntity) {
        if let Some(truth) = &mut self.truth {
            truth.retire(self.clock.final_after(), entity);
        }
    }

    /// Hands out everything that is still on its way.
    pub(crate) fn close(mut self) -> io::Result<Vec<u64>> {
        let arrived = self.delivery.arrive(&self.fleet, i64::MAX);
        self.note_failure(arrived);
        if let Some(truth) = &mut self.truth {
            let settled = truth.release_before(Time::MAX);
            self.note_failure(settled);
        }
        match self.failure {
            Some(error) => Err(error),
            None => Ok(self.counts),
        }
    }

    /// The first failure ends the run; what happens until then is of no interest.
    fn note_failure(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failure.get_or_insert(error);
        }
    }
}

/// `field` is set to a text.
pub(crate) fn text<'a>(field: &'static str, text: &'a str) -> FieldChange<'a> {
    (field, Some(ValueRef::Text(text.as_bytes())))
}

/// `field` is set to a whole number.
pub(crate) fn int(field: &'static str, number: i64) -> FieldChange<'static> {
    (field, Some(ValueRef::Int(number)))
}

/// `field` is set to a number.
pub(crate) fn number(field: &'static str, number: f64) -> FieldChange<'static> {
    (field, Finite::new(number).map(ValueRef::Number))
}

/// `field` is set to true or false.
pub(crate) fn flag(field: &'static str, flag: bool) -> FieldChange<'static> {
    (field, Some(ValueRef::Bool(flag)))
}

/// `field` is unset.
pub(crate) fn unset(field: &'static str) -> FieldChange<'static> {
    (field, None)
}
