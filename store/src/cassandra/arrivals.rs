//! Events in the order of their arrival.
//!
//! Streams are read side by side, each row by row, and merged by the moments at which the rows were
//! written: about the order of arrival over all writers, and exactly that of each of them. What
//! makes the answer exact is not those moments but the cursor, which has the place in each stream.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use foldhash::fast::RandomState;
use statetrail_event::Time;

use super::connect::Failure;
use super::cursor::{Cursor, Position};
use super::remembered::{Remembered, Told};
use super::snapshots::{after, before};
use super::stream::{CLOCKS_DIFFER, CURSOR_HOURS, Place, first_of, is_over, part_of, read_places};
use super::{CassandraStore, at_once};
use crate::{ArrivalCursor, Arrivals, Arrived, StoreError};

/// Rows of a stream that are read together.
const ROWS: i32 = 16;
/// Events that are read together.
const CANDIDATES: usize = 500;
/// Copies that come so soon after an event are found by whoever begins to read in between.
const LOOKS_BACK: Duration = Duration::from_secs(600);
/// So many events at most are read for that.
const LOOKS_BACK_EVENTS: usize = 250_000;

/// A row of `streams`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) stream: i64,
    pub(super) began: Time,
    pub(super) part: i64,
}

/// A row of `arrivals`.
#[derive(Debug)]
struct Row {
    number: i64,
    written: Time,
    places: Vec<Place>,
}

/// A stream that is being read.
struct Reading {
    stream: i64,
    position: Position,
    /// The rows from the position on, as far as they are read; none of them is empty.
    rows: VecDeque<Row>,
    /// Nothing more was there.
    is_at_end: bool,
    /// When the row behind the end was written, if there is one: the row before it is not to be
    /// seen yet, which happens only where few copies have to answer, or is lost.
    behind_gap: Option<Time>,
}

impl Reading {
    fn at(stream: i64, position: Position) -> Reading {
        Reading { stream, position, rows: VecDeque::new(), is_at_end: false, behind_gap: None }
    }

    /// Takes in the rows that follow.
    fn take_in(&mut self, rows: Vec<Row>) {
        let mut next = self.position.0;
        // The last row of a part leads to the next part.
        let came = rows.len();
        for row in rows {
            if row.number != next {
                self.behind_gap = Some(row.written);
                break;
            }
            next += 1;
            self.rows.push_back(row);
        }
        let goes_on = came == ROWS as usize || (came > 0 && first_of(part_of(next)) == next);
        self.is_at_end = !goes_on || self.behind_gap.is_some();
        self.skip_what_is_done();
    }

    /// Leaves rows behind of which nothing is left.
    fn skip_what_is_done(&mut self) {
        while let Some(row) = self.rows.front()
            && self.position.1 >= row.places.len()
        {
            self.position = (row.number + 1, 0);
            self.rows.pop_front();
        }
    }

    /// The next event and its place.
    fn next(&mut self) -> Option<(Place, Told)> {
        let (number, index) = self.position;
        let place = self.rows.front()?.places.get(index)?.clone();
        self.position.1 += 1;
        self.skip_what_is_done();
        Some((place, (self.stream, number, index)))
    }

    /// When the next event was written.
    fn next_written(&self) -> Option<Time> {
        self.rows.front().map(|row| row.written).or(self.behind_gap)
    }
}

/// Where whoever reads is in all streams.
struct Front {
    readings: Vec<Reading>,
    /// When each stream that is known began.
    began: HashMap<i64, Time, RandomState>,
    /// What was written before this moment was there when reading began.
    settled: Time,
    /// The cursor's moment when reading began; never less.
    complete: i64,
}

impl Front {
    /// Whether a stream's rows have to be read before the next event is known.
    fn lacks_rows(&self) -> bool {
        self.readings.iter().any(|reading| reading.rows.is_empty() && !reading.is_at_end)
    }

    /// The next event of all streams, and its place.
    fn next(&mut self) -> Option<(Place, Told)> {
        let with_rows = self.readings.iter_mut().filter(|reading| !reading.rows.is_empty());
        let first = with_rows.min_by_key(|reading| (reading.next_written(), reading.stream))?;
        first.next()
    }

