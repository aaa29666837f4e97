//! A batch, arranged for writing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;
use rusqlite::Connection;
use statetrail_event::{EntityName, Event};

use super::entities::{self, EntityRow};
use super::failure::Failure;
use crate::KnownEvent;

/// The events of a batch in the order of writing, and the entities that they touch.
pub(super) struct Batch<'a> {
    pub(super) entities: Vec<TouchedEntity<'a>>,
    /// Ordered by entity number, then by key, then by known-at: rows are written in the order
    /// of the tree, so that each page is visited once, and of several copies the one that was
    /// known first comes first.
    pub(super) events: Vec<Incoming<'a>>,
    /// The lines behind the events are numbered from 0 to this, exclusive.
    pub(super) line_count: usize,
}

/// An entity with events in the batch.
pub(super) struct TouchedEntity<'a> {
    pub(super) name: &'a EntityName,
    pub(super) row: EntityRow,
    stored_before: bool,
}

/// An event of the batch.
pub(super) struct Incoming<'a> {
    /// Index of its entity in the batch.
    pub(super) entity: usize,
    /// Number of its line in the batch.
    pub(super) line: usize,
    pub(super) known: &'a KnownEvent,
}

impl<'a> Batch<'a> {
    /// Finds the entities' rows and arranges the events.
    pub(super) fn read(
        connection: &Connection,
        batch: &'a [KnownEvent],
    ) -> Result<Batch<'a>, Failure> {
        let mut entities = Vec::new();
        let mut index_of = HashMap::with_hasher(RandomState::default());
        let mut events: Vec<Incoming<'a>> = Vec::with_capacity(batch.len());
        let mut line_count = 0;
        let mut numbers = FreeNumbers::after_last(connection)?;
        for known in batch {
            let event = &known.event;
            let entity = match index_of.entry(&event.entity) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    entities.push(TouchedEntity::read(connection, &event.entity, &mut numbers)?);
                    *entry.insert(entities.len() - 1)
                }
            };
            if !events.last().is_some_and(|last| is_same_line(&last.known.event, event)) {
                line_count += 1;
            }
            events.push(Incoming { entity, line: line_count - 1, known });
        }
        events.sort_by_cached_key(|incoming| {
            let known = incoming.known;
            (entities[incoming.entity].row.number, known.event.key(), known.known_at)
        });
        Ok(Batch { entities, events, line_count })
    }
}

/// Whether both rows of `lines` would be equal.
fn is_same_line(a: &Event, b: &Event) -> bool {
    a.offset == b.offset && a.line == b.line && a.rule == b.rule && a.source == b.source
}

impl<'a> TouchedEntity<'a> {
    fn read(
        connection: &Connection,
        name: &'a EntityName,
        numbers: &mut FreeNumbers,
    ) -> Result<TouchedEntity<'a>, Failure> {
        Ok(match entities::find(connection, name)? {
            Some(row) => TouchedEntity { name, row, stored_before: true },
            None => {
                let row = EntityRow::new(numbers.take());
                TouchedEntity { name, row, stored_before: false }
            }
        })
    }

    /// Writes its row.
    pub(super) fn write(
        &self,
        connection: &Connection,
        scratch: &mut Vec<u8>,
    ) -> rusqlite::Result<()> {
        if self.stored_before {
            entities::update(connection, &self.row, scratch)
        } else {
            entities::insert(connection, self.name, &self.row, scratch)
        }
    }
}

/// Numbers for new entities.
struct FreeNumbers {
    next: i64,
}

impl FreeNumbers {
    fn after_last(connection: &Connection) -> rusqlite::Result<FreeNumbers> {
        let sql = "SELECT coalesce(max(entity_no), 0) + 1 FROM entities";
        Ok(FreeNumbers { next: connection.query_row(sql, [], |row| row.get(0))? })
    }

    fn take(&mut self) -> i64 {
        let number = self.next;
        self.next += 1;
        number
    }
}
