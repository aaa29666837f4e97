//! A store that is too simple to be wrong: it keeps every event in memory, answers each question
//! by looking at all of them, and takes no shortcut.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use statetrail_event::{EntityName, OrderKey, State, Time};

use crate::{
    Appended, ArrivalCursor, Arrivals, Arrived, Counts, Entity, EntityFilter, EventStore,
    KnownEvent, NamePart, Order, StoreError, TimelineQuery, TrailQuery,
};

type Trail = BTreeMap<OrderKey, KnownEvent>;

/// The model that stores are compared with. Events with equal keys come in the order of their
/// entities' names.
#[derive(Default)]
pub struct Model {
    trails: Mutex<BTreeMap<EntityName, Trail>>,
    arrived: Mutex<Vec<(EntityName, OrderKey)>>,
}

impl Model {
    fn trails(&self) -> MutexGuard<'_, BTreeMap<EntityName, Trail>> {
        self.trails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrived(&self) -> MutexGuard<'_, Vec<(EntityName, OrderKey)>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fold<'a>(events: impl Iterator<Item = &'a KnownEvent>) -> Option<State> {
    let mut state = None;
    for KnownEvent { event, .. } in events {
        state.get_or_insert_with(State::new).apply(event.key(), &event.changes);
    }
    state
}

fn passes(filter: &EntityFilter, name: &EntityName) -> bool {
    filter.namespace.as_ref().is_none_or(|namespace| namespace == name.namespace())
        && filter.entity_type.as_ref().is_none_or(|wanted| wanted == name.entity_type())
        && filter.id_prefix.as_ref().is_none_or(|prefix| name.id().starts_with(prefix.as_str()))
}

fn ordered<T>(items: impl DoubleEndedIterator<Item = T>, order: Order, limit: usize) -> Vec<T> {
    match order {
        Order::OldestFirst => items.take(limit).collect(),
        Order::NewestFirst => items.rev().take(limit).collect(),
    }
}

fn cursor(arrived: usize) -> ArrivalCursor {
    ArrivalCursor::of(format!("m{arrived}"))
}

fn is_inside(key: OrderKey, from: Bound<OrderKey>, to: Bound<OrderKey>) -> bool {
    use std::ops::RangeBounds;
    (from, to).contains(&key)
}

#[async_trait]
impl EventStore for Model {
    async fn append(&self, batch: &[KnownEvent]) -> Result<Appended, StoreError> {
        let mut trails = self.trails();
        let mut appended = Appended::default();
        for known in batch {
            let trail = trails.entry(known.event.entity.clone()).or_default();
            match trail.get_mut(&known.event.key()) {
                Some(stored) => {
                    stored.known_at = stored.known_at.min(known.known_at);
                    appended.repeated += 1;
                }
                None => {
                    trail.insert(known.event.key(), known.clone());
                    self.arrived().push((known.event.entity.clone(), known.event.key()));
                    appended.new += 1;
                }
            }
        }
        Ok(appended)
    }

    async fn entity(&self, name: &EntityName) -> Result<Option<Entity>, StoreError> {
        let trails = self.trails();
        let Some(trail) = trails.get(name) else { return Ok(None) };
        let times = || trail.keys().map(|key| key.time);
        Ok(Some(Entity {
            name: name.clone(),
            state: fold(trail.values()).unwrap_or_default(),
            first: times().min().unwrap_or(Time::MAX),
            last: times().max().unwrap_or(Time::MIN),
            known_by: trail.values().map(|known| known.known_at).max().unwrap_or(Time::MIN),
        }))
    }