    /// Whether a row is missing that has to be there for long: before it is stored, the row behind
    /// it is not written. A cluster that loses what it has acknowledged can come to that.
    fn has_lost_rows(&self) -> bool {
        let mut gaps = self.readings.iter().filter_map(|reading| reading.behind_gap);
        gaps.any(|written| written < self.settled)
    }

    /// Whether an event's place lies before where we are.
    fn is_behind_us(&self, (stream, number, index): Told) -> bool {
        match self.readings.iter().find(|reading| reading.stream == stream) {
            Some(reading) => (number, index) < reading.position,
            // It is over, or it has begun since we looked and somebody else reads it already.
            None => self.began.contains_key(&stream),
        }
    }

    /// Whether the event was told of at another place that lies before where we are.
    fn is_copy(&self, hash: u64, told: Told, remembered: &Remembered) -> bool {
        remembered.told(hash).any(|other| other != told && self.is_behind_us(other))
    }

    /// The same as the place where we are, for whoever goes on from it.
    fn cursor(&self) -> ArrivalCursor {
        self.place().show()
    }

    /// Where we are. Streams that are over are left out of it: what is not read of a stream was
    /// written later than the moment that the place has.
    fn place(&self) -> Cursor {
        let written = self.readings.iter().filter_map(Reading::next_written);
        let complete = written.fold(self.settled, Time::min);
        let complete = Cursor::seconds(complete).max(self.complete);
        let mut cursor = Cursor { complete, positions: Default::default() };
        let is_open = |reading: &&Reading| {
            let began = self.began.get(&reading.stream);
            began.is_none_or(|began| !is_over(*began, cursor.complete_at()))
        };
        cursor.positions = self
            .readings
            .iter()
            .filter(is_open)
            .map(|reading| (reading.stream, reading.position))
            .collect();
        cursor
    }
}

impl CassandraStore {
    /// See [`EventStore::arrivals_end`](crate::EventStore::arrivals_end).
    pub(super) async fn read_arrivals_end(&self) -> Result<ArrivalCursor, Failure> {
        let complete = Cursor::seconds(before(self.now(), CLOCKS_DIFFER));
        let mut cursor = Cursor { complete, positions: Default::default() };
        let mut streams = self.streams().await?;
        streams.retain(|stream| !is_over(stream.began, cursor.complete_at()));
        let ends = streams.iter().map(|stream| self.end_of(stream)).collect();
        cursor.positions = at_once::unordered(ends).await?.into_iter().collect();
        Ok(cursor.show())
    }

    /// See [`EventStore::arrivals`](crate::EventStore::arrivals).
    pub(super) async fn read_arrivals(
        &self,
        after: &ArrivalCursor,
        limit: usize,
    ) -> Result<Arrivals, Failure> {
        let cursor = Cursor::read(after).map_err(|reason| self.other_cursor(after, reason))?;
        let begun_at = self.now();
        self.check_age(&cursor, begun_at)?;
        let streams = self.streams().await?;
        let known: HashSet<i64> = streams.iter().map(|stream| stream.stream).collect();
        // A stream is known for longer than a place in it is good.
        if cursor.positions.keys().any(|stream| !known.contains(stream)) {
            return Err(self.other_cursor(after, "nobody writes there").into());
        }
        if !self.remembered().read.hold(&cursor, &streams) {
            self.look_back(&cursor, &streams).await?;
        }
        let mut front = front_at(&cursor, &streams, begun_at);
        let mut events = Vec::new();
        while events.len() < limit {
            let wanted = CANDIDATES.min(limit - events.len());
            let candidates = self.next_told(&mut front, wanted).await?;
            if candidates.is_empty() {
                break;
            }
            self.add_events(candidates, &mut events).await?;
        }
        if events.is_empty() && front.has_lost_rows() {
            return Err(StoreError::ArrivalsLost { place: self.place.clone() }.into());
        }
        let place = front.place();
        let next = place.show();
        self.remembered().read.take_in(cursor, place, &streams);
        Ok(Arrivals { events, next })
    }

