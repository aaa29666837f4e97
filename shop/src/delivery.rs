//! How lines travel from a container to its log file: late at times, and at times twice.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use statetrail_event::Time;

use crate::config::ShopConfig;
use crate::dice::{Dice, Purpose};
use crate::fleet::Fleet;
use crate::kind::LineKind;
use crate::sink::{LineSink, LogLine, Stream};

/// A line that is repeated later is so within this many nanoseconds, or within
/// [`ShopConfig::late_within`] if that is more.
const REPEAT_WITHIN: i64 = 60_000_000_000;

pub(crate) struct Delivery<'a> {
    sink: &'a mut dyn LineSink,
    dice: Dice,
    late_share: f64,
    late_within: i64,
    repeat_share: f64,
    waiting: BinaryHeap<Reverse<Waiting>>,
    pushed: u64,
}

/// A line on its way. Ordered by when it arrives; `order` is unique and decides ties.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    due: i64,
    order: u64,
    pod: usize,
    time: Time,
    to_stderr: bool,
    kind: LineKind,
    repeated: bool,
    text: Box<[u8]>,
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(config: &ShopConfig, sink: &'a mut dyn LineSink) -> Delivery<'a> {
        Delivery {
            sink,
            dice: Dice::new(config.seed, Purpose::Delivery),
            late_share: config.late_share,
            late_within: config.late_within.as_nanos() as i64,
            repeat_share: config.repeat_share,
            waiting: BinaryHeap::new(),
            pushed: 0,
        }
    }

    /// Takes a line that is written `now` (true time, nanoseconds) and says how often it will
    /// be handed out: twice only where `may_repeat` allows it.
    pub(crate) fn send(
        &mut self,
        fleet: &Fleet,
        now: i64,
        line: &LogLine<'_>,
        may_repeat: bool,
    ) -> io::Result<u64> {
        let late = self.late_share > 0.0 && self.dice.share(self.late_share);
        let due = if late { now + self.dice.between(0, self.late_within) } else { now };
        let repeats = may_repeat && self.repeat_share > 0.0 && self.dice.share(self.repeat_share);
        if self.late_share == 0.0 && self.repeat_share == 0.0 {
            self.sink.line(line)?;
            return Ok(1);
        }
        self.wait(due, line, false);
        if repeats {
            let at_once = self.dice.percent(50);
            let within = REPEAT_WITHIN.max(self.late_within);
            let again = if at_once { due } else { due + self.dice.between(0, within) };
            self.wait(again, line, true);
        }
        self.arrive(fleet, now)?;
        Ok(1 + u64::from(repeats))
    }

    fn wait(&mut self, due: i64, line: &LogLine<'_>, repeated: bool) {
        self.pushed += 1;
        self.waiting.push(Reverse(Waiting {
            due,
            order: self.pushed,
            pod: line.pod.index,
            time: line.time,
            to_stderr: line.stream == Stream::Stderr,
            kind: line.kind,
            repeated,
            text: line.text.into(),
        }));
    }

    /// Hands out every line that is due by `now`.
    pub(crate) fn arrive(&mut self, fleet: &Fleet, now: i64) -> io::Result<()> {
        while self.waiting.peek().is_some_and(|Reverse(first)| first.due <= now) {
            let Some(Reverse(first)) = self.waiting.pop() else { break };
            self.sink.line(&LogLine {
                pod: &fleet.pods()[first.pod],
                time: first.time,
                stream: if first.to_stderr { Stream::Stderr } else { Stream::Stdout },
                kind: first.kind,
                repeated: first.repeated,
                text: &first.text,
            })?;
        }
        Ok(())
    }
}
