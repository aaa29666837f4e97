//! Imports logs: one thread reads and extracts, the other one writes to the store.
//!
//! ```text
//! logs -> LogReader -> Extractor -> batch of events -> (bounded channel) -> store
//!         `---------- extract, its own thread -----'                       `- run -'
//! ```
//!
//! The channel holds few batches and a batch is bounded, so memory does not grow with the logs.

mod counts;
mod extract;
mod interrupt;
mod plan;
mod progress;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use statetrail_rules::{RuleCount, RuleSet};
use statetrail_store::KnownEvent;

use crate::clock::time_of_timestamp;
use crate::failure::{Exit, Failure};
use crate::input::ReadSettings;
pub use counts::{FailedLines, LineCounts};
pub use extract::{Batch, Extraction, LogPart};
pub use interrupt::stop_on_interrupt;
pub use plan::{PlannedLog, plan};
pub use progress::{Progress, ProgressChoice};
pub use report::{
    EventCounts, Extent, FailureReport, LogReport, Report, RuleReport, grouped, rule_reports,
};

/// Batches between the threads. One more is being filled and one stored, and they are large.
const BATCHES_WAITING_MAX: usize = 1;
/// How often somebody who waits looks whether to stop.
const LOOK: Duration = Duration::from_millis(50);
/// How long a reader that was asked to stop may take: one that waits for standard input cannot
/// be woken.
const GRACE: Duration = Duration::from_secs(1);

/// An import that is ready to run.
pub struct Import {
    /// What to read.
    pub logs: Vec<PlannedLog>,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// How to read.
    pub settings: ReadSettings,
    /// Set from outside to end early.
    pub stop: Arc<AtomicBool>,
    /// How to show how far it is.
    pub progress: ProgressChoice,
}

/// How an import ended.
pub struct Imported {
    /// What it did.
    pub report: Report,
    /// Why the store took no more, if it did not.
    pub store_failure: Option<Failure>,
}

impl Import {
    /// Reads every log; `store` takes each batch and tells how many of its events are new.
    ///
    /// # Errors
    /// When the reading thread cannot be started or died.
    pub fn run(
        self,
        mut store: impl FnMut(&[KnownEvent]) -> Result<u64, Failure>,
    ) -> Result<Imported, Failure> {
        let start = Instant::now();
        let Import { logs, rules, settings, stop, progress } = self;
        let sizes: Option<u64> = logs.iter().map(|log| log.stored_bytes).sum();
        let progress = Progress::new(progress, sizes);
        let (sender, receiver) = sync_channel(BATCHES_WAITING_MAX);
        let (spent_sender, spent_receiver) = channel();
        let extraction = Extraction {
            logs: logs.clone(),
            rules: Arc::clone(&rules),
            settings,
            stop: stop.clone(),
        };
        let reader = thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || extraction.run(&sender, &spent_receiver))
            .map_err(|error| Failure::new(Exit::Failed, format!("no thread to read: {error}")))?;
        let mut written = Written::default();
        let mut store_failure = None;
        while let Some(mut batch) = next_batch(&receiver, &stop) {
            if let Err(failure) = written.write(&mut batch, &mut store) {
                store_failure = Some(failure);
                break;
            }
            // Nobody is there to take it when the reader is done.
            let _ = spent_sender.send(batch.events);
            progress.update(written.stored_bytes(), written.lines(), written.events);
        }
        drop(receiver);
        progress.finish();
        end(reader)?;
        let interrupted = stop.load(Ordering::Relaxed) && store_failure.is_none();
        let Written { parts, events, rules: counts } = written;
        let rules = rule_reports(rules.rule_names(), &counts);
        let report = Report::new(&logs, &parts, events, rules, start.elapsed(), interrupted);
        Ok(Imported { report, store_failure })
    }
}

/// What is in the store so far.
#[derive(Default)]
struct Written {
    parts: Vec<LogPart>,
    events: EventCounts,
    rules: Vec<RuleCount>,
}

impl Written {
    fn write(
        &mut self,
        batch: &mut Batch,
        store: &mut impl FnMut(&[KnownEvent]) -> Result<u64, Failure>,
    ) -> Result<(), Failure> {
        let found = batch.events.len() as u64;
        if found > 0 {
            // Known is what is in the store; the batch may have waited for its turn.
            let known_at = time_of_timestamp(Timestamp::now());
            for known in &mut batch.events {
                known.known_at = known_at;
            }
            self.events.new += store(&batch.events)?;
            self.events.found += found;
        }
        self.rules = std::mem::take(&mut batch.rules);
        for part in batch.parts.drain(..) {
            match self.parts.iter_mut().find(|known| known.log == part.log) {
                Some(known) => *known = part,
                None => self.parts.push(part),
            }
        }
        Ok(())
    }

    fn lines(&self) -> u64 {
        self.parts.iter().map(|part| part.counts.lines).sum()
    }

    fn stored_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.stored_bytes).sum()
    }
}

/// The next batch; `None` when the reader is done, or does not react to being asked to stop.
fn next_batch(receiver: &Receiver<Batch>, stop: &AtomicBool) -> Option<Batch> {
    let mut waited = Duration::ZERO;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(batch) => return Some(batch),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => {}
            Err(RecvTimeoutError::Timeout) if waited >= GRACE => return None,
            Err(RecvTimeoutError::Timeout) => waited += LOOK,
        }
    }
}

/// Lets the reader end, unless it still waits for a pipe.
fn end(reader: thread::JoinHandle<()>) -> Result<(), Failure> {
    let deadline = Instant::now() + GRACE;
    while !reader.is_finished() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    if !reader.is_finished() {
        return Ok(());
    }
    reader.join().map_err(|_| {
        Failure::new(Exit::Failed, "the reading thread died; this is a fault of statetrail")
            .hint("what was imported before is in the store")
    })
}
