//! Batches of events on their way from the reading half of an import to the writing one.

use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use statetrail_event::{Event, Time};
use statetrail_rules::{Outcome, RuleCount};
use statetrail_store::KnownEvent;

use super::counts::LineCounts;
use crate::clock::time_of_timestamp;

/// Events of a batch at the most, but for the last line's. The store reads and writes each
/// entity of a batch once, so large batches are cheap: half as many took a quarter longer, twice
/// as many no less, and 150 MB more.
const BATCH_EVENTS: usize = 65_536;
/// Events of the first batch; those after it are twice as large each. The store has nothing to
/// do until there is one.
const FIRST_BATCH_EVENTS: usize = 8_192;
/// Bytes of lines in a batch at the most, but for the last line's: lines may be long.
const BATCH_LINE_BYTES: usize = 16 << 20;
/// How old a batch may get while lines come in slowly.
const BATCH_AGE: Duration = Duration::from_millis(500);

/// Events on their way to the store, and what became of the lines up to the last of them.
#[derive(Default)]
pub struct Batch {
    /// Batches are numbered in the order of their lines.
    pub number: u64,
    /// The events, in the order of their lines.
    pub events: Vec<KnownEvent>,
    /// Whether they have been known since earlier than now.
    pub known_before: bool,
    /// How far the logs are read that were read since the last batch; a later entry replaces an
    /// earlier one of the same log.
    pub parts: Vec<LogPart>,
    /// How often each rule was at work so far, in all batches.
    pub rules: Vec<RuleCount>,
}

/// What was read of one log so far, or of the store that stands in its place.
#[derive(Clone, Debug, Default)]
pub struct LogPart {
    /// The log's number in the plan.
    pub log: usize,
    /// How its lines are wrapped; unknown if it could not be opened.
    pub format: Option<&'static str>,
    /// What became of its lines.
    pub counts: LineCounts,
    /// Events that no rule made of a line, and that are left where they are.
    pub passed_over: u64,
    /// Whether a rule applies to a line of it, if only reading tells where its lines come from.
    pub has_rules: bool,
    /// Bytes read of it, as it is stored.
    pub stored_bytes: u64,
    /// Whether it was read to its end.
    pub ended: bool,
    /// Why it could not be read to its end.
    pub error: Option<String>,
}

/// The batch that is being filled.
pub(super) struct Filling<'a> {
    batches: &'a SyncSender<Batch>,
    spent: &'a Receiver<Vec<KnownEvent>>,
    /// The events of the batch.
    pub(super) events: Vec<Event>,
    /// Since when they are known; nothing if they become known by being stored.
    known_at: Vec<Time>,
    /// Everything else of the batch.
    pub(super) batch: Batch,
    line_bytes: usize,
    start: Instant,
    /// The writing half is gone.
    pub(super) abandoned: bool,
}

impl<'a> Filling<'a> {
    /// `spent` brings back the events of batches that are stored: this thread frees them, as it
    /// has time that the writing half has not.
    pub(super) fn new(
        batches: &'a SyncSender<Batch>,
        spent: &'a Receiver<Vec<KnownEvent>>,
    ) -> Filling<'a> {
        Filling {
            batches,
            spent,
            events: Vec::with_capacity(BATCH_EVENTS),
            known_at: Vec::new(),
            batch: Batch::default(),
            line_bytes: 0,
            start: Instant::now(),
            abandoned: false,
        }
    }

    /// A line of so many bytes has given its events.
    pub(super) fn count(&mut self, line_bytes: usize, outcome: &Outcome, counts: &mut LineCounts) {
        // Each event holds a copy of the line.
        self.line_bytes += line_bytes * outcome.events as usize;
        match outcome.matched {
            0 => counts.unmatched(),
            _ => counts.matched(outcome.failed),
        }
    }

    /// The events that came last have been known since that moment.
    pub(super) fn known_since(&mut self, known_at: Time) {
        self.known_at.resize(self.events.len(), known_at);
    }

    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= batch_events(self.batch.number) || self.line_bytes >= BATCH_LINE_BYTES
    }

    /// Whether it has waited for long enough.
    pub(super) fn is_old(&self) -> bool {
        self.start.elapsed() >= BATCH_AGE
    }

    /// Waits until the writing half has room. `counts` are those of the rules, in all batches.
    pub(super) fn send(&mut self, counts: &[RuleCount]) {
        let next = Batch { number: self.batch.number + 1, ..Batch::default() };
        let mut batch = std::mem::replace(&mut self.batch, next);
        batch.events = self.spent.try_iter().last().unwrap_or_default();
        batch.events.clear();
        batch.rules = counts.to_vec();
        batch.known_before = !self.known_at.is_empty();
        let now = time_of_timestamp(Timestamp::now());
        let known_at = self.known_at.drain(..).chain(std::iter::repeat(now));
        let known = self.events.drain(..).zip(known_at);
        batch.events.extend(known.map(|(event, known_at)| KnownEvent { event, known_at }));
        self.abandoned |= self.batches.send(batch).is_err();
        self.line_bytes = 0;
        self.start = Instant::now();
    }
}

/// Events of the batch with that number at the most.
fn batch_events(number: u64) -> usize {
    let doublings = number.min(BATCH_EVENTS.ilog2().into());
    (FIRST_BATCH_EVENTS << doublings).min(BATCH_EVENTS)
}
