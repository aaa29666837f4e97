//! Reading trails, and states at a moment.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, Row, params};
use statetrail_event::{EntityName, Event, EventId, OrderKey, Source, State, Time};

use super::buckets;
use super::entities;
use super::failure::{Failure, read_blob};
use super::snapshots::{self, Covered};
use crate::codec::{Unreadable, apply_changes, decode_changes};
use crate::key_range::KeyRange;
use crate::{KnownEvent, Order, TrailQuery};

/// The columns of an event with its line, and the join that they need.
pub(super) const EVENT_COLUMNS: &str = "events.time, events.seq, events.id, events.name,
    events.changes, events.known_at, lines.offset, lines.line, lines.source_no, lines.rule_no";
pub(super) const EVENT_JOIN: &str = "CROSS JOIN lines ON lines.line_no = events.line_no";

/// The columns that a state is folded from.
const FOLD_COLUMNS: &str = "events.time, events.seq, events.id, events.changes";

/// Reads [`EVENT_COLUMNS`].
pub(super) fn read_event(
    row: &Row<'_>,
    entity: EntityName,
    origins: &mut Origins<'_>,
) -> Result<KnownEvent, Failure> {
    let key = read_key(row)?;
    let event = Event {
        id: key.id,
        entity,
        name: row.get(3)?,
        time: key.time,
        seq: key.seq,
        changes: decode_changes(read_blob(row, 4)?)?,
        source: origins.source(row.get(8)?)?,
        offset: row.get(6)?,
        rule: row.get::<_, Option<i64>>(9)?.map(|rule| origins.rule(rule)).transpose()?,
        line: row.get(7)?,
    };
    Ok(KnownEvent { event, known_at: Time::from_nanos(row.get(5)?) })
}

/// The sources and rules of an answer's lines. Many lines share them, so that each is read once.
pub(super) struct Origins<'a> {
    connection: &'a Connection,
    sources: HashMap<i64, Arc<Source>, RandomState>,
    rules: HashMap<i64, Arc<str>, RandomState>,
}

impl<'a> Origins<'a> {
    pub(super) fn new(connection: &'a Connection) -> Origins<'a> {
        Origins { connection, sources: HashMap::default(), rules: HashMap::default() }
    }

    fn source(&mut self, number: i64) -> Result<Arc<Source>, Failure> {
        if let Some(source) = self.sources.get(&number) {
            return Ok(source.clone());
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT uri, node, file FROM sources WHERE source_no = ?1")?;
        let read =
            |row: &Row<'_>| Ok(Source { uri: row.get(0)?, node: row.get(1)?, file: row.get(2)? });
        let source = statement.query_row([number], read).optional()?;
        let source = Arc::new(source.ok_or_else(|| missing("source", number))?);
        self.sources.insert(number, source.clone());
        Ok(source)
    }

    fn rule(&mut self, number: i64) -> Result<Arc<str>, Failure> {
        if let Some(rule) = self.rules.get(&number) {
            return Ok(rule.clone());
        }
        let mut statement =
            self.connection.prepare_cached("SELECT rule FROM rules WHERE rule_no = ?1")?;
        let rule: Option<Arc<str>> = statement.query_row([number], |row| row.get(0)).optional()?;
        let rule = rule.ok_or_else(|| missing("rule", number))?;
        self.rules.insert(number, rule.clone());
        Ok(rule)
    }
}

fn missing(what: &str, number: i64) -> Unreadable {
    Unreadable(format!("a line of {what} {number}, which is not there"))
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
    let mut origins = Origins::new(connection);
    slice.visit((EVENT_COLUMNS, EVENT_JOIN), query.order, query.limit, |row| {
        found.push(read_event(row, name.clone(), &mut origins)?);
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
        return Ok(Some(entity.decoded_state()?));
    }
    let Some(range) = KeyRange::of(Bound::Unbounded, Bound::Included(at)) else { return Ok(None) };
    let Covered { mut state, mut any_event, left_over } =
        snapshots::cover(connection, &entity, range, as_known_at)?;
    for range in left_over.into_iter().filter_map(|range| range.within(entity.first, entity.last)) {
        let slice = Slice { connection, entity_number: entity.number, range, as_known_at };
        slice.visit((FOLD_COLUMNS, ""), Order::OldestFirst, usize::MAX, |row| {
            any_event = true;
            Ok(apply_changes(read_blob(row, 3)?, read_key(row)?, &mut state)?)
        })?;
    }
    Ok(any_event.then_some(state))
}
