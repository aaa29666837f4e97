//! A batch, arranged for writing before the writer's turn comes: nothing here needs the database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use foldhash::fast::RandomState;
use statetrail_event::{EntityName, Event};

use super::failure::Failure;
use crate::KnownEvent;
use crate::codec::encode_changes;
use crate::range::check_range;

/// Bytes that the changes of most events take; what takes more costs a longer copy.
const USUAL_CHANGES_BYTES: usize = 64;

/// The events of a batch by entity.
pub(super) struct Batch<'a> {
    /// The entities in the order of their first sight in the batch.
    pub(super) entities: Vec<EntityEvents<'a>>,
    /// Grouped by entity, in the order of their keys; of copies, the one that was known first
    /// comes first.
    events: Vec<Incoming<'a>>,
    /// All changes, encoded.
    changes: Vec<u8>,
    /// The lines behind the events are numbered from 0 to this, exclusive.
    pub(super) line_count: usize,
}

/// An entity of the batch.
pub(super) struct EntityEvents<'a> {
    pub(super) name: &'a EntityName,
    events: Range<usize>,
}

/// An event of the batch.
pub(super) struct Incoming<'a> {
    pub(super) known: &'a KnownEvent,
    /// Number of its line in the batch.
    pub(super) line: usize,
    entity: usize,
    changes: Range<usize>,
}

impl<'a> Batch<'a> {
    /// Arranges the events.
    pub(super) fn arrange(batch: &'a [KnownEvent]) -> Result<Batch<'a>, Failure> {
        let mut arranged = Batch {
            entities: Vec::new(),
            events: Vec::with_capacity(batch.len()),
            changes: Vec::with_capacity(batch.len() * USUAL_CHANGES_BYTES),
            line_count: 0,
        };
        let mut entity_indexes = HashMap::with_hasher(RandomState::default());
        for known in batch {
            check_range(&known.event).map_err(Failure::Event)?;
            let entity = match entity_indexes.entry(&known.event.entity) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    let name = *entry.key();
                    arranged.entities.push(EntityEvents { name, events: 0..0 });
                    *entry.insert(arranged.entities.len() - 1)
                }
            };
            arranged.entities[entity].events.end += 1;
            arranged.add(known, entity);
        }
        arranged.group();
        Ok(arranged)
    }

    fn add(&mut self, known: &'a KnownEvent, entity: usize) {
        let last = self.events.last().map(|last| &last.known.event);
        if !last.is_some_and(|last| is_same_line(last, &known.event)) {
            self.line_count += 1;
        }
        let start = self.changes.len();
        encode_changes(&known.event.changes, &mut self.changes);
        let changes = start..self.changes.len();
        self.events.push(Incoming { known, line: self.line_count - 1, entity, changes });
    }

    /// Sorts the events, and turns the number of an entity's events into their range.
    fn group(&mut self) {
        self.events.sort_by_cached_key(|incoming| {
            (incoming.entity, incoming.known.event.key(), incoming.known.known_at)
        });
        let mut start = 0;
        for entity in &mut self.entities {
            let end = start + entity.events.end;
            entity.events = start..end;
            start = end;
        }
    }

    /// The number of events.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The events of an entity of this batch.
    pub(super) fn events_of(&self, entity: &EntityEvents<'a>) -> &[Incoming<'a>] {
        &self.events[entity.events.clone()]
    }

    /// The encoded changes of an event of this batch.
    pub(super) fn changes_of(&self, incoming: &Incoming<'a>) -> &[u8] {
        &self.changes[incoming.changes.clone()]
    }
}

/// Whether both rows of `lines` would be equal.
fn is_same_line(a: &Event, b: &Event) -> bool {
    a.offset == b.offset && a.line == b.line && a.rule == b.rule && a.source == b.source
}
