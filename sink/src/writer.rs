//! The threads that write batches into the store, and do not give up.
//!
//! What can go wrong and what is done:
//!
//! | the store | what is done |
//! |---|---|
//! | is away or busy, full, read-only, denies access | the same batch again, after growing waits |
//! | refuses a batch for what is in it | its halves, down to the event that is refused |
//! | refuses one event alone | its message becomes a dead letter |
//! | refuses one event after the other and takes none | that is the store, not the events: as if away |

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;
use statetrail_event::cloudevents::write_batch;
use statetrail_event::{Event, Time};
use statetrail_store::{EventStore, KnownEvent, StoreError};

use crate::backoff::{Backoff, random};
use crate::batch::{Batch, BatchMessage, halves};
use crate::dead_letter::{Cause, DeadLetter, with_cause};
use crate::health::Health;
use crate::kafka::read_one;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::work::Done;

/// So many events in a row may be refused before that is taken for a fault of the store.
const REFUSED_IN_A_ROW: u32 = 10;
/// How long one try to read a message again may take.
const READ_AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// What the writing threads share.
pub struct Writer {
    /// The store.
    pub store: Arc<dyn EventStore>,
    /// Where its futures run.
    pub runtime: tokio::runtime::Handle,
    /// Told when the store is away.
    pub health: Arc<Health>,
    /// Told of every batch.
    pub metrics: Arc<Metrics>,
    /// Where messages are read again from, and dead letters go.
    pub settings: Arc<Settings>,
    /// Events refused since the store took any.
    pub refused: AtomicU32,
}

impl Writer {
    /// Writes batches until there are no more.
    pub fn run(&self, batches: &Mutex<Receiver<Batch>>, done: &Sender<Done>) {
        loop {
            let next = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(batch) = next else { return };
            let batch = Arc::new(batch);
            let refused = self.store(&batch);
            let letters = self.letters(&batch, refused);
            let (unit, bytes) = (batch.unit, batch.bytes);
            drop(batch);
            if done.send(Done::Stored { unit, bytes, refused: letters }).is_err() {
                return;
            }
        }
    }

    /// Stores every event that the store does not refuse; returns the others, by their index.
    fn store(&self, batch: &Arc<Batch>) -> Vec<(usize, StoreError)> {
        let mut refused = Vec::new();
        let mut ranges = Vec::new();
        ranges.push(0..batch.events.len());
        while let Some(range) = ranges.pop() {
            if range.is_empty() {
                continue;
            }
            match self.write(batch, &range) {
                Ok(seconds) => self.metrics.stored(range.len(), seconds),
                Err(_) if range.len() > 1 => {
                    let (left, right) = halves(&range);
                    ranges.extend([right, left]);
                }
                Err(error) => refused.push((range.start, error)),
            }
        }
        self.measure(batch);
        refused
    }