    fn other_cursor(&self, cursor: &ArrivalCursor, reason: &str) -> StoreError {
        let (place, cursor) = (self.place.clone(), cursor.to_string());
        StoreError::OtherCursor { place, cursor, reason: reason.to_owned() }
    }

    fn check_age(&self, cursor: &Cursor, now: Time) -> Result<(), StoreError> {
        let kept = Duration::from_secs(CURSOR_HOURS * 3_600);
        if after(cursor.complete_at(), kept) >= now {
            return Ok(());
        }
        Err(StoreError::ArrivalsForgotten { place: self.place.clone(), kept_hours: CURSOR_HOURS })
    }

    async fn streams(&self) -> Result<Vec<Stream>, Failure> {
        let shard = self.settings().layout.first_shard;
        let result = self.session().execute_unpaged(&self.statements().streams, (shard,)).await?;
        let mut streams = Vec::new();
        for row in result.into_rows_result()?.rows::<(i64, i64, i64)>()? {
            let (stream, began, part) = row?;
            streams.push(Stream { stream, began: Time::from_nanos(began), part });
        }
        Ok(streams)
    }

    /// The place behind the last row of a stream.
    async fn end_of(&self, stream: &Stream) -> Result<(i64, Position), Failure> {
        let last = self.rows_before(stream.stream, first_of(stream.part + 1), 1).await?;
        let next = last.first().map_or(first_of(stream.part), |row| row.number + 1);
        Ok((stream.stream, (next, 0)))
    }

    /// The next events that are no copies, at most `wanted`, each with the cursor right after it;
    /// none only at the end.
    async fn next_told(
        &self,
        front: &mut Front,
        wanted: usize,
    ) -> Result<Vec<(Place, ArrivalCursor)>, Failure> {
        let mut candidates = Vec::new();
        while candidates.len() < wanted {
            if front.lacks_rows() {
                self.read_on(front).await?;
                continue;
            }
            let Some((place, told)) = front.next() else { break };
            if !front.is_copy(place.hash, told, &self.remembered()) {
                candidates.push((place, front.cursor()));
            }
        }
        Ok(candidates)
    }

    /// Reads the rows that follow in each stream of which none is left.
    async fn read_on(&self, front: &mut Front) -> Result<(), Failure> {
        let lacking = front
            .readings
            .iter_mut()
            .filter(|reading| reading.rows.is_empty() && !reading.is_at_end);
        let read = lacking.map(async |reading: &mut Reading| {
            let (stream, number) = (reading.stream, reading.position.0);
            let values = (stream, part_of(number), number, ROWS);
            let statement = &self.statements().arrivals;
            let result = self.session().execute_unpaged(statement, values).await?;
            let rows = read_rows(&result.into_rows_result()?)?;
            self.remember(stream, &rows);
            reading.take_in(rows);
            Ok(())
        });
        at_once::unordered(read.collect()).await?;
        Ok(())
    }

    fn remember(&self, stream: i64, rows: &[Row]) {
        let mut remembered = self.remembered();
        for row in rows {
            let hashes = row.places.iter().map(|place| place.hash).collect();
            remembered.take_in(stream, row.number, hashes);
        }
    }

    /// Adds the events of these places. One that is not there has become too old meanwhile.
    async fn add_events(
        &self,
        candidates: Vec<(Place, ArrivalCursor)>,
        events: &mut Vec<Arrived>,
    ) -> Result<(), Failure> {
        let (places, cursors): (Vec<_>, Vec<_>) = candidates.into_iter().unzip();
        let keys: Vec<_> = places.into_iter().map(|place| (place.entity, place.key)).collect();
        let found = self.events_of(&keys).await?;
        for (known, cursor) in found.into_iter().zip(cursors) {
            let Some(known) = known else { continue };
            if known.event.time >= self.horizon(known.event.entity.namespace()) {
                events.push(Arrived { known, cursor });
            }
        }
        Ok(())
    }

