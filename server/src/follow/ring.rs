//! What arrived lately, in memory, for all clients together.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use statetrail_store::{ArrivalCursor, Arrived};

/// Events that are kept; a client that is further behind reads them from the store again.
const EVENTS_MAX: usize = 20_000;
/// Bytes of them, as they are sent; each is held about twice.
const BYTES_MAX: usize = 32 << 20;

/// Events that arrived one after the other.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The place in front of the first one.
    pub(crate) from: ArrivalCursor,
    /// The events, each with what is sent of it.
    pub(crate) events: Vec<(Arrived, Bytes)>,
    /// The place behind the last one.
    pub(crate) next: ArrivalCursor,
}

/// A place in the ring: the number of a batch, and of an event within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) batch: u64,
    pub(crate) event: usize,
}

/// The batches that arrived last.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// The number of the first batch that is kept.
    first: u64,
    batches: VecDeque<Arc<Batch>>,
    events: usize,
    bytes: usize,
    /// The place behind the last one, as far as it is read.
    end_place: Option<ArrivalCursor>,
}

impl Ring {
    /// Notes how far arrivals are read, where nothing came.
    pub(crate) fn read_up_to(&mut self, place: ArrivalCursor) {
        self.end_place = Some(place);
    }

    pub(crate) fn push(&mut self, batch: Batch) {
        self.events += batch.events.len();
        self.bytes += bytes_of(&batch);
        self.end_place = Some(batch.next.clone());
        self.batches.push_back(Arc::new(batch));
        while (self.events > EVENTS_MAX || self.bytes > BYTES_MAX) && self.batches.len() > 1 {
            if let Some(oldest) = self.batches.pop_front() {
                self.events -= oldest.events.len();
                self.bytes -= bytes_of(&oldest);
                self.first += 1;
            }
        }
    }

    /// Forgets all. What is read next need not follow on, so the number that would be next is left
    /// out: who waits for it looks its place up again.
    pub(crate) fn clear(&mut self) {
        self.first = self.end() + 1;
        self.batches.clear();
        self.end_place = None;
        self.events = 0;
        self.bytes = 0;
    }

    /// The number that the next batch gets.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.batches.len() as u64
    }

    /// Whether what comes at this number was forgotten.
    pub(crate) fn has_lost(&self, number: u64) -> bool {
        number < self.first
    }

    pub(crate) fn batch(&self, number: u64) -> Option<Arc<Batch>> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.batches.get(at).cloned()
    }

    /// The place of whoever goes on at that spot, if it is behind all that was read. Where nothing
    /// comes for long, it moves on all the same, so that it does not get too old to go on from.
    pub(crate) fn place_at_end(&self, spot: Spot) -> Option<&ArrivalCursor> {
        self.end_place.as_ref().filter(|_| spot.batch == self.end())
    }

    /// Where to go on behind a place, if it is one that the ring knows.
    pub(crate) fn find(&self, place: &ArrivalCursor) -> Option<Spot> {
        if self.end_place.as_ref() == Some(place) {
            return Some(Spot { batch: self.end(), event: 0 });
        }
        // Newest first: who follows is most often near the end.
        for (at, batch) in self.batches.iter().enumerate().rev() {
            let number = self.first + at as u64;
            if batch.next == *place {
                return Some(Spot { batch: number + 1, event: 0 });
            }
            let within = batch.events.iter().rposition(|(arrived, _)| arrived.cursor == *place);
            if let Some(event) = within {
                return Some(Spot { batch: number, event: event + 1 });
            }
            if batch.from == *place {
                return Some(Spot { batch: number, event: 0 });
            }
        }
        None
    }
}

fn bytes_of(batch: &Batch) -> usize {
    batch.events.iter().map(|(_, frame)| frame.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u64) -> ArrivalCursor {
        format!("s{number}").parse().unwrap()
    }

    fn batch(from: u64, next: u64) -> Batch {
        Batch { from: place(from), events: Vec::new(), next: place(next) }
    }

    #[test]
    fn a_place_is_found_and_gone_on_from() {
        let mut ring = Ring::default();
        ring.read_up_to(place(3));
        assert_eq!(ring.find(&place(3)), Some(Spot { batch: 0, event: 0 }));
        ring.push(batch(3, 5));
        ring.push(batch(5, 9));
        for (number, spot) in [(3, Some(0)), (5, Some(1)), (9, Some(2)), (4, None), (10, None)] {
            let spot = spot.map(|batch| Spot { batch, event: 0 });
            assert_eq!(ring.find(&place(number)), spot, "{number}");
        }
        assert_eq!(ring.batch(1).unwrap().next, place(9));
        assert!(ring.batch(2).is_none());
    }

    #[test]
    fn the_place_of_who_waits_at_the_end_moves_on_though_nothing_comes() {
        let mut ring = Ring::default();
        ring.push(batch(3, 5));
        let waiting = ring.find(&place(5)).unwrap();
        ring.read_up_to(place(6));
        assert_eq!(ring.place_at_end(waiting), Some(&place(6)));
        ring.push(batch(6, 7));
        assert_eq!(ring.place_at_end(waiting), None, "there is something to read before");
    }

    #[test]
    fn who_waited_before_all_was_forgotten_looks_its_place_up_again() {
        let mut ring = Ring::default();
        ring.push(batch(3, 5));
        let waiting = ring.find(&place(5)).unwrap();
        ring.clear();
        assert!(ring.has_lost(waiting.batch));
        // What arrived between 5 and 7 was not read.
        ring.push(batch(7, 9));
        assert!(ring.has_lost(waiting.batch) && ring.find(&place(5)).is_none());
    }
}