    /// Writes until the store takes the events, or refuses them for what they are. Returns the
    /// seconds of the try that succeeded.
    fn write(&self, batch: &Arc<Batch>, range: &Range<usize>) -> Result<f64, StoreError> {
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            let error = match self.write_once(batch, range) {
                Ok(()) => {
                    self.metrics.traffic(self.store.traffic());
                    self.refused.store(0, Ordering::Relaxed);
                    self.health.store_works();
                    return Ok(begun.elapsed().as_secs_f64());
                }
                Err(error) => error,
            };
            if is_about_events(&error) && self.believes_refusal(range.len()) {
                return Err(error);
            }
            self.health.store_fails(&error);
            self.metrics.retry("store");
            let wait = backoff.next(random());
            tracing::debug!(%error, wait_seconds = wait.as_secs_f64(), "the store did not take a batch");
            std::thread::sleep(wait);
        }
    }

    /// Writes on the runtime's threads, where the answers of the network arrive: waking this thread
    /// for each of them would cost as much as reading it.
    fn write_once(&self, batch: &Arc<Batch>, range: &Range<usize>) -> Result<(), StoreError> {
        let (store, batch, range) = (Arc::clone(&self.store), Arc::clone(batch), range.clone());
        let write = self.runtime.spawn(async move {
            match batch.events.get(range) {
                Some(events) => store.write(events).await,
                None => Ok(()),
            }
        });
        match self.runtime.block_on(write) {
            Ok(written) => written,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Nobody cancels it; the runtime outlives the writers.
                Err(error) => Err(StoreError::Failed {
                    place: "the store".to_owned(),
                    source: Box::new(error),
                }),
            },
        }
    }

    fn believes_refusal(&self, events: usize) -> bool {
        events > 1 || self.refused.fetch_add(1, Ordering::Relaxed) < REFUSED_IN_A_ROW
    }

    fn measure(&self, batch: &Batch) {
        let now = now();
        let seconds = |since: Time| now.nanos().saturating_sub(since.nanos()) as f64 / 1e9;
        for message in &batch.messages {
            if let Some(known) = batch.events.get(message.first_event) {
                self.metrics.stored_after(seconds(known.known_at), seconds(known.event.time));
            }
        }
    }

    /// The messages of refused events as dead letters, each once.
    fn letters(&self, batch: &Batch, refused: Vec<(usize, StoreError)>) -> Vec<DeadLetter> {
        let mut letters: Vec<DeadLetter> = Vec::new();
        let mut last = None;
        for (index, error) in refused {
            let place = batch.message_of(index);
            let (Some(place), Some(known)) = (place, batch.events.get(index)) else { continue };
            if last.replace(place) == Some(place) {
                continue;
            }
            let topic = self.settings.kafka.topics.get(usize::from(place.key.topic));
            let topic = topic.map(String::as_str).unwrap_or_default();
            let message = self.original(topic, place, known);
            let error = error.to_string();
            tracing::warn!(
                topic,
                partition = place.key.partition,
                offset = place.offset,
                error,
                "the store refuses a message, it becomes a dead letter"
            );
            let failed_at = now().to_string();
            let cause = Cause { error: &error, kind: "store", failed_at: &failed_at };
            letters.push(DeadLetter {
                unit: batch.unit,
                bytes: 0,
                topic: self.settings.dead_letter_topic(topic),
                kind: "store",
                message: with_cause(message, &cause),
            });
        }
        letters
    }

    /// The message as it stands in Kafka. A batch does not keep its messages, which would double
    /// its memory for what hardly ever happens; they are read again, and made from the event if
    /// Kafka has thrown them away.
    fn original(&self, topic: &str, place: BatchMessage, known: &KnownEvent) -> OwnedMessage {
        let partition = place.key.partition;
        let mut backoff = Backoff::default();
        loop {
            let read =
                read_one(&self.settings.kafka, topic, partition, place.offset, READ_AGAIN_WITHIN);
            match read {
                Ok(Some(message)) => return message,
                Ok(None) => break,
                Err(error) => {
                    let offset = place.offset;
                    tracing::warn!(topic, partition, offset, %error, "a message cannot be read again, trying on");
                    std::thread::sleep(backoff.next(random()));
                }
            }
        }
        let timestamp = Timestamp::CreateTime(known.known_at.nanos() / 1_000_000);
        let key = known.event.entity.as_str().as_bytes().to_vec();
        let value = rewritten(&known.event);
        let topic = topic.to_owned();
        OwnedMessage::new(Some(value), Some(key), topic, timestamp, partition, place.offset, None)
    }
}

/// The event as a message of its own.
fn rewritten(event: &Event) -> Vec<u8> {
    let mut value = Vec::new();
    write_batch(&mut value, std::slice::from_ref(event));
    value
}

/// Whether another batch might be taken. Everything else is about the store as a whole, and a
/// store that is full or denies access must not turn every message into a dead letter.
fn is_about_events(error: &StoreError) -> bool {
    matches!(error, StoreError::OutOfRange { .. } | StoreError::Failed { .. })
}

/// The time by this machine's clock.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
