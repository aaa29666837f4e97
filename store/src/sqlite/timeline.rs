//! Events of all entities by time.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};
use statetrail_event::{EntityName, OrderKey, Time};

use super::directory::Conditions;
use super::entities::read_name;
use super::failure::{Failure, read_text};
use super::trail::{EVENT_COLUMNS, EVENT_JOIN, Origins, read_event, read_key, sql_direction};
use crate::store::TallyCounter;
use crate::{KnownEvent, Order, Place, Tally, TallyBudget, TimelineQuery};

/// Columns of [`EVENT_COLUMNS`], behind which the entity's name begins.
const NAME_COLUMN: usize = 10;

/// See [`EventStore::timeline`](crate::EventStore::timeline).
pub(super) fn timeline(
    connection: &Connection,
    query: &TimelineQuery,
) -> Result<Vec<KnownEvent>, Failure> {
    let conditions = conditions_of(query);
    let direction = sql_direction(query.order);
    // The order of the joins is fixed, or a filter on entities might lead to reading all their
    // trails first.
    let sql = format!(
        "SELECT {EVENT_COLUMNS}, namespace, entity_type, entity_id
         FROM events INDEXED BY timeline
         CROSS JOIN entities ON entities.entity_no = events.entity_no {EVENT_JOIN} {}
         ORDER BY events.time {direction}, events.seq {direction}, events.id {direction}",
        conditions.clause(),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(conditions.parameters))?;
    let mut origins = Origins::new(connection);
    let mut found: Vec<KnownEvent> = Vec::new();
    // Where those with the key that was read last begin.
    let mut with_key = 0;
    while let Some(row) = rows.next()? {
        let key = read_key(row)?;
        let is_new = found.last().is_none_or(|last| last.event.key() != key);
        if is_new {
            sort_by_name(&mut found[with_key..], query.order);
            with_key = found.len();
            if found.len() >= query.limit {
                break;
            }
        }
        let name = read_name(row, NAME_COLUMN)?;
        if !is_after(&name, key, query) {
            continue;
        }
        found.push(read_event(row, name, &mut origins)?);
    }
    sort_by_name(&mut found[with_key..], query.order);
    found.truncate(query.limit);
    Ok(found)
}

/// The index knows entities by their numbers, which are in no order that others know. Hardly ever
/// have two of them events with the same key, so that sorting these here costs nothing.
fn sort_by_name(events: &mut [KnownEvent], order: Order) {
    events.sort_by(|a, b| match order {
        Order::OldestFirst => a.event.entity.cmp(&b.event.entity),
        Order::NewestFirst => b.event.entity.cmp(&a.event.entity),
    });
}

/// Whether an entity's event with that key lies behind the place from which the query goes on.
fn is_after(name: &EntityName, key: OrderKey, query: &TimelineQuery) -> bool {
    match (&query.after, query.order) {
        (Some(place), _) if place.key != key => true,
        (Some(place), Order::OldestFirst) => *name > place.entity,
        (Some(place), Order::NewestFirst) => *name < place.entity,
        (None, _) => true,
    }
}

/// See [`EventStore::tally`](crate::EventStore::tally).
pub(super) fn tally(
    connection: &Connection,
    query: &TimelineQuery,
    step: i64,
    budget: TallyBudget,
) -> Result<Tally, Failure> {
    let query = TimelineQuery { after: None, ..query.clone() };
    let conditions = conditions_of(&query);
    let direction = sql_direction(query.order);
    let join = if query.text.is_some() { EVENT_JOIN } else { "" };
    let sql = format!(
        "SELECT events.time, entity_type, events.name
         FROM events INDEXED BY timeline
         CROSS JOIN entities ON entities.entity_no = events.entity_no {join} {}
         ORDER BY events.time {direction}",
        conditions.clause(),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(conditions.parameters))?;
    let mut counter = TallyCounter::new(step, budget);
    while let Some(row) = rows.next()? {
        let (entity_type, name) = (read_text(row, 1)?, read_text(row, 2)?);
        if !counter.add(Time::from_nanos(row.get(0)?), entity_type, name, 1) {
            break;
        }
    }
    Ok(counter.finish())
}

/// What the query asks of events, their entities and their lines.
fn conditions_of(query: &TimelineQuery) -> Conditions {
    let mut conditions = Conditions::default();
    let (from, to) = match (&query.after, query.order) {
        (Some(place), Order::OldestFirst) => (query.from.max(place.key.time), query.to),
        (Some(place), Order::NewestFirst) => (query.from, query.to.min(place.key.time)),
        (None, _) => (query.from, query.to),
    };
    // The index is entered at these; what is said about a place only leaves out.
    conditions.add("events.time BETWEEN ? AND ?", [from.nanos(), to.nanos()]);
    if let Some(place) = &query.after {
        add_place(&mut conditions, place, query.order);
    }
    if let Some(known_at) = query.as_known_at {
        conditions.add("events.known_at <= ?", [known_at.nanos()]);
    }
    if let Some(name) = &query.name {
        conditions.add("events.name = ?", [name.clone()]);
    }
    conditions.add_filter(&query.entities);
    if let Some(text) = &query.text {
        conditions.add("instr(lines.line, ?) > 0", [text.clone()]);
    }
    conditions
}

/// From the key of the place on; others with the same key are told apart by [`is_after`].
fn add_place(conditions: &mut Conditions, place: &Place, order: Order) {
    let OrderKey { time, seq, id } = place.key;
    let comparison = match order {
        Order::OldestFirst => ">=",
        Order::NewestFirst => "<=",
    };
    conditions.add(
        &format!("(events.time, events.seq, events.id) {comparison} (?, ?, ?)"),
        [
            SqlValue::from(time.nanos()),
            SqlValue::from(i64::try_from(seq).unwrap_or(i64::MAX)),
            SqlValue::from(id.0.to_vec()),
        ],
    );
}