    async fn entities(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
    ) -> Result<Vec<Entity>, StoreError> {
        let names: Vec<EntityName> = self.trails().keys().cloned().collect();
        let mut found = Vec::new();
        for name in names {
            if passes(filter, &name) && after.is_none_or(|after| name > *after) {
                found.extend(self.entity(&name).await?);
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn names(
        &self,
        part: &NamePart<'_>,
        namespaces: Option<&BTreeSet<String>>,
        limit: usize,
    ) -> Result<Vec<EntityName>, StoreError> {
        let fits = |name: &&EntityName| match *part {
            NamePart::Id(id) => name.id() == id,
            NamePart::Subject { entity_type, id } => {
                name.entity_type() == entity_type && name.id() == id
            }
            NamePart::IdPrefix(prefix) => name.id().starts_with(prefix),
            NamePart::Anywhere(text) => name.as_str().contains(text),
        };
        let is_wanted = |name: &&EntityName| {
            namespaces.is_none_or(|namespaces| namespaces.contains(name.namespace()))
        };
        Ok(self.trails().keys().filter(is_wanted).filter(fits).take(limit).cloned().collect())
    }

    async fn trail(
        &self,
        name: &EntityName,
        query: &TrailQuery,
    ) -> Result<Vec<KnownEvent>, StoreError> {
        let trails = self.trails();
        let Some(trail) = trails.get(name) else { return Ok(Vec::new()) };
        let wanted = trail.values().filter(|known| {
            is_inside(known.event.key(), query.from, query.to)
                && query.as_known_at.is_none_or(|moment| known.known_at <= moment)
        });
        Ok(ordered(wanted.cloned(), query.order, query.limit))
    }

    async fn state_at(
        &self,
        name: &EntityName,
        at: OrderKey,
        as_known_at: Option<Time>,
    ) -> Result<Option<State>, StoreError> {
        let query = TrailQuery { to: Bound::Included(at), as_known_at, ..TrailQuery::default() };
        Ok(fold(self.trail(name, &query).await?.iter()))
    }

    async fn timeline(&self, query: &TimelineQuery) -> Result<Vec<KnownEvent>, StoreError> {
        let trails = self.trails();
        let mut events: Vec<&KnownEvent> =
            trails.values().flat_map(|trail| trail.values()).collect();
        let place = |known: &KnownEvent| (known.event.key(), known.event.entity.clone());
        events.sort_by_key(|known| place(known));
        let is_after = |known: &KnownEvent| match (&query.after, query.order) {
            (None, _) => true,
            (Some(after), Order::OldestFirst) => place(known) > (after.key, after.entity.clone()),
            (Some(after), Order::NewestFirst) => place(known) < (after.key, after.entity.clone()),
        };
        let wanted = events.into_iter().filter(|known| {
            let event = &known.event;
            (query.from..=query.to).contains(&event.time)
                && passes(&query.entities, &event.entity)
                && query.name.as_ref().is_none_or(|name| *name == event.name)
                && query.text.as_ref().is_none_or(|text| {
                    event.line.as_ref().is_some_and(|line| line.contains(text.as_str()))
                })
                && query.as_known_at.is_none_or(|moment| known.known_at <= moment)
                && is_after(known)
        });
        Ok(ordered(wanted.cloned(), query.order, query.limit))
    }

    async fn arrivals_end(&self) -> Result<ArrivalCursor, StoreError> {
        Ok(cursor(self.arrived().len()))
    }

    async fn arrivals(&self, after: &ArrivalCursor, limit: usize) -> Result<Arrivals, StoreError> {
        let (trails, arrived) = (self.trails(), self.arrived());
        let number = after.as_str().strip_prefix('m').and_then(|number| number.parse().ok());
        let Some(begin) = number.filter(|number| *number <= arrived.len()) else {
            let (place, reason) = ("model".to_owned(), "nobody gave it".to_owned());
            return Err(StoreError::OtherCursor { place, cursor: after.to_string(), reason });
        };
        let places = arrived.iter().enumerate().skip(begin).take(limit);
        let event = |(index, (entity, key)): (usize, &(EntityName, OrderKey))| {
            let known = trails.get(entity)?.get(key)?.clone();
            Some(Arrived { known, cursor: cursor(index + 1) })
        };
        let events: Vec<Arrived> = places.filter_map(event).collect();
        let next = events.last().map_or_else(|| after.clone(), |last| last.cursor.clone());
        Ok(Arrivals { events, next })
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let trails = self.trails();
        let events = trails.values().map(|trail| trail.len() as u64).sum();
        Ok(Counts { entities: trails.len() as u64, events })
    }
}
