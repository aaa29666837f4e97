//! The thread that reads: from Kafka's consumer into batches, and back to Kafka what is done.
//!
//! It is the only one that knows the consumer, the offsets and the budget, so nothing here is
//! locked. It never waits for long: rebalances, commits and signals are served between messages.
//!
//! - `mod.rs`: the loop, and how batches are filled and handed over;
//! - `partitions.rs`: which partitions are ours, commits, handing partitions over;
//! - `budget.rs`: how much may be in memory;
//! - `stop.rs`: how it ends.

mod budget;
mod partitions;
mod stop;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use foldhash::HashMap;
use rdkafka::Message;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers};
use statetrail_event::cloudevents::Reader;
use statetrail_event::{Event, Time};
use statetrail_store::KnownEvent;

use crate::batch::{Batch, BatchMessage};
use crate::dead_letter::{Cause, DeadLetter, DeadLetters, shortened, with_cause};
use crate::exit::{Exit, Failure};
use crate::health::Health;
use crate::kafka::ConsumerEvents;
use crate::message::{Unreadable, read_message};
use crate::metrics::Metrics;
use crate::offsets::{Offsets, PartitionKey, Unit};
use crate::settings::Settings;
use crate::work::Done;
use crate::writer::now as clock;
use budget::{Budget, Pressure, counted_bytes};
use partitions::Leaving;
pub use stop::Ended;

/// Batches that are written at the same time: one keeps the store busy while the other's answer
/// is on its way, more only take memory.
pub const WRITERS: usize = 2;

/// Messages between two looks at everything else.
const MESSAGES_IN_A_ROW: usize = 500;
/// The longest wait for a message, so that signals are seen.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// What the reading thread works with.
pub struct Parts {
    /// The group's consumer.
    pub consumer: Arc<BaseConsumer<ConsumerEvents>>,
    /// The settings.
    pub settings: Arc<Settings>,
    /// Told when the group is joined.
    pub health: Arc<Health>,
    /// Told of messages and bytes.
    pub metrics: Arc<Metrics>,
    /// Where full batches go.
    pub batches: Sender<Batch>,
    /// Where positions go to be committed.
    pub positions: Sender<Vec<(PartitionKey, i64)>>,
    /// What the other threads have done.
    pub done: Receiver<Done>,
    /// Where dead letters go.
    pub dead_letters: DeadLetters,
    /// Set when the sink is to stop.
    pub stop: Arc<AtomicBool>,
}

/// The reading thread.
pub struct Intake {
    parts: Parts,
    state: State,
}

/// What changes while it runs.
struct State {
    offsets: Offsets,
    budget: Budget,
    reader: Reader,
    events: Vec<Event>,
    batch: Option<Batch>,
    handed_over: usize,
    next_unit: Unit,
    leaving: Vec<Leaving>,
    next_commit: Instant,
    /// A commit is on its way.
    commits: bool,
    topics: HashMap<String, u16>,
    stopping_since: Option<Instant>,
}

impl Intake {
    /// Nothing is read yet.
    pub fn new(parts: Parts) -> Intake {
        let numbered = parts.settings.kafka.topics.iter().cloned().zip(0..);
        let state = State {
            offsets: Offsets::new(),
            budget: Budget::new(parts.settings.budget),
            reader: Reader::default(),
            events: Vec::new(),
            batch: None,
            handed_over: 0,
            next_unit: 0,
            leaving: Vec::new(),
            next_commit: Instant::now(),
            commits: false,
            topics: numbered.collect(),
            stopping_since: None,
        };
        Intake { parts, state }
    }

    /// Reads until it is asked to stop.
    ///
    /// # Errors
    /// When Kafka's client cannot go on.
    pub fn run(mut self) -> Result<Ended, Failure> {
        loop {
            let now = Instant::now();
            self.take_done();
            self.take_incidents(now)?;
            self.hand_partitions_over(now)?;
            self.commit_if_due(now);
            self.parts.dead_letters.retry(now)?;
            if let Some(ended) = self.stop_if_asked(now) {
                return Ok(ended);
            }
            self.hand_over_if_due(now);
            match self.state.budget.pressure(now) {
                Pressure::None => {}
                Pressure::Wait => {
                    self.wait_for_done();
                    continue;
                }
                Pressure::Pause => self.pause_all(true),
                Pressure::Paused => {}
                // What came while it ends would be thrown away.
                Pressure::Resume if self.state.stopping_since.is_some() => {}
                Pressure::Resume => self.pause_all(false),
            }
            self.read_some(now)?;
        }
    }

