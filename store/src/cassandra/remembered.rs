//! What arrived lately, so that a copy is told from a new event.
//!
//! `write` does not look whether an event is there already, so a copy is told of like any other
//! event: after a sink was killed, and for what was sent to Kafka twice. Whoever reads what arrived
//! leaves it out if the same event lies before it. Rows are remembered with their places, not only
//! their events, because readers of one store may be at different places: what lies behind the
//! one lies before the other.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::stretches::Stretches;

/// Events that are remembered; about 32 bytes each.
const EVENTS_MAX: usize = 800_000;

/// Where an event was told of: the stream, the row, and the number within the row.
pub(super) type Told = (i64, i64, usize);

/// An event of a row: the row's number among all that were ever remembered, the event's in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct At {
    row: u32,
    index: u32,
}

#[derive(Debug)]
struct RememberedRow {
    stream: i64,
    number: i64,
    hashes: Vec<u64>,
}

/// What arrived lately.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// In the order in which they were read.
    rows: VecDeque<RememberedRow>,
    /// The number of the row in front.
    first: u32,
    by_place: HashMap<(i64, i64), u32, RandomState>,
    by_hash: HashMap<u64, At, RandomState>,
    /// Where events were told of once more. Few.
    again: HashMap<u64, Vec<At>, RandomState>,
    events: usize,
    /// Where they were read.
    pub(super) read: Stretches,
}

impl Remembered {
    /// Takes in a row, unless it is remembered.
    pub(super) fn take_in(&mut self, stream: i64, number: i64, hashes: Vec<u64>) {
        if self.by_place.contains_key(&(stream, number)) {
            return;
        }
        let row = self.first.wrapping_add(self.rows.len() as u32);
        for (index, hash) in (0..).zip(&hashes) {
            let at = At { row, index };
            if let Some(before) = self.by_hash.insert(*hash, at) {
                self.again.entry(*hash).or_default().push(before);
            }
        }
        self.events += hashes.len();
        self.by_place.insert((stream, number), row);
        self.rows.push_back(RememberedRow { stream, number, hashes });
        while self.events > EVENTS_MAX && self.rows.len() > 1 {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(row) = self.rows.pop_front() else { return };
        let number = self.first;
        self.first = self.first.wrapping_add(1);
        self.by_place.remove(&(row.stream, row.number));
        self.events -= row.hashes.len();
        for hash in row.hashes {
            if let Some(again) = self.again.get_mut(&hash) {
                again.retain(|at| at.row != number);
                if again.is_empty() {
                    self.again.remove(&hash);
                }
            }
            if self.by_hash.get(&hash).is_some_and(|at| at.row == number) {
                self.by_hash.remove(&hash);
            }
        }
    }

    /// Where an event was told of.
    pub(super) fn told(&self, hash: u64) -> impl Iterator<Item = Told> {
        let again = self.again.get(&hash).into_iter().flatten();
        let all = self.by_hash.get(&hash).into_iter().chain(again);
        all.filter_map(|at| {
            let row = self.rows.get(at.row.wrapping_sub(self.first) as usize)?;
            Some((row.stream, row.number, at.index as usize))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(remembered: &Remembered, hash: u64) -> Vec<Told> {
        let mut all: Vec<_> = remembered.told(hash).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn every_place_of_an_event_is_known() {
        let mut remembered = Remembered::default();
        remembered.take_in(1, 0, vec![10, 11, 10]);
        remembered.take_in(2, 5, vec![11]);
        remembered.take_in(1, 0, vec![10, 11, 10]);
        assert_eq!(told(&remembered, 10), [(1, 0, 0), (1, 0, 2)]);
        assert_eq!(told(&remembered, 11), [(1, 0, 1), (2, 5, 0)]);
        assert_eq!(told(&remembered, 12), []);
    }

    #[test]
    fn memory_stays_bounded_and_what_came_last_is_known() {
        let mut remembered = Remembered::default();
        for number in 0..2_000_u64 {
            let mut hashes: Vec<_> = (number * 1_000..(number + 1) * 1_000).collect();
            hashes.push(7);
            remembered.take_in(1, number as i64, hashes);
        }
        assert!(remembered.events <= EVENTS_MAX && remembered.by_hash.len() <= EVENTS_MAX);
        assert_eq!(remembered.by_place.len(), remembered.rows.len());
        assert_eq!(told(&remembered, 1_999_999), [(1, 1_999, 999)]);
        assert_eq!(told(&remembered, 8), []);
        assert_eq!(told(&remembered, 7).len(), remembered.rows.len());
    }
}
