//! Events on their way into the store, and the messages that they came with.

use std::ops::Range;
use std::time::{Duration, Instant};

use statetrail_store::KnownEvent;

use crate::offsets::{PartitionKey, Unit};

/// Events that a batch has room for from its start at most; what it never holds takes no memory.
const ROOM_MAX: usize = 100_000;

/// When a batch is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// At most so many events, more only if a message has several.
    pub events: usize,
    /// At most so many bytes of messages, more only if the last message is long.
    pub bytes: usize,
    /// Handed over after that time if nothing keeps the store busy.
    pub linger: Duration,
}

/// One batch.
#[derive(Debug)]
pub struct Batch {
    /// Its unit among the offsets.
    pub unit: Unit,
    /// Its events, in the order of their messages.
    pub events: Vec<KnownEvent>,
    /// Its messages, in the order in which they were read.
    pub messages: Vec<BatchMessage>,
    /// What its messages count for in the budget, in bytes.
    pub bytes: usize,
    /// When its first message came.
    pub begun: Instant,
}

/// Where a message of a batch stands in Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchMessage {
    /// Its partition.
    pub key: PartitionKey,
    /// Its offset.
    pub offset: i64,
    /// The index of its first event in the batch.
    pub first_event: usize,
}

impl Batch {
    /// An empty batch that begins now. It has room for all that it may hold, as growing would
    /// leave its former places behind in memory.
    pub fn new(unit: Unit, limits: &BatchLimits, now: Instant) -> Batch {
        let room = limits.events.min(ROOM_MAX);
        Batch {
            unit,
            events: Vec::with_capacity(room),
            messages: Vec::with_capacity(room),
            bytes: 0,
            begun: now,
        }
    }

    /// Whether it has reached its size.
    pub fn is_full(&self, limits: &BatchLimits) -> bool {
        self.events.len() >= limits.events || self.bytes >= limits.bytes
    }

    /// How long until it has waited long enough; zero if it has.
    pub fn remaining(&self, limits: &BatchLimits, now: Instant) -> Duration {
        limits.linger.saturating_sub(now.saturating_duration_since(self.begun))
    }

    /// The message that an event came with.
    pub fn message_of(&self, event: usize) -> Option<BatchMessage> {
        let behind = self.messages.partition_point(|message| message.first_event <= event);
        self.messages.get(behind.checked_sub(1)?).copied()
    }
}

/// Halves of a range of events, to look for the one that the store refuses.
pub fn halves(range: &Range<usize>) -> (Range<usize>, Range<usize>) {
    let middle = range.start + range.len() / 2;
    (range.start..middle, middle..range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BatchLimits =
        BatchLimits { events: 10, bytes: 100, linger: Duration::from_millis(200) };

    #[test]
    fn every_event_finds_its_message() {
        let mut batch = Batch::new(1, &LIMITS, Instant::now());
        let key = PartitionKey { topic: 0, partition: 0 };
        for (offset, first_event) in [(10, 0), (12, 1), (13, 4)] {
            batch.messages.push(BatchMessage { key, offset, first_event });
        }
        let offsets: Vec<_> =
            (0..6).map(|event| batch.message_of(event).map(|it| it.offset)).collect();
        assert_eq!(offsets, [10, 12, 12, 12, 13, 13].map(Some));
        assert_eq!(Batch::new(1, &LIMITS, Instant::now()).message_of(0), None);
    }

    #[test]
    fn halves_leave_nothing_out() {
        assert_eq!(halves(&(0..5)), (0..2, 2..5));
        assert_eq!(halves(&(3..5)), (3..4, 4..5));
    }

    #[test]
    fn a_batch_ends_by_bytes_or_by_age() {
        let now = Instant::now();
        let mut batch = Batch::new(1, &LIMITS, now);
        assert!(!batch.is_full(&LIMITS));
        batch.bytes = 100;
        assert!(batch.is_full(&LIMITS));
        let later = now + Duration::from_millis(150);
        assert_eq!(batch.remaining(&LIMITS, later), Duration::from_millis(50));
        assert_eq!(batch.remaining(&LIMITS, later + Duration::from_secs(9)), Duration::ZERO);
    }
}
