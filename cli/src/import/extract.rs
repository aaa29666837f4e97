//! The reading half of an import: logs in, batches of events out, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use statetrail_event::Time;
use statetrail_input::{LogReader, ReadSettings, Step};
use statetrail_rules::{Extractor, Line, RuleSet};

use super::batch::{Filling, LogPart};
use super::counts::LineCounts;
use super::plan::PlannedLog;

/// Logs that are open at a time. Each needs some hundred kilobytes, a log in zstd up to 8 MiB with
/// the levels that are common.
const OPEN_LOGS_MAX: usize = 16;
/// Lines that are read of a log before another one may be further behind.
const LINES_PER_TURN: usize = 64;

/// Everything that the reading half needs.
pub struct Extraction {
    /// What to read.
    pub logs: Vec<PlannedLog>,
    /// The rules.
    pub rules: RuleSet,
    /// How to read.
    pub settings: ReadSettings,
    /// Lines from before that time are passed over.
    pub since: Option<Time>,
    /// Set to end early, after the line under way.
    pub stop: Arc<AtomicBool>,
}

impl Extraction {
    /// Reads all logs, or as far as nobody wants it to stop.
    pub(super) fn run(self, filling: Filling<'_>) {
        let mut worker = Worker { extraction: &self, filling, extractor: Extractor::new() };
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
    filling: Filling<'a>,
    extractor: Extractor,
}

impl Worker<'_> {
    fn stopped(&self) -> bool {
        self.filling.abandoned || self.extraction.stop.load(Ordering::Relaxed)
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
                self.filling.batch.parts.push(log.finish());
                open.swap_remove(behind);
            }
            if self.filling.is_full() || self.filling.is_old() {
                let parts = open.iter_mut().filter_map(OpenLog::progress);
                self.filling.batch.parts.extend(parts);
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
                self.filling.batch.parts.push(part);
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
            if self.filling.is_full() {
                break;
            }
        }
        false
    }

    /// Nobody knows how long the next line will take; what there is goes to the store before.
    fn send_before_waiting(&mut self, log: &mut OpenLog) {
        if !self.filling.events.is_empty() {
            self.filling.batch.parts.push(log.finish());
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
        let extracted = Line {
            bytes: line.bytes,
            time: line.time,
            position: line.position,
            offset: Some(line.offset),
        };
        let rules = &self.extraction.rules;
        let events = &mut self.filling.events;
        let outcome = self.extractor.events(rules, scope, &planned.origin, &extracted, events);
        self.filling.count(line.bytes.len(), &outcome, counts);
    }

    fn send(&mut self) {
        self.filling.send(self.extractor.counts());
    }
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
        self.part.format = Some(self.reader.format().name());
        self.part.stored_bytes = self.reader.stored_bytes_read();
        self.part.clone()
    }
}

fn furthest_behind(open: &[OpenLog]) -> Option<usize> {
    (0..open.len()).min_by_key(|index| open[*index].reached)
}
