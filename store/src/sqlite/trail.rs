//! Reading trails, and states at a moment.

use std::ops::Bound;
use std::sync::Arc;

use rusqlite::{Connection, Row, params};
use statetrail_event::{EntityName, Event, EventId, OrderKey, Source, State, Time};

use super::buckets;
use super::entities;
use super::failure::{Failure, read_blob};
use super::snapshots::{self, Covered};
use crate::codec::decode_changes;
use crate::key_range::KeyRange;
use crate::{KnownEvent, Order, TrailQuery};

/// The columns of an event with its line, and the joins that they need.
pub(super) const EVENT_COLUMNS: &str = "events.time, events.seq, events.id, events.name,
    events.changes, events.known_at, lines.offset, lines.line, rules.rule, sources.uri,
    sources.node, sources.file";
pub(super) const EVENT_JOINS: &str = "
    CROSS JOIN lines ON lines.line_no = events.line_no
    CROSS JOIN sources ON sources.source_no = lines.source_no
    LEFT JOIN rules ON rules.rule_no = lines.rule_no";

/// The columns that a state is folded from.
const FOLD_COLUMNS: &str = "events.time, events.seq, events.id, events.changes";

/// Reads [`EVENT_COLUMNS`].
pub(super) fn read_event(row: &Row<'_>, entity: EntityName) -> Result<KnownEvent, Failure> {
    let key = read_key(row)?;
    let event = Event {
        id: key.id,
        entity,
        name: row.get(3)?,
        time: key.time,
        seq: key.seq,
        changes: decode_changes(read_blob(row, 4)?)?,
        source: Arc::new(Source { uri: row.get(9)?, node: row.get(10)?, file: row.get(11)? }),
        offset: row.get(6)?,
        rule: row.get(8)?,
        line: row.get(7)?,
    };
    Ok(KnownEvent { event, known_at: Time::from_nanos(row.get(5)?) })
}

/// Reads the columns `time, seq, id` at the beginning of a row.
pub(super) fn read_key(row: &Row<'_>) -> Result<OrderKey, Failure> {
    Ok(OrderKey { time: Time::from_nanos(row.get(0)?), seq: row.get(1)?, id: EventId(row.get(2)?) })
}

/// A stretch of one entity's trail, as far as it was known at a moment.
pub(super) struct Slice<'a> {
    pub(super) connection: &'a Connection,
    pub(super) entity_number: i64,
    pub(super) range: KeyRange,
    pub(super) as_known_at: Option<Time>,
}

impl Slice<'_> {
    /// Calls `visit` for each event's row, which holds the columns that were asked for, until
    /// `limit` rows are read.
    pub(super) fn visit(
        &self,
        columns_and_joins: (&str, &str),
        order: Order,
        limit: usize,
        mut visit: impl FnMut(&Row<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (columns, joins) = columns_and_joins;
        let direction = sql_direction(order);
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {columns} FROM events {joins}
             WHERE events.bucket = ?1 AND events.entity_no = ?2
                 AND (events.time, events.seq, events.id) >= (?3, ?4, ?5)
                 AND (events.time, events.seq, events.id) <= (?6, ?7, ?8)
                 AND events.known_at <= ?9
             ORDER BY events.time {direction}, events.seq {direction}, events.id {direction}
             LIMIT ?10"
        ))?;
        let KeyRange { from, to } = self.range;
        let known_at = self.as_known_at.unwrap_or(Time::MAX).nanos();
        let mut left = i64::try_from(limit).unwrap_or(i64::MAX);
        for bucket in buckets::covering(self.connection, from.time, to.time, order)? {
            let mut rows = statement.query(params![
                bucket,
                self.entity_number,
                from.time.nanos(),
                from.seq,
                from.id.0,
                to.time.nanos(),
                to.seq,
                to.id.0,
                known_at,
                left,
            ])?;
            while let Some(row) = rows.next()? {
                visit(row)?;
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// The word behind each column of an ORDER BY.
pub(super) fn sql_direction(order: Order) -> &'static str {
    match order {
        Order::OldestFirst => "ASC",
        Order::NewestFirst => "DESC",
    }
}

/// See [`EventStore::trail`](crate::EventStore::trail).
pub(super) fn trail(
    connection: &Connection,
    name: &EntityName,
    query: &TrailQuery,
) -> Result<Vec<KnownEvent>, Failure> {
    let mut found = Vec::new();
    let Some(entity) = entities::find(connection, name)? else { return Ok(found) };
    let range = KeyRange::of(query.from, query.to)
        .and_then(|range| range.within(entity.first, entity.last));
    let Some(range) = range else { return Ok(found) };
    let as_known_at = query.as_known_at;
    let slice = Slice { connection, entity_number: entity.number, range, as_known_at };
    slice.visit((EVENT_COLUMNS, EVENT_JOINS), query.order, query.limit, |row| {
        found.push(read_event(row, name.clone())?);
        Ok(())
    })?;
    Ok(found)
}

/// See [`EventStore::state_at`](crate::EventStore::state_at).
pub(super) fn state_at(
    connection: &Connection,
    name: &EntityName,
    at: OrderKey,
    as_known_at: Option<Time>,
) -> Result<Option<State>, Failure> {
    let Some(entity) = entities::find(connection, name)? else { return Ok(None) };
    let everything_known = as_known_at.is_none_or(|known_at| entity.known_by <= known_at);
    if at >= OrderKey::end_of(entity.last) && everything_known {
        return Ok(Some(entity.state));
    }
    let Some(range) = KeyRange::of(Bound::Unbounded, Bound::Included(at)) else { return Ok(None) };
    let Covered { mut state, mut any_event, left_over } =
        snapshots::cover(connection, &entity, range, as_known_at)?;
    for range in left_over.into_iter().filter_map(|range| range.within(entity.first, entity.last)) {
        let slice = Slice { connection, entity_number: entity.number, range, as_known_at };
        slice.visit((FOLD_COLUMNS, ""), Order::OldestFirst, usize::MAX, |row| {
            any_event = true;
            state.apply(read_key(row)?, &decode_changes(read_blob(row, 3)?)?);
            Ok(())
        })?;
    }
    Ok(any_event.then_some(state))
}
