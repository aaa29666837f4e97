//! Everything that a store answers, read back and compared.

use std::fmt::Debug;

use statetrail_event::{OrderKey, State, Time};
use statetrail_store::{
    Counts, Entity, EntityFilter, EventStore, KnownEvent, Place, StoreError, TimelineQuery,
    TrailQuery,
};

use super::{Produced, Store};

/// Entities and events that are read at once.
const PAGE: usize = 500;

/// Every row of a store by every way that leads to it.
#[derive(PartialEq)]
pub(crate) struct Contents {
    pub(crate) counts: Counts,
    /// With their current states.
    pub(crate) entities: Vec<Entity>,
    /// Of each entity.
    pub(crate) trails: Vec<Vec<KnownEvent>>,
    pub(crate) timeline: Vec<KnownEvent>,
    /// The answers to [`Contents::questions`].
    pub(crate) states: Vec<Option<State>>,
}

impl Contents {
    /// Reads all of a store.
    pub(crate) fn of(store: &Store) -> Contents {
        store.read_at_last(read)
    }

    /// For states at a moment: the trail, the moment, and what was known when.
    pub(crate) fn questions(trails: &[Vec<KnownEvent>]) -> Vec<(usize, OrderKey, Option<Time>)> {
        let of_one = |(number, trail): (usize, &Vec<KnownEvent>)| {
            let [early, late] = [trail.len() / 3, trail.len() * 2 / 3];
            let (at, then) = (trail[late].event.key(), trail[early].known_at);
            [(number, trail[early].event.key(), None), (number, at, None), (number, at, Some(then))]
        };
        trails.iter().enumerate().flat_map(of_one).collect()
    }

    /// Fails unless both are the same, with the first difference.
    #[track_caller]
    pub(crate) fn assert_is(&self, expected: &Contents) {
        assert_same("trails", &flat(&self.trails), &flat(&expected.trails));
        assert_same("timeline", &self.timeline, &expected.timeline);
        assert_same("entities", &bounded(&self.entities, &expected.entities), &expected.entities);
        assert_same("states", &self.states, &expected.states);
        assert_eq!(self.counts, expected.counts);
    }
}

/// Compares everything in the store with what was produced.
#[track_caller]
pub(crate) fn assert_contents(store: &Store, produced: &Produced) {
    Contents::of(store).assert_is(&produced.contents());
}

/// The entities found, with the exact moment by which all was known where they tell a later one:
/// a store need not know it.
fn bounded(found: &[Entity], expected: &[Entity]) -> Vec<Entity> {
    let mut found = found.to_vec();
    for (found, expected) in found.iter_mut().zip(expected) {
        if found.known_by > expected.known_by {
            found.known_by = expected.known_by;
        }
    }
    found
}

fn flat(trails: &[Vec<KnownEvent>]) -> Vec<&KnownEvent> {
    trails.iter().flatten().collect()
}

#[track_caller]
fn assert_same<T: PartialEq + Debug>(what: &str, found: &[T], expected: &[T]) {
    let (are, should_be) = (found.len(), expected.len());
    if let Some(at) = (0..are.max(should_be)).find(|&at| found.get(at) != expected.get(at)) {
        let (found, expected) = (found.get(at), expected.get(at));
        panic!("{what}: {are} instead of {should_be}, at {at}: {found:?} instead of {expected:?}");
    }
}

async fn read(store: &dyn EventStore) -> Result<Contents, StoreError> {
    let mut entities: Vec<Entity> = Vec::new();
    loop {
        let after = entities.last().map(|entity| entity.name.clone());
        let page = store.entities(&EntityFilter::default(), after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        entities.extend(page);
        if is_last {
            break;
        }
    }
    let mut trails = Vec::new();
    for entity in &entities {
        trails.push(store.trail(&entity.name, &TrailQuery::default()).await?);
    }
    let mut timeline: Vec<KnownEvent> = Vec::new();
    loop {
        let after = timeline.last().map(|known| Place::of(&known.event));
        let query = TimelineQuery { after, limit: PAGE * 10, ..TimelineQuery::default() };
        let page = store.timeline(&query).await?;
        let is_last = page.len() < query.limit;
        timeline.extend(page);
        if is_last {
            break;
        }
    }
    let mut states = Vec::new();
    // An entity without a trail is a difference that is told.
    let with_trail = trails.iter().all(|trail| !trail.is_empty());
    for (trail, at, as_known_at) in
        with_trail.then(|| Contents::questions(&trails)).into_iter().flatten()
    {
        states.push(store.state_at(&entities[trail].name, at, as_known_at).await?);
    }
    let counts = store.counts().await?;
    Ok(Contents { counts, entities, trails, timeline, states })
}
