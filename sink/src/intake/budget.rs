//! How much may be in memory: bytes of messages that are read and not yet done.

use std::mem::size_of;
use std::time::{Duration, Instant};

use statetrail_event::{Change, Event, Value};
use statetrail_store::KnownEvent;

use crate::batch::BatchMessage;

/// For that long a full budget is waited out without polling. Kafka's client then stops fetching
/// by itself, as its queue is bounded too. Pausing partitions throws away what is in that queue,
/// which would cost the most just when the store is only a little slower than Kafka.
const WAIT_BEFORE_PAUSE: Duration = Duration::from_secs(1);

/// What a message takes besides its key and value: its place among the offsets and in a batch.
const MESSAGE_OVERHEAD_BYTES: usize = 100;
/// What the allocator takes besides each text or list.
const ALLOCATION_BYTES: usize = 16;

/// What a message counts for. What its events take is mostly less than the message, but more where
/// they are small, or have many short fields: `"a":1` is five bytes as JSON and a hundred as a change.
pub(super) fn counted_bytes(message_bytes: usize, events: &[Event]) -> usize {
    let in_memory: usize = events.iter().map(memory_of).sum();
    (message_bytes + MESSAGE_OVERHEAD_BYTES).max(in_memory + size_of::<BatchMessage>())
}

/// What an event takes in a batch, without its source, which many events share.
fn memory_of(event: &Event) -> usize {
    let text = |length: usize| length + ALLOCATION_BYTES;
    let line = event.line.as_ref().map_or(0, |line| text(line.len()));
    let list = event.changes.capacity() * size_of::<Change>() + ALLOCATION_BYTES;
    let texts_of = |change: &Change| {
        let value = match &change.value {
            Some(Value::Text(value)) => text(value.len()),
            _ => 0,
        };
        text(change.field.len()) + value
    };
    let texts: usize = event.changes.iter().map(texts_of).sum();
    let names = text(event.entity.as_str().len()) + text(event.name.len());
    size_of::<KnownEvent>() + names + line + list + texts
}

/// Counts bytes, and says when to stop reading and when to go on.
#[derive(Debug)]
pub(super) struct Budget {
    high: usize,
    low: usize,
    used: usize,
    full_since: Option<Instant>,
    paused: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressure {
    /// Read on.
    None,
    /// Read nothing, wait for work to be done.
    Wait,
    /// Pause every partition, then poll only for what is no message.
    Pause,
    /// They are paused, and stay so.
    Paused,
    /// Let every partition go on.
    Resume,
}

impl Budget {
    /// At most `bytes`, but for the last message; when paused, half of it lets reading go on.
    pub(super) fn new(bytes: usize) -> Budget {
        Budget { high: bytes, low: bytes / 2, used: 0, full_since: None, paused: false }
    }

    /// Something is in memory.
    pub(super) fn take(&mut self, bytes: usize) {
        self.used += bytes;
    }

    /// It is done.
    pub(super) fn give_back(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Bytes in memory.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Whether nothing more may be read.
    pub(super) fn is_full(&self) -> bool {
        self.used >= self.high
    }

    /// Whether partitions are paused.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// What to do now. The caller does it.
    pub(super) fn pressure(&mut self, now: Instant) -> Pressure {
        if self.paused {
            if self.used > self.low {
                return Pressure::Paused;
            }
            self.paused = false;
            self.full_since = None;
            return Pressure::Resume;
        }
        if !self.is_full() {
            self.full_since = None;
            return Pressure::None;
        }
        let since = *self.full_since.get_or_insert(now);
        if now.saturating_duration_since(since) < WAIT_BEFORE_PAUSE {
            return Pressure::Wait;
        }
        self.paused = true;
        Pressure::Pause
    }
}

#[cfg(test)]
mod tests {
    use statetrail_event::{EntityName, EventId, Time};

    use super::*;

    fn event(changes: Vec<Change>, line: Option<String>) -> Event {
        Event {
            id: EventId([0; 16]),
            entity: EntityName::new("shop", "order", "o-1042").unwrap(),
            name: "paid".into(),
            time: Time::from_nanos(0),
            seq: 0,
            changes,
            source: Default::default(),
            offset: None,
            rule: None,
            line,
        }
    }

    #[test]
    fn what_is_larger_in_memory_than_in_its_message_counts_as_it_is_there() {
        let plain = event(vec![Change::set("status", "paid")], Some("x".repeat(400)));
        assert_eq!(counted_bytes(800, &[plain]), 900);
        let fields = |number: i64| Change::set(format!("f{number}"), number);
        let wide = event((0..1_000).map(fields).collect(), None);
        assert!(counted_bytes(10_000, &[wide]) > 1_000 * (size_of::<Change>() + 18));
        let small: Vec<Event> = (0..100).map(|_| event(Vec::new(), None)).collect();
        assert!(counted_bytes(1_000, &small) > 100 * size_of::<Event>());
    }

    #[test]
    fn a_full_budget_waits_pauses_and_resumes_at_the_half() {
        let mut budget = Budget::new(100);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        budget.take(99);
        assert_eq!(budget.pressure(at(0)), Pressure::None);
        budget.take(10);
        assert!(budget.is_full());
        assert_eq!(budget.pressure(at(0)), Pressure::Wait);
        assert_eq!(budget.pressure(at(999)), Pressure::Wait);
        assert_eq!(budget.pressure(at(1000)), Pressure::Pause);
        assert_eq!(budget.pressure(at(1001)), Pressure::Paused);
        budget.give_back(58);
        assert_eq!(budget.pressure(at(1002)), Pressure::Paused);
        budget.give_back(1);
        assert_eq!(budget.pressure(at(1003)), Pressure::Resume);
        assert_eq!(budget.pressure(at(1004)), Pressure::None);
    }

    #[test]
    fn a_moment_of_pressure_is_forgotten() {
        let mut budget = Budget::new(100);
        let start = Instant::now();
        budget.take(100);
        assert_eq!(budget.pressure(start), Pressure::Wait);
        budget.give_back(1);
        let later = start + Duration::from_secs(5);
        assert_eq!(budget.pressure(later), Pressure::None);
        budget.take(1);
        assert_eq!(budget.pressure(later), Pressure::Wait);
    }
}
