//! Folds of stretches of a trail, so that a state need not be folded from the first event.
//!
//! A snapshot is the fold of one stretch of an entity's trail, not of everything before it.
//! Stretches of level 0 hold about [`EVENTS`] events each, those of a higher level about
//! [`PARTS`] stretches of the level below. Each level covers the trail from its beginning
//! without a gap, up to its tail, which has no snapshot yet because it is still growing:
//!
//! ```text
//! level 1   |------------------------------|                  tail
//! level 0   |------|------|------|...|-----|------|------|    tail
//! events    ....................................................
//! ```
//!
//! A state at a moment is the merge of the longest stretches that end before it and of the few
//! events left over ([`State::merge`] does not mind the order). What this buys over a row of
//! folds from the beginning: an event that comes late changes one stretch a level, however long
//! the trail is and in whatever order it arrives; and what became known late spoils only its own
//! stretches for the question what was known before.
//!
//! Snapshots are written in the transaction of the events, so that they are never behind (I5).

use std::ops::Bound;

use rusqlite::{Connection, Row, params};
use statetrail_event::{OrderKey, State, Time};

use super::batch::Incoming;
use super::entities::EntityRow;
use super::failure::{Failure, read_blob};
use super::trail::{Slice, read_key};
use crate::Order;
use crate::codec::{
    apply_changes, decode_key, decode_state, encode_key, encode_state, merge_state,
};
use crate::key_range::KeyRange;

/// Events of a stretch of level 0, at least; at most about twice as many.
const EVENTS: u64 = 64;
/// Stretches in a stretch of the level above, at least; at most about twice as many.
const PARTS: u64 = 16;

/// The fold of a stretch of a trail.
struct Stretch {
    start: OrderKey,
    /// Exclusive.
    end: OrderKey,
    /// Events, or stretches of the level below.
    parts: u64,
    /// At or after every known-at of its events.
    known_by: Time,
    state: State,
}

/// The least number of parts of a stretch; at the double it is split.
fn parts_wanted(level: u32) -> u64 {
    if level == 0 { EVENTS } else { PARTS }
}

/// Brings an entity's snapshots up to date after events were inserted, which come in their
/// order. Its row counts them afterwards.
pub(super) fn maintain(
    connection: &Connection,
    entity: &mut EntityRow,
    new: &[&Incoming<'_>],
) -> Result<(), Failure> {
    let late_count = new.partition_point(|incoming| incoming.key < entity.tail_start);
    let (late, in_tail) = new.split_at(late_count);
    entity.tail_events += in_tail.len() as u64;
    Ladder { connection, entity_number: entity.number }.merge_late(late)?;
    close_long_tail(connection, entity)?;
    Ok(())
}

/// Makes snapshots of the tail if it is long enough. Returns whether that changed the entity's
/// row.
pub(super) fn close_long_tail(
    connection: &Connection,
    entity: &mut EntityRow,
) -> Result<bool, Failure> {
    if entity.tail_events < EVENTS {
        return Ok(false);
    }
    let ladder = Ladder { connection, entity_number: entity.number };
    let closed = ladder.close_tail(0, entity.tail_start)?;
    let Some((tail_start, closed_events)) = closed else { return Ok(false) };
    entity.tail_start = tail_start;
    entity.tail_events -= closed_events;
    Ok(true)
}

/// The snapshots of one entity.
struct Ladder<'a> {
    connection: &'a Connection,
    entity_number: i64,
}

