//! A batch, arranged for writing before the writer's turn comes: nothing here needs the database.
//!
//! Everything that the rows will hold is laid out in the order in which it is written. Events
//! that lie where they were made are scattered over many megabytes, and to go and look for each
//! of them is what would take the writer longest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;
use statetrail_event::{EntityName, Event, OrderKey, SEQ_INDEX_BITS, Source, State, Time};

use super::failure::Failure;
use crate::KnownEvent;
use crate::codec::{encode_changes, encode_state};
use crate::range::check_range;

/// Bytes that the changes of most events take; what takes more costs a longer copy.
const USUAL_CHANGES_BYTES: usize = 64;
/// Bytes that the name of an event and its line take together, mostly.
const USUAL_TEXT_BYTES: usize = 200;

/// The events of a batch by entity.
pub(super) struct Batch<'a> {
    /// The entities in the order of their first sight in the batch.
    pub(super) entities: Vec<EntityEvents>,
    pub(super) content: Content<'a>,
}

/// The events with what they hold.
pub(super) struct Content<'a> {
    /// Grouped by entity, in the order of their keys; of copies, the one that was known first
    /// comes first.
    events: Vec<Incoming<'a>>,
    /// In the order in which the first event of each is written.
    pub(super) lines: Vec<Line>,
    /// By the number that [`Line::origin`] gives.
    pub(super) origins: Vec<Origin<'a>>,
    /// All changes, encoded.
    changes: Vec<u8>,
    /// All states, encoded.
    states: Vec<u8>,
    /// All names of events and all lines.
    texts: String,
}

/// An entity of the batch.
pub(super) struct EntityEvents {
    pub(super) name: EntityName,
    events: Range<usize>,
    /// The fold of its events in this batch.
    state: Range<usize>,
}

/// An event of the batch.
pub(super) struct Incoming<'a> {
    pub(super) key: OrderKey,
    pub(super) known_at: Time,
    /// Where its line is in [`Content::lines`].
    pub(super) line: usize,
    name: Range<usize>,
    changes: Range<usize>,
    /// The event as it came, for what is seldom needed.
    pub(super) known: &'a KnownEvent,
}

/// A line of the batch.
pub(super) struct Line {
    /// Number of its origin in the batch.
    pub(super) origin: usize,
    pub(super) offset: Option<u64>,
    text: Option<Range<usize>>,
}

/// What many lines share.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) source: &'a Arc<Source>,
    pub(super) rule: Option<&'a Arc<str>>,
}

/// An event's place while the batch is being put in order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ordinal {
    entity: usize,
    key: OrderKey,
    known_at: Time,
    arrival: usize,
    line: usize,
}

impl<'a> Batch<'a> {
    /// Arranges the events.
    pub(super) fn arrange(batch: &'a [KnownEvent]) -> Result<Batch<'a>, Failure> {
        let (mut entities, ordinals, line_count) = put_in_order(batch)?;
        let mut content = Content {
            events: Vec::with_capacity(batch.len()),
            lines: Vec::with_capacity(line_count),
            origins: Vec::new(),
            changes: Vec::with_capacity(batch.len() * USUAL_CHANGES_BYTES),
            states: Vec::with_capacity(batch.len() * USUAL_CHANGES_BYTES),
            texts: String::with_capacity(batch.len() * USUAL_TEXT_BYTES),
        };
        let mut layout = Layout {
            content: &mut content,
            origin_numbers: HashMap::default(),
            line_numbers: vec![None; line_count],
        };
        for of_entity in ordinals.chunk_by(|a, b| a.entity == b.entity) {
            let mut state = State::new();
            let first = layout.content.events.len();
            for ordinal in of_entity {
                let known = &batch[ordinal.arrival];
                layout.add(known, ordinal.line);
                state.apply(ordinal.key, &known.event.changes);
            }
            if let Some(entity) = entities.get_mut(of_entity[0].entity) {
                entity.events = first..layout.content.events.len();
                entity.state.start = layout.content.states.len();
                encode_state(&state, &mut layout.content.states);
                entity.state.end = layout.content.states.len();
            }
        }
        Ok(Batch { entities, content })
    }
}

/// Finds the entities and lines of the batch, and the order in which events are written.
fn put_in_order(batch: &[KnownEvent]) -> Result<(Vec<EntityEvents>, Vec<Ordinal>, usize), Failure> {
    let mut entities = Vec::new();
    let mut entity_indexes = HashMap::with_hasher(RandomState::default());
    let mut ordinals = Vec::with_capacity(batch.len());
    let mut line_count = 0;
    let mut last: Option<&Event> = None;
    for (arrival, known) in batch.iter().enumerate() {
        let event = &known.event;
        check_range(event).map_err(Failure::Event)?;
        let entity = match entity_indexes.entry(&event.entity) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let name = event.entity.clone();
                entities.push(EntityEvents { name, events: 0..0, state: 0..0 });
                *entry.insert(entities.len() - 1)
            }
        };
        if !last.is_some_and(|last| is_same_line(last, event)) {
            line_count += 1;
        }
        last = Some(event);
        let (key, known_at, line) = (event.key(), known.known_at, line_count - 1);
        ordinals.push(Ordinal { entity, key, known_at, arrival, line });
    }
    ordinals.sort_unstable();
    Ok((entities, ordinals, line_count))
}

