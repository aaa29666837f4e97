//! Streams of arrivals: what a row holds, which stream takes it, and how long all that is kept.
//!
//! Each process that writes has a stream of its own, so that nobody waits for anybody. It numbers
//! the rows of its stream from 0 on without a gap, and writes one only when the one before is
//! stored. A stream ends after an hour, and the process begins another one: then whoever reads
//! need not know the place in it any more.

use std::time::Duration;

use statetrail_event::{EntityName, OrderKey, Time};
use xxhash_rust::xxh64::xxh64;

use super::connect::Failure;
use super::rows::read_name;
use super::snapshots::after;
use crate::codec::{each_place, encode_place};

/// No row is written to a stream that began so long ago.
pub(super) const STREAM_LENGTH: Duration = Duration::from_secs(3_600);
/// How long a place in the order of arrival is good.
pub(super) const CURSOR_HOURS: u64 = 24;
/// How long a row of `arrivals` is kept: longer than places in it are good, so that no row that
/// a place still leads to is gone, also where clocks differ.
pub(super) const ARRIVALS_KEPT_SECONDS: u64 = (CURSOR_HOURS + 1) * 3_600;
/// How long a stream is known: longer than its rows.
pub(super) const STREAM_KEPT_SECONDS: u64 = ARRIVALS_KEPT_SECONDS + 2 * STREAM_LENGTH.as_secs();
/// So much the clocks of those who write and those who read may differ, together with the time
/// that a request takes.
pub(super) const CLOCKS_DIFFER: Duration = Duration::from_secs(5 * 60);

/// Events of a row at most: what is read again where somebody goes on within a row.
const ROW_EVENTS: usize = 1_000;
/// Bytes after which a row is full.
const ROW_BYTES: usize = 64 << 10;
/// Rows of a partition. With rows that are full it has about 64 MB.
const PART_ROWS: i64 = 1_024;

/// The partition of a row.
pub(super) fn part_of(number: i64) -> i64 {
    number.div_euclid(PART_ROWS)
}

/// The first row of a partition.
pub(super) fn first_of(part: i64) -> i64 {
    part.saturating_mul(PART_ROWS)
}

/// Whether all rows of a stream were written before a moment, by its writer's clock.
pub(super) fn is_over(began: Time, moment: Time) -> bool {
    after(began, STREAM_LENGTH) < moment
}

/// A row that is to be written: where events are, in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// The places, encoded.
    pub(super) places: Vec<u8>,
    pub(super) events: usize,
}

impl Row {
    /// Whether the events of another row find room too.
    fn has_room_for(&self, events: usize, bytes: usize) -> bool {
        self.events + events <= ROW_EVENTS && self.places.len() + bytes <= ROW_BYTES
    }

    /// Takes in another row, or gives it back if there is no room for it.
    pub(super) fn take_in(&mut self, other: Row) -> Option<Row> {
        if !self.has_room_for(other.events, other.places.len()) {
            return Some(other);
        }
        self.places.extend_from_slice(&other.places);
        self.events += other.events;
        None
    }
}

/// The rows for events in the order of their arrival.
pub(super) fn rows_of<'e>(events: impl Iterator<Item = (&'e EntityName, OrderKey)>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (entity, key) in events {
        let full = rows.last().is_none_or(|row| !row.has_room_for(1, 0));
        if full {
            rows.push(Row::default());
        }
        if let Some(row) = rows.last_mut() {
            encode_place(entity.as_str(), key, &mut row.places);
            row.events += 1;
        }
    }
    rows
}

/// Where an event that arrived lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) entity: EntityName,
    pub(super) key: OrderKey,
    /// Tells it from every other event, but for one in 2^64.
    pub(super) hash: u64,
}

/// Reads the places of a row.
pub(super) fn read_places(bytes: &[u8]) -> Result<Vec<Place>, Failure> {
    let mut places = Vec::new();
    let mut names = Ok(());
    each_place(bytes, |entity, key, encoded| match read_name(entity) {
        Ok(entity) => places.push(Place { entity, key, hash: xxh64(encoded, 0) }),
        Err(failure) => names = Err(failure),
    })?;
    names.map(|()| places)
}

#[cfg(test)]
mod tests {
    use statetrail_event::EventId;

    use super::*;

    fn key(number: u64) -> OrderKey {
        OrderKey { time: Time::from_nanos(-1), seq: number, id: EventId([number as u8; 16]) }
    }

    #[test]
    fn places_are_read_as_they_were_written() {
        let name: EntityName = "shop/größe/o-1".parse().unwrap();
        let rows = rows_of((0..2_500).map(|number| (&name, key(number))));
        assert_eq!(rows.iter().map(|row| row.events).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        let mut number = 0;
        for row in &rows {
            for place in read_places(&row.places).unwrap() {
                assert_eq!((&place.entity, place.key), (&name, key(number)));
                number += 1;
            }
        }
        assert_eq!(number, 2_500);
        assert!(read_places(&rows[2].places[1..]).is_err());
    }

    #[test]
    fn small_rows_become_one_and_long_names_fill_a_row() {
        let name: EntityName = "shop/order/o-1".parse().unwrap();
        let row = |count: u64| rows_of((0..count).map(|number| (&name, key(number)))).remove(0);
        let mut first = row(600);
        assert!(first.take_in(row(400)).is_none());
        assert_eq!(first.take_in(row(1)).map(|row| row.events), Some(1));
        let long = EntityName::new("shop", "order", &"x".repeat(1_000)).unwrap();
        let rows = rows_of((0..200).map(|number| (&long, key(number))));
        assert!(rows.len() > 1 && rows.iter().all(|row| row.places.len() < ROW_BYTES + 2_000));
    }

    #[test]
    fn rows_lie_in_the_part_that_begins_before_them() {
        for number in [0, 1, 1_023, 1_024, 5_000] {
            let part = part_of(number);
            assert!((first_of(part)..first_of(part + 1)).contains(&number));
        }
    }
}
