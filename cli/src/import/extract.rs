//! The reading half of an import: logs in, batches of events out, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use statetrail_event::{Event, Time};
use statetrail_input::{Format, LogReader, ReadSettings, Step};
use statetrail_rules::{Extractor, Line, RuleCount, RuleSet};
use statetrail_store::KnownEvent;

use super::counts::LineCounts;
use super::plan::PlannedLog;
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
/// Logs that are open at a time. Each needs some hundred kilobytes, a log in zstd up to 8 MiB with
/// the levels that are common.
const OPEN_LOGS_MAX: usize = 16;
/// Lines that are read of a log before another one may be further behind.
const LINES_PER_TURN: usize = 64;

/// Events on their way to the store, and what became of the lines up to the last of them.
#[derive(Default)]
pub struct Batch {
    /// Batches are numbered in the order of their lines.
    pub number: u64,
    /// The events, in the order of their lines, known from now on.
    pub events: Vec<KnownEvent>,
    /// How far the logs are read that were read since the last batch; a later entry replaces an
    /// earlier one of the same log.
    pub parts: Vec<LogPart>,
    /// How often each rule was at work so far, in all batches.
    pub rules: Vec<RuleCount>,
}

/// What was read of one log so far.
#[derive(Clone, Debug, Default)]
pub struct LogPart {
    /// The log's number in the plan.
    pub log: usize,
    /// How its lines are wrapped; unknown if it could not be opened.
    pub format: Option<Format>,
    /// What became of its lines.
    pub counts: LineCounts,
    /// Bytes read of it, as it is stored.
    pub stored_bytes: u64,
    /// Whether it was read to its end.
    pub ended: bool,
    /// Why it could not be read to its end.
    pub error: Option<String>,
}

/// Everything that the reading half needs.
pub struct Extraction {
    /// What to read.
    pub logs: Vec<PlannedLog>,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// How to read.
    pub settings: ReadSettings,
    /// Lines from before that time are passed over.
    pub since: Option<Time>,
    /// Set to end early, after the line under way.
    pub stop: Arc<AtomicBool>,
}

impl Extraction {
    /// Reads all logs, or as far as nobody wants it to stop.
    ///
    /// `spent` brings back the events of batches that are stored: this thread frees them, as it
    /// has time that the writing half has not.
    pub fn run(self, batches: &SyncSender<Batch>, spent: &Receiver<Vec<KnownEvent>>) {
        let mut worker = Worker {
            extraction: &self,
            batches,
            spent,
            extractor: Extractor::new(),
            events: Vec::with_capacity(BATCH_EVENTS),
            batch: Batch::default(),
            line_bytes: 0,
            batch_start: Instant::now(),
            abandoned: false,
        };
        // Pipes come last: who waits for one would hold up the files.
        let is_file = |log: &usize| !self.logs[*log].is_live();
        let (files, live): (Vec<usize>, Vec<usize>) = (0..self.logs.len()).partition(is_file);
        for group in files.chunks(OPEN_LOGS_MAX).chain(live.chunks(1)) {
            worker.read_together(group);
        }
        worker.send();
    }
}

struct Worker<'a> {
    extraction: &'a Extraction,
    batches: &'a SyncSender<Batch>,
    spent: &'a Receiver<Vec<KnownEvent>>,
    extractor: Extractor,
    /// The events of the batch.
    events: Vec<Event>,
    /// Everything else of the batch.
    batch: Batch,
    line_bytes: usize,
    batch_start: Instant,
    /// The writing half is gone.
    abandoned: bool,
}

