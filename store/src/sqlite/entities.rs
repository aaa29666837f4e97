//! The rows of `entities`: the directory and the current state.

use rusqlite::{CachedStatement, Connection, Row, params};
use statetrail_event::{EntityName, OrderKey, State, Time};

use super::batch::Incoming;
use super::failure::{Failure, read_blob};
use crate::Entity;
use crate::codec::{
    KeyBytes, Unreadable, decode_key, decode_state, encode_key, merge_encoded_states,
};

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
    /// By all its events, encoded: most rows are read and written as they are.
    pub(super) state: Vec<u8>,
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
            state: Vec::new(),
        }
    }

    /// Takes in events that were not yet stored. `state` is their encoded fold; events that were
    /// stored may be in it.
    pub(super) fn take_in(
        &mut self,
        new: &[&Incoming<'_>],
        state: &[u8],
    ) -> Result<(), Unreadable> {
        for incoming in new {
            self.first = self.first.min(incoming.key.time);
            self.last = self.last.max(incoming.key.time);
            self.known_by = self.known_by.max(incoming.known_at);
        }
        self.events += new.len() as u64;
        self.state = if self.state.is_empty() {
            state.to_vec()
        } else {
            merge_encoded_states(&self.state, state)?
        };
        Ok(())
    }

    fn stored_tail_start(&self) -> Option<KeyBytes> {
        (self.tail_start > OrderKey::MIN).then(|| encode_key(self.tail_start))
    }

    /// Its state.
    pub(super) fn decoded_state(&self) -> Result<State, Unreadable> {
        decode_state(&self.state)
    }
}

/// The columns that [`read_entity`] expects, in its order.
pub(super) const ENTITY_COLUMNS: &str =
    "namespace, entity_type, entity_id, first_time, last_time, known_by, state";

/// Reads a row that begins with [`ENTITY_COLUMNS`].
pub(super) fn read_entity(row: &Row<'_>) -> Result<Entity, Failure> {
    Ok(Entity {
        name: read_name(row, 0)?,
        state: decode_state(read_blob(row, 6)?)?,
        first: Time::from_nanos(row.get(3)?),
        last: Time::from_nanos(row.get(4)?),
        known_by: Time::from_nanos(row.get(5)?),
    })
}

fn read_row(row: &Row<'_>) -> Result<EntityRow, Failure> {
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
        state: read_blob(row, 7)?.to_vec(),
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

/// What is known of the entity with that name.
pub(super) fn find_entity(
    connection: &Connection,
    name: &EntityName,
) -> Result<Option<Entity>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTITY_COLUMNS} FROM entities
         WHERE namespace = ?1 AND entity_type = ?2 AND entity_id = ?3"
    ))?;
    let mut rows = statement.query(params![name.namespace(), name.entity_type(), name.id()])?;
    rows.next()?.map(read_entity).transpose()
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

/// Writes rows of entities.
pub(super) struct EntityWriter<'a> {
    insert: CachedStatement<'a>,
    update: CachedStatement<'a>,
}

impl<'a> EntityWriter<'a> {
    pub(super) fn new(connection: &'a Connection) -> rusqlite::Result<EntityWriter<'a>> {
        Ok(EntityWriter {
            insert: connection.prepare_cached(
                "INSERT INTO entities (entity_no, first_time, last_time, known_by, events,
                     tail_start, tail_events, state, namespace, entity_type, entity_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
            )?,
            update: connection.prepare_cached(
                "UPDATE entities SET first_time = ?2, last_time = ?3, known_by = ?4, events = ?5,
                     tail_start = ?6, tail_events = ?7, state = ?8
                 WHERE entity_no = ?1",
            )?,
        })
    }

    /// Writes the row of an entity, unless there is one with its name. Returns whether it did.
    pub(super) fn insert(&mut self, name: &EntityName, row: &EntityRow) -> rusqlite::Result<bool> {
        let inserted = self.insert.execute(params![
            row.number,
            row.first.nanos(),
            row.last.nanos(),
            row.known_by.nanos(),
            row.events,
            row.stored_tail_start(),
            row.tail_events,
            row.state,
            name.namespace(),
            name.entity_type(),
            name.id(),
        ])?;
        Ok(inserted > 0)
    }

    /// Writes the row of an entity that is there.
    pub(super) fn update(&mut self, row: &EntityRow) -> rusqlite::Result<()> {
        self.update.execute(params![
            row.number,
            row.first.nanos(),
            row.last.nanos(),
            row.known_by.nanos(),
            row.events,
            row.stored_tail_start(),
            row.tail_events,
            row.state,
        ])?;
        Ok(())
    }
}
