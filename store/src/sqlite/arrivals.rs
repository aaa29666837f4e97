//! Events in the order of their arrival.
//!
//! Lines are numbered as they are written, by one writer at a time, and a line gets a row only with
//! an event that is new. So the numbers of lines tell the order of arrival, also of events that
//! were late, and a copy, which changes at most a known-at, is not among them. The events of a
//! line are found by the index `timeline`: each line's row says at which moment and place they
//! are. An index on `events.line_no` would lead there too, and make every import slower.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use statetrail_event::SEQ_INDEX_BITS;

use super::entities::read_name;
use super::failure::Failure;
use super::trail::{EVENT_COLUMNS, EVENT_JOIN, Origins, read_event};
use crate::{ArrivalCursor, Arrivals, Arrived, KnownEvent};

/// Lines that are read together.
const LINES: usize = 1_000;

/// Columns of the events of lines, behind [`EVENT_COLUMNS`].
const LINE_COLUMN: usize = 10;
const NAME_COLUMN: usize = 11;

/// How a cursor of this store begins.
const KIND: char = 's';

/// A place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The line to go on with.
    line: i64,
    /// How many of its events lie before the place.
    events: usize,
}

impl Cursor {
    /// Reads a cursor. The error says what is wrong with it.
    pub(super) fn read(cursor: &ArrivalCursor) -> Result<Cursor, &'static str> {
        let numbers = cursor.as_str().strip_prefix(KIND).ok_or("it is of another kind of store")?;
        let (line, events) = numbers.split_once('.').unwrap_or((numbers, "0"));
        let all_digits = [line, events].concat().bytes().all(|byte| byte.is_ascii_digit());
        match (line.parse(), events.parse()) {
            (Ok(line), Ok(events)) if all_digits => Ok(Cursor { line, events }),
            _ => Err("it has another form"),
        }
    }

    fn show(self) -> ArrivalCursor {
        ArrivalCursor::of(match self.events {
            0 => format!("{KIND}{}", self.line),
            events => format!("{KIND}{}.{events}", self.line),
        })
    }
}

/// See [`EventStore::arrivals_end`](crate::EventStore::arrivals_end).
pub(super) fn end(connection: &Connection) -> Result<ArrivalCursor, Failure> {
    Ok(Cursor { line: next_line(connection)?, events: 0 }.show())
}

/// The number of the line that will be the next to arrive.
fn next_line(connection: &Connection) -> Result<i64, Failure> {
    let sql = "SELECT coalesce(max(line_no), 0) + 1 FROM lines";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// See [`EventStore::arrivals`](crate::EventStore::arrivals). `None` if so much never arrived.
pub(super) fn read(
    connection: &Connection,
    after: Cursor,
    limit: usize,
) -> Result<Option<Arrivals>, Failure> {
    if after.line > next_line(connection)? {
        return Ok(None);
    }
    let mut next = after;
    let mut events = Vec::new();
    while events.len() < limit {
        let lines = lines_from(connection, next.line, LINES.min(limit - events.len()))?;
        let Some(range) = range_of(&lines) else { break };
        for (line, of_line) in events_of(connection, &lines, range)? {
            let done = if line == next.line { next.events } else { 0 };
            let count = of_line.len();
            for (index, known) in of_line.into_iter().enumerate().skip(done) {
                if events.len() == limit {
                    break;
                }
                next = match index + 1 {
                    behind if behind == count => Cursor { line: line + 1, events: 0 },
                    events => Cursor { line, events },
                };
                events.push(Arrived { known, cursor: next.show() });
            }
        }
        if events.len() < limit {
            next = Cursor { line: range.1 + 1, events: 0 };
        }
    }
    Ok(Some(Arrivals { events, next: next.show() }))
}

/// A line's number, and where its events are: a moment in nanoseconds, and the seq of one of them.
type Line = (i64, i64, u64);

fn lines_from(connection: &Connection, first: i64, limit: usize) -> Result<Vec<Line>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT line_no, time, seq FROM lines WHERE line_no >= ?1 ORDER BY line_no LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement
        .query_map(params![first, limit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn range_of(lines: &[Line]) -> Option<(i64, i64)> {
    Some((lines.first()?.0, lines.last()?.0))
}

/// The events of lines that follow each other, by line. Places that lines share are looked at
/// once: where times are coarse, thousands of lines may have the same one.
fn events_of(
    connection: &Connection,
    lines: &[Line],
    (first, last): (i64, i64),
) -> Result<BTreeMap<i64, Vec<KnownEvent>>, Failure> {
    let sql = format!(
        "SELECT {EVENT_COLUMNS}, events.line_no, namespace, entity_type, entity_id
         FROM events INDEXED BY timeline
         CROSS JOIN entities ON entities.entity_no = events.entity_no {EVENT_JOIN}
         WHERE events.time = ?1 AND events.seq BETWEEN ?2 AND ?3
             AND events.line_no BETWEEN ?4 AND ?5
         ORDER BY events.time, events.seq, events.id, events.bucket, events.entity_no"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut origins = Origins::new(connection);
    let mut found: BTreeMap<i64, Vec<KnownEvent>> = BTreeMap::new();
    let places: BTreeSet<_> =
        lines.iter().map(|(_, time, seq)| (*time, seq >> SEQ_INDEX_BITS)).collect();
    for (time, position) in places {
        let lowest = position << SEQ_INDEX_BITS;
        let highest = lowest | ((1 << SEQ_INDEX_BITS) - 1);
        let mut rows = statement.query(params![time, lowest, highest, first, last])?;
        while let Some(row) = rows.next()? {
            let known = read_event(row, read_name(row, NAME_COLUMN)?, &mut origins)?;
            found.entry(row.get(LINE_COLUMN)?).or_default().push(known);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Cursor, &'static str> {
        Cursor::read(&text.parse().unwrap())
    }

    #[test]
    fn cursors_are_read_as_they_are_shown() {
        for (line, events) in [(1, 0), (17, 2), (i64::MAX, usize::MAX)] {
            let cursor = Cursor { line, events };
            assert_eq!(read(cursor.show().as_str()), Ok(cursor));
        }
    }

    #[test]
    fn other_cursors_are_refused() {
        for wrong in ["c17", "17", "s", "s.1", "s1.", "s-1", "s1.2.3", "sx", "s9223372036854775808"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
