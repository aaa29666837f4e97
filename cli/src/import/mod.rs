//! Imports logs: one thread reads and extracts, others hand the events to the store.
//!
//! ```text
//! logs -> LogReader -> Extractor -> batch of events -> (channel) -> store
//!         `---------- extract, its own thread -----'               `- write, two threads
//! ```
//!
//! The lines that another store kept may stand in the place of logs (`kept.rs`).
//!
//! A store can prepare one batch while it writes another. The channel holds nothing that nobody
//! waits for and a batch is bounded, so memory does not grow with the logs.

mod batch;
mod counts;
mod extract;
mod interrupt;
mod kept;
mod plan;
mod progress;
mod report;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use statetrail_event::Time;
use statetrail_input::ReadSettings;
use statetrail_rules::{RuleCount, RuleSet};
use statetrail_store::KnownEvent;

use crate::clock::time_of_timestamp;
use crate::failure::{Exit, Failure};
use batch::Filling;
pub use batch::{Batch, LogPart};
pub use counts::{FailedLines, LineCounts};
pub use extract::Extraction;
pub use interrupt::stop_on_interrupt;
pub use kept::KeptLines;
use kept::Reextraction;
pub use plan::{PlannedLog, plan};
pub use progress::{Progress, ProgressChoice};
pub use report::{
    EventCounts, Extent, FailureReport, LogHead, LogReport, Report, RuleReport, grouped,
    rule_reports,
};

/// Batches that wait between the threads. One is being filled and [`WRITERS`] are being stored,
/// and they are large.
const BATCHES_WAITING_MAX: usize = 0;
/// Batches that are on their way into the store at a time: one is written, the other one
/// prepared.
const WRITERS: usize = 2;
/// How often somebody who waits looks whether to stop.
const LOOK: Duration = Duration::from_millis(50);
/// How long a reader that was asked to stop may take: one that waits for standard input cannot
/// be woken.
const GRACE: Duration = Duration::from_secs(1);

/// An import that is ready to run.
pub struct Import {
    /// What to read.
    pub lines: Lines,
    /// The rules.
    pub rules: RuleSet,
    /// Lines from before that time are passed over.
    pub since: Option<Time>,
    /// Set from outside to end early.
    pub stop: Arc<AtomicBool>,
    /// How to show how far it is.
    pub progress: ProgressChoice,
}

/// Where an import takes lines from.
pub enum Lines {
    /// Logs, and how to read them.
    OfLogs(Vec<PlannedLog>, ReadSettings),
    /// Another store.
    Kept(KeptLines),
}

/// How an import ended.
pub struct Imported {
    /// What it did.
    pub report: Report,
    /// Why the store took no more, if it did not.
    pub store_failure: Option<Failure>,
}

impl Import {
    /// Reads every log; `store` takes each batch and tells how many of its events are new. It may
    /// be called for several batches at the same time.
    ///
    /// # Errors
    /// When the reading thread cannot be started or died.
    pub fn run(
        self,
        store: impl Fn(&[KnownEvent]) -> Result<u64, Failure> + Sync,
    ) -> Result<Imported, Failure> {
        let start = Instant::now();
        let Import { lines, rules, since, stop, progress } = self;
        let (read_of, heads, sizes) = (lines.read_of(), lines.heads(), lines.stored_bytes());
        let rule_names: Vec<String> = rules.rule_names().map(str::to_owned).collect();
        let (sender, receiver) = sync_channel(BATCHES_WAITING_MAX);
        let (spent_sender, spent_receiver) = channel();
        let to_stop = Arc::clone(&stop);
        let reader = thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || {
                lines.read(rules, since, to_stop, Filling::new(&sender, &spent_receiver));
            })
            .map_err(|error| Failure::new(Exit::Failed, format!("no thread to read: {error}")))?;
        let writing = Writing {
            batches: Mutex::new(Some(receiver)),
            failed: AtomicBool::new(false),
            stop: &stop,
            progress: Progress::new(progress, sizes),
            written: Mutex::default(),
        };
        thread::scope(|scope| {
            for _ in 0..WRITERS {
                let spent = spent_sender.clone();
                scope.spawn(|| writing.write_all(&store, spent));
            }
        });
        writing.progress.finish();
        end(reader)?;
        let Written { parts, events, rules: (_, counts), failure: store_failure } = writing.end();
        let interrupted = stop.load(Ordering::Relaxed) && store_failure.is_none();
        let rules = rule_reports(rule_names.iter().map(String::as_str), &counts);
        let parts: Vec<LogPart> = parts.into_iter().map(|(_, part)| part).collect();
        let read = (read_of, &*heads);
        let report = Report::new(read, &parts, events, rules, start.elapsed(), interrupted);
        Ok(Imported { report, store_failure })
    }
}

