//! Events of all entities by time.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};
use statetrail_event::{OrderKey, Time};

use super::directory::Conditions;
use super::entities::{find_number, read_name};
use super::failure::{Failure, read_text};
use super::trail::{EVENT_COLUMNS, EVENT_JOIN, Origins, read_event, sql_direction};
use crate::store::TallyCounter;
use crate::{KnownEvent, Order, Place, Tally, TimelineQuery};

/// Columns of [`EVENT_COLUMNS`], behind which the entity's name begins.
const NAME_COLUMN: usize = 10;

/// See [`EventStore::timeline`](crate::EventStore::timeline).
pub(super) fn timeline(
    connection: &Connection,
    query: &TimelineQuery,
) -> Result<Vec<KnownEvent>, Failure> {
    let conditions = conditions_of(connection, query)?;
    let direction = sql_direction(query.order);
    // The order of the joins is fixed, or a filter on entities might lead to reading all their
    // trails first.
    let sql = format!(
        "SELECT {EVENT_COLUMNS}, namespace, entity_type, entity_id
         FROM events INDEXED BY timeline
         CROSS JOIN entities ON entities.entity_no = events.entity_no {EVENT_JOIN} {}
         ORDER BY events.time {direction}, events.seq {direction}, events.id {direction},
             events.bucket {direction}, events.entity_no {direction}
         LIMIT {}",
        conditions.clause(),
        i64::try_from(query.limit).unwrap_or(i64::MAX),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(conditions.parameters))?;
    let mut origins = Origins::new(connection);
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_event(row, read_name(row, NAME_COLUMN)?, &mut origins)?);
    }
    Ok(found)
}

/// See [`EventStore::tally`](crate::EventStore::tally).
pub(super) fn tally(
    connection: &Connection,
    query: &TimelineQuery,
    step: i64,
    budget: u64,
) -> Result<Tally, Failure> {
    let query = TimelineQuery { after: None, ..query.clone() };
    let conditions = conditions_of(connection, &query)?;
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
    let mut counter = TallyCounter::new(step);
    while let Some(row) = rows.next()? {
        if counter.counted() == budget {
            return Ok(counter.finish(true));
        }
        let (entity_type, name) = (read_text(row, 1)?, read_text(row, 2)?);
        counter.add(Time::from_nanos(row.get(0)?), entity_type, name, 1);
    }
    Ok(counter.finish(false))
}

/// What the query asks of events, their entities and their lines.
fn conditions_of(connection: &Connection, query: &TimelineQuery) -> Result<Conditions, Failure> {
    let mut conditions = Conditions::default();
    conditions.add("events.time BETWEEN ? AND ?", [query.from.nanos(), query.to.nanos()]);
    if let Some(place) = &query.after {
        add_place(connection, &mut conditions, place, query.order)?;
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
    Ok(conditions)
}

/// Events with the same key lie in the same bucket, so that they are ordered by entity number.
fn add_place(
    connection: &Connection,
    conditions: &mut Conditions,
    place: &Place,
    order: Order,
) -> Result<(), Failure> {
    let OrderKey { time, seq, id } = place.key;
    let number = find_number(connection, &place.entity)?.unwrap_or(0);
    let comparison = match order {
        Order::OldestFirst => ">",
        Order::NewestFirst => "<",
    };
    conditions.add(
        &format!(
            "(events.time, events.seq, events.id, events.entity_no) {comparison} (?, ?, ?, ?)"
        ),
        [
            SqlValue::from(time.nanos()),
            SqlValue::from(i64::try_from(seq).unwrap_or(i64::MAX)),
            SqlValue::from(id.0.to_vec()),
            SqlValue::from(number),
        ],
    );
    Ok(())
}