/// Lays out events in the order in which they are added.
struct Layout<'a, 'c> {
    content: &'c mut Content<'a>,
    /// By the places of source and rule in memory, which lines of one origin share.
    origin_numbers: HashMap<(usize, usize), usize, RandomState>,
    /// The numbers of the lines that have their place, by their numbers in the order of arrival.
    line_numbers: Vec<Option<usize>>,
}

impl<'a> Layout<'a, '_> {
    fn add(&mut self, known: &'a KnownEvent, line: usize) {
        let event = &known.event;
        let line = match self.line_numbers[line] {
            Some(number) => number,
            None => {
                let number = self.add_line(event);
                self.line_numbers[line] = Some(number);
                number
            }
        };
        let name = self.content.add_text(&event.name);
        let changes_start = self.content.changes.len();
        encode_changes(&event.changes, &mut self.content.changes);
        self.content.events.push(Incoming {
            key: event.key(),
            known_at: known.known_at,
            line,
            name,
            changes: changes_start..self.content.changes.len(),
            known,
        });
    }

    fn add_line(&mut self, event: &'a Event) -> usize {
        let origin = self.origin(event);
        let text = event.line.as_ref().map(|text| self.content.add_text(text));
        self.content.lines.push(Line { origin, offset: event.offset, text });
        self.content.lines.len() - 1
    }

    fn origin(&mut self, event: &'a Event) -> usize {
        let rule_place = |rule: &Arc<str>| Arc::as_ptr(rule).cast::<()>().addr();
        let place = (
            Arc::as_ptr(&event.source).addr(),
            event.rule.as_ref().map(rule_place).unwrap_or_default(),
        );
        *self.origin_numbers.entry(place).or_insert_with(|| {
            self.content.origins.push(Origin { source: &event.source, rule: event.rule.as_ref() });
            self.content.origins.len() - 1
        })
    }
}

impl<'a> Content<'a> {
    fn add_text(&mut self, text: &str) -> Range<usize> {
        let start = self.texts.len();
        self.texts.push_str(text);
        start..self.texts.len()
    }

    /// The number of events.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The events of an entity of this batch.
    pub(super) fn events_of(&self, entity: &EntityEvents) -> &[Incoming<'a>] {
        &self.events[entity.events.clone()]
    }

    /// The encoded fold of the events of an entity of this batch.
    pub(super) fn state_of(&self, entity: &EntityEvents) -> &[u8] {
        &self.states[entity.state.clone()]
    }

    /// The encoded changes of an event of this batch.
    pub(super) fn changes_of(&self, incoming: &Incoming<'a>) -> &[u8] {
        &self.changes[incoming.changes.clone()]
    }

    /// The name of an event of this batch.
    pub(super) fn name_of(&self, incoming: &Incoming<'a>) -> &str {
        &self.texts[incoming.name.clone()]
    }

    /// The text of a line of this batch.
    pub(super) fn text_of(&self, line: &Line) -> Option<&str> {
        line.text.clone().map(|range| &self.texts[range])
    }
}

/// Whether both belong to one row of `lines`: it would hold the same for both, and the events of a
/// row are found by its moment and its place there.
fn is_same_line(a: &Event, b: &Event) -> bool {
    let is_same_place = a.time == b.time && a.seq >> SEQ_INDEX_BITS == b.seq >> SEQ_INDEX_BITS;
    is_same_place
        && a.offset == b.offset
        && a.line == b.line
        && a.rule == b.rule
        && a.source == b.source
}