impl Lines {
    /// The word for what they are read of.
    fn read_of(&self) -> &'static str {
        match self {
            Lines::OfLogs(..) => "log",
            Lines::Kept(_) => "store",
        }
    }

    /// What is known before anything is read.
    fn heads(&self) -> Vec<LogHead> {
        match self {
            Lines::OfLogs(logs, _) => logs
                .iter()
                .map(|log| LogHead { log: log.place.to_string(), has_rules: log.scope.is_some() })
                .collect(),
            Lines::Kept(kept) => {
                vec![LogHead { log: kept.address.to_string(), has_rules: false }]
            }
        }
    }

    /// How many bytes there are, as they are stored, if that is known.
    fn stored_bytes(&self) -> Option<u64> {
        match self {
            Lines::OfLogs(logs, _) => logs.iter().map(|log| log.stored_bytes).sum(),
            Lines::Kept(_) => None,
        }
    }

    /// The reading half.
    fn read(
        self,
        rules: RuleSet,
        since: Option<Time>,
        stop: Arc<AtomicBool>,
        filling: Filling<'_>,
    ) {
        match self {
            Lines::OfLogs(logs, settings) => {
                Extraction { logs, rules, settings, since, stop }.run(filling);
            }
            Lines::Kept(lines) => Reextraction { lines, rules, since, stop }.run(filling),
        }
    }
}

/// The writing half of an import, shared by its threads.
struct Writing<'a> {
    /// `None` once there is nothing more to come.
    batches: Mutex<Option<Receiver<Batch>>>,
    /// The store takes no more.
    failed: AtomicBool,
    stop: &'a AtomicBool,
    progress: Progress,
    written: Mutex<Written>,
}

/// What is in the store so far.
#[derive(Default)]
struct Written {
    /// Each with the number of the batch that told it.
    parts: Vec<(u64, LogPart)>,
    events: EventCounts,
    /// What came of the rules, with the number of the batch that told it.
    rules: (u64, Vec<RuleCount>),
    /// Why the store took no more.
    failure: Option<Failure>,
}

impl Writing<'_> {
    /// Hands batches to the store until there are no more or it takes no more. What it took goes
    /// to `spent`.
    fn write_all(
        &self,
        store: &impl Fn(&[KnownEvent]) -> Result<u64, Failure>,
        spent: Sender<Vec<KnownEvent>>,
    ) {
        while let Some(mut batch) = self.next_batch() {
            match write(&mut batch, store) {
                Ok(new) => self.note(&mut batch, new),
                Err(failure) => {
                    lock(&self.written).failure.get_or_insert(failure);
                    self.failed.store(true, Ordering::Relaxed);
                }
            }
            // Nobody is there to take it when the reader is done.
            let _ = spent.send(batch.events);
        }
    }

    /// The next batch; `None` when there is none, and the reader need not go on then.
    fn next_batch(&self) -> Option<Batch> {
        let mut batches = lock(&self.batches);
        let batch = self.wait_for_batch(batches.as_ref()?);
        if batch.is_none() {
            *batches = None;
        }
        batch
    }

    /// The next batch; `None` when the reader is done, the store takes no more, or the reader
    /// does not react to being asked to stop.
    fn wait_for_batch(&self, receiver: &Receiver<Batch>) -> Option<Batch> {
        let mut waited = Duration::ZERO;
        while !self.failed.load(Ordering::Relaxed) {
            match receiver.recv_timeout(LOOK) {
                Ok(batch) => return Some(batch),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if !self.stop.load(Ordering::Relaxed) => {}
                Err(RecvTimeoutError::Timeout) if waited >= GRACE => return None,
                Err(RecvTimeoutError::Timeout) => waited += LOOK,
            }
        }
        None
    }

    fn note(&self, batch: &mut Batch, new: u64) {
        let mut written = lock(&self.written);
        written.take_in(batch, new);
        self.progress.update(written.stored_bytes(), written.lines(), written.events);
    }

    fn end(self) -> Written {
        self.written.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is noted is whole between two calls, whatever another thread died of.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands events to the store. Returns how many are new.
fn write(
    batch: &mut Batch,
    store: &impl Fn(&[KnownEvent]) -> Result<u64, Failure>,
) -> Result<u64, Failure> {
    if batch.events.is_empty() {
        return Ok(0);
    }
    if !batch.known_before {
        // Known is what is in the store; the batch may have waited for its turn.
        let known_at = time_of_timestamp(Timestamp::now());
        for known in &mut batch.events {
            known.known_at = known_at;
        }
    }
    store(&batch.events)
}

impl Written {
    /// A batch is in the store. It may have overtaken an earlier one, of which the parts are
    /// old news then.
    fn take_in(&mut self, batch: &mut Batch, new: u64) {
        self.events.new += new;
        self.events.found += batch.events.len() as u64;
        let number = batch.number;
        if self.rules.0 <= number {
            self.rules = (number, std::mem::take(&mut batch.rules));
        }
        for part in batch.parts.drain(..) {
            match self.parts.iter_mut().find(|(_, known)| known.log == part.log) {
                Some((of_batch, known)) if *of_batch <= number => {
                    (*of_batch, *known) = (number, part);
                }
                Some(_) => {}
                None => self.parts.push((number, part)),
            }
        }
    }

    fn lines(&self) -> u64 {
        self.parts.iter().map(|(_, part)| part.counts.lines).sum()
    }

    fn stored_bytes(&self) -> u64 {
        self.parts.iter().map(|(_, part)| part.stored_bytes).sum()
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
