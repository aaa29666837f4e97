//! The reading half of an import: logs in, batches of events out, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use statetrail_event::Event;
use statetrail_rules::{Extractor, Line, RuleCount, RuleSet};

use super::counts::LineCounts;
use super::plan::PlannedLog;
use crate::input::{Format, LogReader, ReadSettings, Step};

/// Events of a batch at the most, but for the last line's.
const BATCH_EVENTS: usize = 8_192;
/// Bytes of lines in a batch at the most, but for the last line's: lines may be long.
const BATCH_LINE_BYTES: usize = 4 << 20;
/// How old a batch may get while lines come in slowly.
const BATCH_AGE: Duration = Duration::from_millis(500);
/// How often the age is looked at, in lines.
const LINES_PER_LOOK: u64 = 1_024;

/// Events on their way to the store, and what became of the lines up to the last of them.
#[derive(Default)]
pub struct Batch {
    /// The events, in the order of their lines.
    pub events: Vec<Event>,
    /// How far the logs are read that were read since the last batch; a later entry replaces an
    /// earlier one of the same log.
    pub parts: Vec<LogPart>,
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
    /// Set to end early, after the line under way.
    pub stop: Arc<AtomicBool>,
}

impl Extraction {
    /// Reads all logs, or as far as nobody wants it to stop. Returns how often each rule was at
    /// work.
    pub fn run(self, batches: &SyncSender<Batch>) -> Vec<RuleCount> {
        let mut worker = Worker {
            extraction: &self,
            batches,
            extractor: Extractor::new(),
            batch: Batch::default(),
            line_bytes: 0,
            batch_start: Instant::now(),
            abandoned: false,
        };
        for log in 0..self.logs.len() {
            if worker.stopped() {
                break;
            }
            worker.read_log(log);
        }
        worker.send();
        worker.extractor.counts().to_vec()
    }
}

struct Worker<'a> {
    extraction: &'a Extraction,
    batches: &'a SyncSender<Batch>,
    extractor: Extractor,
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

    fn read_log(&mut self, log: usize) {
        let planned = &self.extraction.logs[log];
        let mut part = LogPart { log, ..LogPart::default() };
        let mut reader = match LogReader::open(&planned.place, &self.extraction.settings) {
            Ok(reader) => reader,
            Err(error) => {
                part.error = Some(error.to_string());
                self.batch.parts.push(part);
                return;
            }
        };
        part.format = Some(reader.format());
        while !self.stopped() {
            match reader.next_step() {
                Ok(Some(step)) => self.take(planned, step, &mut part.counts),
                Ok(None) => break,
                Err(error) => {
                    part.error = Some(error.to_string());
                    break;
                }
            }
            if self.is_full(part.counts.lines) {
                part.stored_bytes = reader.stored_bytes_read();
                self.batch.parts.push(part.clone());
                self.send();
            }
        }
        part.stored_bytes = reader.stored_bytes_read();
        self.batch.parts.push(part);
    }

    /// Counts one step and adds its events to the batch.
    fn take(&mut self, planned: &PlannedLog, step: Step<'_>, counts: &mut LineCounts) {
        let line = match step {
            Step::Line(line) => line,
            Step::Piece => return counts.piece(),
            Step::Failed(failure) => return counts.fail(failure),
        };
        let Some(scope) = planned.scope else { return counts.unmatched() };
        let events = &mut self.batch.events;
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

    fn is_full(&self, lines: u64) -> bool {
        self.batch.events.len() >= BATCH_EVENTS
            || self.line_bytes >= BATCH_LINE_BYTES
            || (lines.is_multiple_of(LINES_PER_LOOK) && self.batch_start.elapsed() >= BATCH_AGE)
    }

    /// Waits until the writing half has room.
    fn send(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.abandoned |= self.batches.send(batch).is_err();
        self.batch.events.reserve(BATCH_EVENTS);
        self.line_bytes = 0;
        self.batch_start = Instant::now();
    }
}