impl Worker<'_> {
    fn stopped(&self) -> bool {
        self.abandoned || self.extraction.stop.load(Ordering::Relaxed)
    }

    /// Reads logs side by side, always from the one that is furthest behind in time: what
    /// happened together then comes to the store together, where it meets in few pages.
    fn read_together(&mut self, group: &[usize]) {
        let mut open: Vec<OpenLog> = Vec::new();
        for log in group {
            if !self.stopped() {
                open.extend(self.open(*log));
            }
        }
        while let Some(behind) = furthest_behind(&open) {
            let log = &mut open[behind];
            if self.stopped() || self.take_turn(log) {
                self.batch.parts.push(log.finish());
                open.swap_remove(behind);
            }
            if self.is_full() || self.batch_start.elapsed() >= BATCH_AGE {
                let parts = open.iter_mut().filter_map(OpenLog::progress);
                self.batch.parts.extend(parts);
                self.send();
            }
        }
    }

    fn open(&mut self, log: usize) -> Option<OpenLog> {
        let planned = &self.extraction.logs[log];
        let mut part = LogPart { log, ..LogPart::default() };
        match LogReader::open(&planned.place, &self.extraction.settings) {
            Ok(reader) => Some(OpenLog { reader, part, reached: Time::MIN, advanced: true }),
            Err(error) => {
                part.error = Some(error.to_string());
                self.batch.parts.push(part);
                None
            }
        }
    }

    /// Reads some lines of a log. Returns whether it has ended.
    fn take_turn(&mut self, log: &mut OpenLog) -> bool {
        let planned = &self.extraction.logs[log.part.log];
        log.advanced = true;
        for _ in 0..LINES_PER_TURN {
            if self.stopped() {
                return true;
            }
            if planned.is_live() && log.reader.may_wait() {
                self.send_before_waiting(log);
            }
            match log.reader.next_step() {
                Ok(Some(step)) => {
                    if let Step::Line(line) = &step {
                        log.reached = line.time;
                    }
                    self.take(planned, step, &mut log.part.counts);
                }
                Ok(None) => {
                    log.part.ended = true;
                    return true;
                }
                Err(error) => {
                    log.part.error = Some(error.to_string());
                    return true;
                }
            }
            if self.is_full() {
                break;
            }
        }
        false
    }

    /// Nobody knows how long the next line will take; what there is goes to the store before.
    fn send_before_waiting(&mut self, log: &mut OpenLog) {
        if !self.events.is_empty() {
            self.batch.parts.push(log.finish());
            self.send();
        }
    }

    /// Counts one step and adds its events to the batch.
    fn take(&mut self, planned: &PlannedLog, step: Step<'_>, counts: &mut LineCounts) {
        let line = match step {
            Step::Line(line) => line,
            Step::Piece => return counts.piece(),
            Step::Failed { failure, line } => return counts.fail(failure, line),
        };
        if self.extraction.since.is_some_and(|since| line.time < since) {
            return counts.earlier();
        }
        let Some(scope) = planned.scope else { return counts.unmatched() };
        let events = &mut self.events;
        let before = events.len();
        let extracted = Line {
            bytes: line.bytes,
            time: line.time,
            position: line.position,
            offset: Some(line.offset),
        };
        let rules = &self.extraction.rules;
        let outcome = self.extractor.events(rules, scope, &planned.origin, &extracted, events);
        // Each event holds a copy of the line.
        self.line_bytes += line.bytes.len() * (events.len() - before);
        if outcome.matched == 0 {
            return counts.unmatched();
        }
        counts.matched(outcome.failed);
    }

    fn is_full(&self) -> bool {
        self.events.len() >= batch_events(self.batch.number) || self.line_bytes >= BATCH_LINE_BYTES
    }

    /// Waits until the writing half has room.
    fn send(&mut self) {
        let next = Batch { number: self.batch.number + 1, ..Batch::default() };
        let mut batch = std::mem::replace(&mut self.batch, next);
        batch.events = self.spent.try_iter().last().unwrap_or_default();
        batch.events.clear();
        batch.rules = self.extractor.counts().to_vec();
        let known_at = time_of_timestamp(Timestamp::now());
        batch.events.extend(self.events.drain(..).map(|event| KnownEvent { event, known_at }));
        self.abandoned |= self.batches.send(batch).is_err();
        self.line_bytes = 0;
        self.batch_start = Instant::now();
    }
}

/// Events of the batch with that number at the most.
fn batch_events(number: u64) -> usize {
    let doublings = number.min(BATCH_EVENTS.ilog2().into());
    (FIRST_BATCH_EVENTS << doublings).min(BATCH_EVENTS)
}

/// A log that is being read.
struct OpenLog {
    reader: LogReader,
    part: LogPart,
    /// The time of the line that was read last.
    reached: Time,
    /// Whether something was read since the progress was last told.
    advanced: bool,
}

impl OpenLog {
    /// How far it is read, if that is news.
    fn progress(&mut self) -> Option<LogPart> {
        std::mem::take(&mut self.advanced).then(|| self.finish())
    }

    fn finish(&mut self) -> LogPart {
        self.part.format = Some(self.reader.format());
        self.part.stored_bytes = self.reader.stored_bytes_read();
        self.part.clone()
    }
}

fn furthest_behind(open: &[OpenLog]) -> Option<usize> {
    (0..open.len()).min_by_key(|index| open[*index].reached)
}