    /// Reads what arrived lately before a place, so that copies of it are known.
    async fn look_back(&self, cursor: &Cursor, streams: &[Stream]) -> Result<(), Failure> {
        let since = before(cursor.complete_at(), LOOKS_BACK);
        let recent: Vec<&Stream> =
            streams.iter().filter(|stream| !is_over(stream.began, since)).collect();
        let share = LOOKS_BACK_EVENTS / recent.len().max(1);
        let look = recent.into_iter().map(async |stream: &Stream| {
            let end = match cursor.positions.get(&stream.stream) {
                Some((number, events)) => *number + i64::from(*events > 0),
                None if is_over(stream.began, cursor.complete_at()) => first_of(stream.part + 1),
                None => 0,
            };
            self.look_back_in(stream.stream, end, since, share).await
        });
        at_once::unordered(look.collect()).await?;
        Ok(())
    }

    /// The same in one stream, before a row.
    async fn look_back_in(
        &self,
        stream: i64,
        end: i64,
        since: Time,
        events: usize,
    ) -> Result<(), Failure> {
        let (mut end, mut left, mut was_empty) = (end, events, false);
        while end > 0 && left > 0 {
            let rows = self.rows_before(stream, end, ROWS).await?;
            self.remember(stream, &rows);
            left = left.saturating_sub(rows.iter().map(|row| row.places.len()).sum());
            match rows.last() {
                Some(first) if first.written >= since => end = first.number,
                // A part is noted before anything is in it.
                None if !was_empty => (end, was_empty) = (first_of(part_of(end - 1)), true),
                _ => break,
            }
        }
        Ok(())
    }

    /// The rows of a stream before another one and in the same part as the row before it, the last
    /// one first.
    async fn rows_before(&self, stream: i64, end: i64, limit: i32) -> Result<Vec<Row>, Failure> {
        let values = (stream, part_of(end - 1), end, limit);
        let statement = &self.statements().arrivals_before;
        let result = self.session().execute_unpaged(statement, values).await?;
        read_rows(&result.into_rows_result()?)
    }
}

/// Where a cursor leads in all streams that are not wholly behind it.
fn front_at(cursor: &Cursor, streams: &[Stream], begun_at: Time) -> Front {
    let complete_at = cursor.complete_at();
    let reading = |stream: &Stream| {
        let position = cursor.positions.get(&stream.stream);
        let is_done = position.is_none() && is_over(stream.began, complete_at);
        (!is_done).then(|| Reading::at(stream.stream, position.copied().unwrap_or_default()))
    };
    Front {
        readings: streams.iter().filter_map(reading).collect(),
        began: streams.iter().map(|stream| (stream.stream, stream.began)).collect(),
        settled: before(begun_at, CLOCKS_DIFFER),
        complete: cursor.complete,
    }
}