    fn read_some(&mut self, now: Instant) -> Result<(), Failure> {
        // The messages borrow the consumer, which is not to borrow all of `self`.
        let consumer = Arc::clone(&self.parts.consumer);
        let mut wait = self.longest_wait(now);
        for _ in 0..MESSAGES_IN_A_ROW {
            match consumer.poll(wait) {
                Some(Ok(message)) => self.take_message(&message),
                Some(Err(error)) => self.take_error(&error)?,
                None => return Ok(()),
            }
            if self.state.budget.is_full() {
                return Ok(());
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    fn longest_wait(&self, now: Instant) -> Duration {
        let batch = self.state.batch.as_ref().filter(|_| self.state.handed_over < WRITERS);
        let batch = batch.map(|batch| batch.remaining(&self.parts.settings.batch, now));
        let waits = [batch, self.parts.dead_letters.next_retry(now)];
        waits.into_iter().flatten().fold(LONGEST_WAIT, Duration::min)
    }

    fn take_error(&self, error: &KafkaError) -> Result<(), Failure> {
        let kafka = &self.parts.settings.kafka;
        match error {
            KafkaError::MessageConsumptionFatal(_) => {
                let message = format!(
                    "the consumer at {} has failed for good: {error}: start the sink again, nothing is lost",
                    kafka.brokers
                );
                Err(Failure::new(Exit::Failed, message))
            }
            // The client goes on by itself, and has told the context more than this says.
            _ if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) => Ok(()),
            _ => {
                tracing::warn!(%error, "reading failed, trying on");
                Ok(())
            }
        }
    }

    fn take_message(&mut self, message: &BorrowedMessage<'_>) {
        let Some(key) = self.key_of(message.topic(), message.partition()) else { return };
        if !self.state.offsets.takes(key) || self.state.stopping_since.is_some() {
            return;
        }
        self.parts.metrics.messages.inc();
        self.state.events.clear();
        let read = read_into(&mut self.state.reader, message, &mut self.state.events);
        let bytes = counted_bytes(bytes_of(message), &self.state.events);
        self.state.budget.take(bytes);
        match read {
            Ok(()) => self.add_to_batch(key, message, bytes),
            Err(error) => self.send_dead_letter(key, message, bytes, &error),
        }
    }

    fn add_to_batch(&mut self, key: PartitionKey, message: &BorrowedMessage<'_>, bytes: usize) {
        let known_at = known_at(message);
        if self.state.batch.is_none() {
            let unit = self.new_unit();
            self.state.batch = Some(Batch::new(unit, &self.parts.settings.batch, Instant::now()));
        }
        let Some(batch) = &mut self.state.batch else { return };
        let offset = message.offset();
        self.state.offsets.read(key, offset, batch.unit);
        batch.messages.push(BatchMessage { key, offset, first_event: batch.events.len() });
        let events = self.state.events.drain(..);
        batch.events.extend(events.map(|event| KnownEvent { event, known_at }));
        batch.bytes += bytes;
        if batch.is_full(&self.parts.settings.batch) {
            self.hand_over();
        }
    }

    fn send_dead_letter(
        &mut self,
        key: PartitionKey,
        message: &BorrowedMessage<'_>,
        bytes: usize,
        error: &Unreadable,
    ) {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let reason = error.to_string();
        let told = shortened(&reason);
        tracing::warn!(topic, partition, offset, kind = error.kind(), error = %told, "a message cannot be stored, it becomes a dead letter");
        let unit = self.new_unit();
        self.state.offsets.read(key, offset, unit);
        let kind = error.kind();
        let cause = Cause { error: &reason, kind, failed_at: &clock().to_string() };
        self.parts.dead_letters.send(DeadLetter {
            unit,
            bytes,
            topic: self.parts.settings.dead_letter_topic(topic),
            kind,
            message: with_cause(message.detach(), &cause),
        });
    }

    fn new_unit(&mut self) -> Unit {
        let unit = self.state.next_unit;
        self.state.next_unit += 1;
        self.state.offsets.open(unit);
        unit
    }

    /// Hands the batch over if it has waited long enough and a writer is free. If none is, it
    /// grows, so that batches are as dense as the load is high.
    fn hand_over_if_due(&mut self, now: Instant) {
        let Some(batch) = &self.state.batch else { return };
        let is_hurried = self.state.stopping_since.is_some() || !self.state.leaving.is_empty();
        let is_due = batch.remaining(&self.parts.settings.batch, now).is_zero();
        if is_hurried || (is_due && self.state.handed_over < WRITERS) {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let Some(batch) = self.state.batch.take() else { return };
        self.state.handed_over += 1;
        // The writers end only when this sender does.
        let _ = self.parts.batches.send(batch);
    }

    fn wait_for_done(&mut self) {
        if let Ok(done) = self.parts.done.recv_timeout(LONGEST_WAIT) {
            self.end(done);
        }
    }

    fn take_done(&mut self) {
        while let Ok(done) = self.parts.done.try_recv() {
            self.end(done);
        }
        // At most the budget and one message, far below the range.
        self.parts.metrics.in_flight.set(self.state.budget.used() as i64);
    }

    fn end(&mut self, done: Done) {
        match done {
            Done::Stored { unit, bytes, refused } => {
                self.state.handed_over -= 1;
                self.state.budget.give_back(bytes);
                for letter in refused {
                    self.state.offsets.add_part(unit);
                    self.parts.dead_letters.send(letter);
                }
                self.state.offsets.finish(unit);
            }
            Done::Committed(positions) => {
                self.state.commits = false;
                for (key, position) in positions {
                    self.state.offsets.committed(key, position);
                }
            }
            Done::NotCommitted(error) => {
                self.state.commits = false;
                self.commit_failed(&error);
            }
            Done::Delivered { unit, bytes, kind } => {
                self.state.budget.give_back(bytes);
                self.state.offsets.finish(unit);
                self.parts.metrics.dead_letter(kind);
                self.parts.health.dead_letters_work();
                self.parts.dead_letters.delivered();
            }
            Done::Undelivered { letter, error } => {
                self.parts.health.dead_letters_fail(&letter.topic, &error);
                self.parts.metrics.retry("dead_letter");
                self.parts.dead_letters.failed(*letter, &error);
            }
        }
    }
}

fn read_into(
    reader: &mut Reader,
    message: &BorrowedMessage<'_>,
    events: &mut Vec<Event>,
) -> Result<(), Unreadable> {
    match message.headers() {
        None => read_message(reader, message.payload(), &[], events),
        Some(headers) => {
            let headers: Vec<_> = headers.iter().map(|it| (it.key, it.value)).collect();
            read_message(reader, message.payload(), &headers, events)
        }
    }
}

/// What a message takes in memory. In binary mode nearly all of it is in the headers.
fn bytes_of(message: &BorrowedMessage<'_>) -> usize {
    let of_header = |it: Header<'_, &[u8]>| it.key.len() + it.value.map_or(0, <[u8]>::len);
    let headers = message.headers().map(|headers| headers.iter().map(of_header).sum::<usize>());
    message.payload_len() + message.key_len() + headers.unwrap_or(0)
}

/// When Kafka took the message. Topics with `message.timestamp.type=LogAppendTime` tell just
/// that; with `CreateTime` it is what the producer's clock said. Messages of Kafka's oldest format
/// have no time, for which ours stands in: the store keeps the earliest of several.
fn known_at(message: &BorrowedMessage<'_>) -> Time {
    let millis = message.timestamp().to_millis();
    let nanos = millis.and_then(|millis| millis.checked_mul(1_000_000));
    nanos.map_or_else(clock, Time::from_nanos)
}