impl Ladder<'_> {
    /// Takes late events into every stretch that they belong to.
    fn merge_late(&self, late: &[&Incoming<'_>]) -> Result<(), Failure> {
        let mut overfull = Vec::new();
        for level in 0.. {
            let mut rest = late;
            while let Some(first) = rest.first() {
                let Some(mut stretch) = self.covering(level, first.key)? else { break };
                let inside = rest.partition_point(|incoming| incoming.key < stretch.end);
                let (merged, behind) = rest.split_at(inside);
                stretch.take_in(merged);
                if level == 0 {
                    stretch.parts += merged.len() as u64;
                    if stretch.parts >= 2 * EVENTS {
                        overfull.push(stretch.start);
                    }
                }
                self.write(level, &stretch)?;
                rest = behind;
            }
            // Where one level covers nothing, no higher one does.
            if rest.len() == late.len() {
                break;
            }
        }
        for start in overfull {
            self.split(0, start)?;
        }
        Ok(())
    }

    /// Replaces a stretch that has grown too long by shorter ones.
    fn split(&self, level: u32, start: OrderKey) -> Result<(), Failure> {
        let Some(stretch) = self.covering(level, start)? else { return Ok(()) };
        let mut pieces = self.fold_pieces(level, stretch.start, Some(stretch.end))?;
        let wanted = parts_wanted(level);
        if let [.., before_last, last] = pieces.as_mut_slice()
            && last.parts < wanted
        {
            before_last.absorb(last);
            pieces.pop();
        }
        for piece in &pieces {
            self.write(level, piece)?;
        }
        let added = (pieces.len() as u64).saturating_sub(1);
        match self.covering(level + 1, start)? {
            None => self.close_tail_above(level),
            Some(mut above) => {
                above.parts += added;
                self.write(level + 1, &above)?;
                if above.parts >= 2 * PARTS { self.split(level + 1, above.start) } else { Ok(()) }
            }
        }
    }

    /// Makes stretches of the tail of a level, as many as it has parts for. Returns where the
    /// tail begins now and how many parts it lost, or `None` if it was too short.
    fn close_tail(
        &self,
        level: u32,
        tail_start: OrderKey,
    ) -> Result<Option<(OrderKey, u64)>, Failure> {
        let mut pieces = self.fold_pieces(level, tail_start, None)?;
        pieces.retain(|piece| piece.parts == parts_wanted(level));
        let Some(last) = pieces.last() else { return Ok(None) };
        for piece in &pieces {
            self.write(level, piece)?;
        }
        self.close_tail_above(level)?;
        Ok(Some((last.end, pieces.iter().map(|piece| piece.parts).sum())))
    }

    /// Does the same one level higher, once enough stretches are there.
    fn close_tail_above(&self, level: u32) -> Result<(), Failure> {
        let tail_start = self.end_of(level + 1)?;
        if self.count_from(level, tail_start)? >= PARTS {
            self.close_tail(level + 1, tail_start)?;
        }
        Ok(())
    }

    /// Folds the parts from `start` into pieces of the wanted length; the last piece may be
    /// shorter. The pieces follow each other without a gap up to `end`; without an end, the last
    /// one ends right behind its last part.
    fn fold_pieces(
        &self,
        level: u32,
        start: OrderKey,
        end: Option<OrderKey>,
    ) -> Result<Vec<Stretch>, Failure> {
        let mut pieces = Pieces { start, wanted: parts_wanted(level), list: Vec::new() };
        match level.checked_sub(1) {
            None => self.fold_events(start, end, &mut pieces)?,
            Some(below) => self.fold_stretches(below, start, end, &mut pieces)?,
        }
        if let (Some(last), Some(end)) = (pieces.list.last_mut(), end) {
            last.end = end;
        }
        Ok(pieces.list)
    }

    fn fold_events(
        &self,
        start: OrderKey,
        end: Option<OrderKey>,
        pieces: &mut Pieces,
    ) -> Result<(), Failure> {
        let to = end.map_or(Bound::Unbounded, Bound::Excluded);
        let Some(range) = KeyRange::of(Bound::Included(start), to) else { return Ok(()) };
        let (connection, entity_number) = (self.connection, self.entity_number);
        let slice = Slice { connection, entity_number, range, as_known_at: None };
        let columns = "events.time, events.seq, events.id, events.changes, events.known_at";
        slice.visit((columns, ""), Order::OldestFirst, usize::MAX, |row| {
            let key = read_key(row)?;
            // The greatest of all keys has none behind it; its event stays in the tail.
            let Some(end) = key.next() else { return Ok(()) };
            let known_by = Time::from_nanos(row.get(4)?);
            let state = pieces.add_part(key, end, known_by);
            Ok(apply_changes(read_blob(row, 3)?, key, state)?)
        })
    }

    fn fold_stretches(
        &self,
        level: u32,
        start: OrderKey,
        end: Option<OrderKey>,
        pieces: &mut Pieces,
    ) -> Result<(), Failure> {
        let mut statement = self.connection.prepare_cached(
            "SELECT start_key, end_key, parts, known_by, state FROM snapshots
             WHERE entity_no = ?1 AND level = ?2 AND start_key >= ?3 AND start_key < ?4
             ORDER BY start_key",
        )?;
        let end = encode_key(end.unwrap_or(OrderKey::MAX));
        let parameters = params![self.entity_number, level, encode_key(start), end];
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            let part = read_stretch(row)?;
            pieces.add_part(part.start, part.end, part.known_by).merge(&part.state);
        }
        Ok(())
    }

    /// The stretch of a level that a key lies in, or `None` if it lies in the level's tail.
    fn covering(&self, level: u32, key: OrderKey) -> Result<Option<Stretch>, Failure> {
        let mut statement = self.connection.prepare_cached(
            "SELECT start_key, end_key, parts, known_by, state FROM snapshots
             WHERE entity_no = ?1 AND level = ?2 AND start_key <= ?3
             ORDER BY start_key DESC LIMIT 1",
        )?;
        let mut rows = statement.query(params![self.entity_number, level, encode_key(key)])?;
        let stretch = rows.next()?.map(read_stretch).transpose()?;
        Ok(stretch.filter(|stretch| key < stretch.end))
    }

    /// Where the tail of a level begins.
    fn end_of(&self, level: u32) -> Result<OrderKey, Failure> {
        let mut statement = self.connection.prepare_cached(
            "SELECT end_key FROM snapshots WHERE entity_no = ?1 AND level = ?2
             ORDER BY start_key DESC LIMIT 1",
        )?;
        let mut rows = statement.query(params![self.entity_number, level])?;
        match rows.next()? {
            Some(row) => Ok(decode_key(read_blob(row, 0)?)?),
            None => Ok(OrderKey::MIN),
        }
    }

    /// The number of stretches of a level that begin at `start` or later.
    fn count_from(&self, level: u32, start: OrderKey) -> Result<u64, Failure> {
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*) FROM snapshots
             WHERE entity_no = ?1 AND level = ?2 AND start_key >= ?3",
        )?;
        let parameters = params![self.entity_number, level, encode_key(start)];
        Ok(statement.query_row(parameters, |row| row.get(0))?)
    }

    fn write(&self, level: u32, stretch: &Stretch) -> Result<(), Failure> {
        let mut state = Vec::new();
        encode_state(&stretch.state, &mut state);
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO snapshots
                     (entity_no, level, start_key, end_key, parts, known_by, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.entity_number,
                level,
                encode_key(stretch.start),
                encode_key(stretch.end),
                stretch.parts,
                stretch.known_by.nanos(),
                state,
            ])?;
        Ok(())
    }
}