fn read_rows(
    result: &scylla::response::query_result::QueryRowsResult,
) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::with_capacity(result.rows_num());
    for row in result.rows::<(i64, i64, &[u8])>()? {
        let (number, written, places) = row?;
        rows.push(Row { number, written: Time::from_nanos(written), places: read_places(places)? });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use statetrail_event::{EventId, OrderKey};

    use super::super::stream::STREAM_LENGTH;
    use super::*;

    const NOW: Time = Time::from_nanos(1_790_000_000_000_000_000);

    fn ago(seconds: u64) -> Time {
        before(NOW, Duration::from_secs(seconds))
    }

    fn row(number: i64, written: Time, hashes: &[u64]) -> Row {
        let place = |hash: &u64| Place {
            entity: "shop/order/o-1".parse().unwrap(),
            key: OrderKey { time: NOW, seq: *hash, id: EventId([0; 16]) },
            hash: *hash,
        };
        Row { number, written, places: hashes.iter().map(place).collect() }
    }

    fn cursor(complete: Time, positions: &[(i64, Position)]) -> Cursor {
        let positions = positions.iter().copied().collect();
        Cursor { complete: Cursor::seconds(complete), positions }
    }

    fn stream(stream: i64, began: Time) -> Stream {
        Stream { stream, began, part: 0 }
    }

    fn hashes(front: &mut Front, remembered: &Remembered) -> Vec<u64> {
        let mut found = Vec::new();
        while let Some((place, told)) = front.next() {
            if !front.is_copy(place.hash, told, remembered) {
                found.push(place.hash);
            }
        }
        found
    }

    #[test]
    fn streams_that_are_over_are_not_read_and_need_no_place() {
        let hours_ago = |hours: f32| before(NOW, STREAM_LENGTH.mul_f32(hours));
        let streams = [stream(1, hours_ago(4.0)), stream(2, ago(60)), stream(3, hours_ago(2.0))];
        // The third one was not read to its end when the cursor was made.
        let place = cursor(hours_ago(1.6), &[(3, (5, 0))]);
        let mut front = front_at(&place, &streams, NOW);
        let read: Vec<_> =
            front.readings.iter().map(|reading| (reading.stream, reading.position)).collect();
        assert_eq!(read, [(2, (0, 0)), (3, (5, 0))]);
        front.readings[1].take_in(vec![row(5, hours_ago(1.5), &[1])]);
        front.readings[0].take_in(vec![]);
        assert_eq!(Cursor::read(&front.cursor()).unwrap().positions.len(), 2);
        assert!(front.next().is_some());
        let at_end = Cursor::read(&front.cursor()).unwrap();
        assert_eq!(at_end, cursor(before(NOW, CLOCKS_DIFFER), &[(2, (0, 0))]));
    }

    #[test]
    fn a_cursor_is_no_younger_than_what_was_not_read() {
        let streams = [stream(1, ago(1_000)), stream(2, ago(1_000))];
        let mut front = front_at(&cursor(ago(2_000), &[]), &streams, NOW);
        front.readings[0].take_in(vec![row(0, ago(900), &[1, 2]), row(1, ago(700), &[3])]);
        front.readings[1].take_in(vec![row(0, ago(800), &[4])]);
        let mut complete = Vec::new();
        while front.next().is_some() {
            complete.push(Cursor::read(&front.cursor()).unwrap().complete_at());
        }
        assert_eq!(complete, [ago(900), ago(800), ago(700), ago(300)]);
    }

    #[test]
    fn nothing_behind_a_gap_is_read_or_taken_as_read() {
        let streams = [stream(1, ago(1_000))];
        let mut front = front_at(&cursor(ago(2_000), &[(1, (4, 1))]), &streams, NOW);
        let rows = vec![row(4, ago(900), &[1, 2]), row(6, ago(800), &[3])];
        front.readings[0].take_in(rows);
        assert_eq!(hashes(&mut front, &Remembered::default()), [2]);
        assert!(!front.lacks_rows());
        assert_eq!(Cursor::read(&front.cursor()), Ok(cursor(ago(800), &[(1, (5, 0))])));
        assert!(front.has_lost_rows());
        front.settled = ago(800);
        assert!(!front.has_lost_rows(), "it may be on its way");
    }

    #[test]
    fn of_copies_the_one_that_is_read_first_counts() {
        let mut remembered = Remembered::default();
        remembered.take_in(1, 0, vec![7, 8, 7]);
        remembered.take_in(2, 0, vec![8, 9]);
        // Somebody else reads a stream that has begun since this one looked.
        remembered.take_in(3, 0, vec![9]);
        let streams = [stream(1, ago(1_000)), stream(2, ago(1_000))];
        for (first, second, wanted) in [(900, 800, vec![7, 8, 9]), (800, 900, vec![8, 9, 7])] {
            let mut front = front_at(&cursor(ago(2_000), &[]), &streams, NOW);
            front.readings[0].take_in(vec![row(0, ago(first), &[7, 8, 7])]);
            front.readings[1].take_in(vec![row(0, ago(second), &[8, 9])]);
            assert_eq!(hashes(&mut front, &remembered), wanted);
        }
        let mut front = front_at(&cursor(ago(2_000), &[(1, (0, 2))]), &streams, NOW);
        front.readings[0].take_in(vec![row(0, ago(900), &[7, 8, 7])]);
        front.readings[1].take_in(vec![row(0, ago(800), &[8, 9])]);
        assert_eq!(hashes(&mut front, &remembered), [9]);
    }
}
