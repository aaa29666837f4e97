//! The rows of `entities`: the directory and the current state.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use statetrail_event::{EntityName, OrderKey, State, Time};

use super::failure::{Failure, read_blob};
use crate::codec::{KeyBytes, Unreadable, decode_key, decode_state, encode_key, encode_state};
use crate::{Entity, KnownEvent};

/// What the store knows of an entity.
#[derive(Debug)]
pub(super) struct EntityRow {
    pub(super) number: i64,
    /// The earliest and the latest time of its events.
    pub(super) first: Time,
    pub(super) last: Time,
    /// At or after every known-at of its events.
    pub(super) known_by: Time,
    pub(super) events: u64,
    /// Where the part of its trail begins that no snapshot covers: at the least key as long as
    /// there is no snapshot.
    pub(super) tail_start: OrderKey,
    /// Events in that part.
    pub(super) tail_events: u64,
    /// By all its events.
    pub(super) state: State,
}

impl EntityRow {
    /// An entity without any event.
    pub(super) fn new(number: i64) -> EntityRow {
        EntityRow {
            number,
            first: Time::MAX,
            last: Time::MIN,
            known_by: Time::MIN,
            events: 0,
            tail_start: OrderKey::MIN,
            tail_events: 0,
            state: State::new(),
        }
    }

    /// Takes in events that were not yet stored.
    pub(super) fn take_in(&mut self, new: &[&KnownEvent]) {
        for known in new {
            let event = &known.event;
            self.first = self.first.min(event.time);
            self.last = self.last.max(event.time);
            self.known_by = self.known_by.max(known.known_at);
            self.state.apply(event.key(), &event.changes);
        }
        self.events += new.len() as u64;
    }

    fn stored_tail_start(&self) -> Option<KeyBytes> {
        (self.tail_start > OrderKey::MIN).then(|| encode_key(self.tail_start))
    }

    pub(super) fn into_entity(self, name: EntityName) -> Entity {
        Entity {
            name,
            state: self.state,
            first: self.first,
            last: self.last,
            known_by: self.known_by,
        }
    }
}

/// The columns that [`read_row`] expects, in its order.
pub(super) const COLUMNS: &str =
    "entity_no, first_time, last_time, known_by, events, tail_start, tail_events, state";

/// Reads a row that begins with [`COLUMNS`].
pub(super) fn read_row(row: &Row<'_>) -> Result<EntityRow, Failure> {
    // Most trails are too short for a snapshot; NULL saves their rows the 32 bytes.
    let tail_start = row.get_ref(5)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    Ok(EntityRow {
        number: row.get(0)?,
        first: Time::from_nanos(row.get(1)?),
        last: Time::from_nanos(row.get(2)?),
        known_by: Time::from_nanos(row.get(3)?),
        events: row.get(4)?,
        tail_start: tail_start.map(decode_key).transpose()?.unwrap_or(OrderKey::MIN),
        tail_events: row.get(6)?,
        state: decode_state(read_blob(row, 7)?)?,
    })
}

/// The name in the columns `namespace, entity_type, entity_id` that begin at `column`.
pub(super) fn read_name(row: &Row<'_>, column: usize) -> Result<EntityName, Failure> {
    let part = |index: usize| -> Result<&str, Failure> {
        Ok(row.get_ref(column + index)?.as_str().map_err(rusqlite::Error::from)?)
    };
    EntityName::new(part(0)?, part(1)?, part(2)?)
        .map_err(|error| Unreadable(format!("the name of an entity: {error}")).into())
}

/// The row of the entity with that name.
pub(super) fn find(
    connection: &Connection,
    name: &EntityName,
) -> Result<Option<EntityRow>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT entity_no, first_time, last_time, known_by, events, tail_start, tail_events, state
         FROM entities WHERE namespace = ?1 AND entity_type = ?2 AND entity_id = ?3",
    )?;
    let mut rows = statement.query(params![name.namespace(), name.entity_type(), name.id()])?;
    rows.next()?.map(read_row).transpose()
}

/// The number of the entity with that name.
pub(super) fn find_number(
    connection: &Connection,
    name: &EntityName,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT entity_no FROM entities
             WHERE namespace = ?1 AND entity_type = ?2 AND entity_id = ?3",
        )?
        .query_row(params![name.namespace(), name.entity_type(), name.id()], |row| row.get(0))
        .optional()
}

/// Writes rows of entities.
pub(super) struct EntityWriter<'a> {
    insert: CachedStatement<'a>,
    update: CachedStatement<'a>,
    /// The encoded state of the row.
    state: Vec<u8>,
}

impl<'a> EntityWriter<'a> {
    pub(super) fn new(connection: &'a Connection) -> rusqlite::Result<EntityWriter<'a>> {
        Ok(EntityWriter {
            insert: connection.prepare_cached(
                "INSERT INTO entities (entity_no, first_time, last_time, known_by, events,
                     tail_start, tail_events, state, namespace, entity_type, entity_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?,
            update: connection.prepare_cached(
                "UPDATE entities SET first_time = ?2, last_time = ?3, known_by = ?4, events = ?5,
                     tail_start = ?6, tail_events = ?7, state = ?8
                 WHERE entity_no = ?1",
            )?,
            state: Vec::new(),
        })
    }

    /// Writes the row of a new entity.
    pub(super) fn insert(&mut self, name: &EntityName, row: &EntityRow) -> rusqlite::Result<()> {
        self.state.clear();
        encode_state(&row.state, &mut self.state);
        self.insert.execute(params![
            row.number,
            row.first.nanos(),
            row.last.nanos(),
            row.known_by.nanos(),
            row.events,
            row.stored_tail_start(),
            row.tail_events,
            self.state,
            name.namespace(),
            name.entity_type(),
            name.id(),
        ])?;
        Ok(())
    }

    /// Writes the row of an entity that is there.
    pub(super) fn update(&mut self, row: &EntityRow) -> rusqlite::Result<()> {
        self.state.clear();
        encode_state(&row.state, &mut self.state);
        self.update.execute(params![
            row.number,
            row.first.nanos(),
            row.last.nanos(),
            row.known_by.nanos(),
            row.events,
            row.stored_tail_start(),
            row.tail_events,
            self.state,
        ])?;
        Ok(())
    }
}