fn read_stretch(row: &Row<'_>) -> Result<Stretch, Failure> {
    Ok(Stretch {
        start: decode_key(read_blob(row, 0)?)?,
        end: decode_key(read_blob(row, 1)?)?,
        parts: row.get(2)?,
        known_by: Time::from_nanos(row.get(3)?),
        state: decode_state(read_blob(row, 4)?)?,
    })
}

/// Stretches of the wanted length, in the making.
struct Pieces {
    start: OrderKey,
    wanted: u64,
    list: Vec<Stretch>,
}

impl Pieces {
    /// Adds a part to the last piece, or to a new one if that is full, and returns the state
    /// that has to take in what the part knows.
    fn add_part(&mut self, start: OrderKey, end: OrderKey, known_by: Time) -> &mut State {
        match self.list.last_mut() {
            Some(last) if last.parts < self.wanted => {
                last.end = end;
                last.parts += 1;
                last.known_by = last.known_by.max(known_by);
            }
            full => {
                let start = match full {
                    Some(full) => {
                        full.end = start;
                        start
                    }
                    None => self.start,
                };
                self.list.push(Stretch { start, end, parts: 1, known_by, state: State::new() });
            }
        }
        let last = self.list.len() - 1;
        &mut self.list[last].state
    }
}

impl Stretch {
    /// Takes in events that lie inside; they are not counted.
    fn take_in(&mut self, events: &[&Incoming<'_>]) {
        for incoming in events {
            self.state.apply(incoming.key, &incoming.known.event.changes);
            self.known_by = self.known_by.max(incoming.known_at);
        }
    }

    /// Takes in the piece that follows.
    fn absorb(&mut self, next: &Stretch) {
        self.end = next.end;
        self.parts += next.parts;
        self.known_by = self.known_by.max(next.known_by);
        self.state.merge(&next.state);
    }
}

/// What snapshots know of a range.
pub(super) struct Covered {
    pub(super) state: State,
    /// Whether there was any event in it.
    pub(super) any_event: bool,
    /// The parts of the range that no snapshot covers, in order.
    pub(super) left_over: Vec<KeyRange>,
}

/// Merges the snapshots inside the range, the longest that there are. Only those count whose
/// events were all known at `as_known_at`.
pub(super) fn cover(
    connection: &Connection,
    entity: &EntityRow,
    range: KeyRange,
    as_known_at: Option<Time>,
) -> Result<Covered, Failure> {
    let mut covered = Covered { state: State::new(), any_event: false, left_over: vec![range] };
    if entity.tail_start == OrderKey::MIN {
        return Ok(covered);
    }
    let top_level: u32 = connection
        .prepare_cached(
            "SELECT level FROM snapshots WHERE entity_no = ?1 ORDER BY level DESC LIMIT 1",
        )?
        .query_row([entity.number], |row| row.get(0))?;
    for level in (0..=top_level).rev() {
        for gap in std::mem::take(&mut covered.left_over) {
            covered.fill(connection, (entity.number, level), gap, as_known_at)?;
        }
    }
    Ok(covered)
}

impl Covered {
    /// Fills a gap from one level and notes what is left of it.
    fn fill(
        &mut self,
        connection: &Connection,
        (entity_number, level): (i64, u32),
        gap: KeyRange,
        as_known_at: Option<Time>,
    ) -> Result<(), Failure> {
        let mut statement = connection.prepare_cached(
            "SELECT start_key, end_key, state FROM snapshots
             WHERE entity_no = ?1 AND level = ?2 AND start_key BETWEEN ?3 AND ?4
                 AND end_key <= ?5 AND known_by <= ?6
             ORDER BY start_key",
        )?;
        // Stretches end before the greatest key, so that this end lets all of them pass.
        let end = gap.to.next().unwrap_or(OrderKey::MAX);
        let mut rows = statement.query(params![
            entity_number,
            level,
            encode_key(gap.from),
            encode_key(gap.to),
            encode_key(end),
            as_known_at.unwrap_or(Time::MAX).nanos(),
        ])?;
        let mut from = Bound::Included(gap.from);
        while let Some(row) = rows.next()? {
            let start = decode_key(read_blob(row, 0)?)?;
            self.left_over.extend(KeyRange::of(from, Bound::Excluded(start)));
            merge_state(read_blob(row, 2)?, &mut self.state)?;
            self.any_event = true;
            from = Bound::Included(decode_key(read_blob(row, 1)?)?);
        }
        self.left_over.extend(KeyRange::of(from, Bound::Included(gap.to)));
        Ok(())
    }
}
