//! Entities by their state, now or at any moment.
//!
//! A store may find entities by a value of their current state. That helps with a question about
//! a moment after which little has happened, mostly the present: those that the store finds are
//! candidates, and so are the few to which something happened afterwards. Each candidate's state
//! at the moment decides.

use std::collections::{BTreeMap, BTreeSet};

use statetrail_event::{EntityName, OrderKey, State, Time};
use statetrail_store::{Entity, EntityFilter, EntityView, EventStore, TimelineQuery};

use crate::{Condition, Moment, PAGE, QueryError};

/// With more events than these after the moment, every entity is looked at.
const LATER_EVENTS_MAX: usize = 200;

/// An entity that was looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its name.
    pub name: EntityName,
    /// Its state at the moment of the question.
    pub state: State,
    /// The time of its first event, whenever that became known.
    pub first: Time,
    /// The time of its last event, even if that is after the moment of the question.
    pub last: Time,
}

/// Looks for entities page by page, in the order of their names. Without conditions it lists
/// every entity that something had happened to at the moment.
pub struct Find<'a> {
    store: &'a dyn EventStore,
    filter: EntityFilter,
    conditions: Vec<Condition>,
    moment: Moment,
    page: usize,
    after: Option<EntityName>,
    finished: bool,
    /// Field and text by which the store may know the candidates.
    look_up: Option<(String, String)>,
}

/// Entities that may be among those that are looked for, in the order of their names.
struct Candidates {
    entities: Vec<Entity>,
    /// The last one of this page, unless there is no other page.
    go_on_after: Option<EntityName>,
}

impl<'a> Find<'a> {
    /// The entities that pass the filter and fulfil all conditions at the moment.
    pub fn new(
        store: &'a dyn EventStore,
        filter: EntityFilter,
        conditions: Vec<Condition>,
        moment: Moment,
    ) -> Find<'a> {
        let exact = match moment.as_known_at {
            None => conditions.iter().find_map(Condition::exact),
            // By what was known then, any state may have been another one.
            Some(_) => None,
        };
        let look_up = exact.map(|(field, text)| (field.to_owned(), text.to_owned()));
        let (page, after, finished) = (PAGE, None, false);
        Find { store, filter, conditions, moment, page, after, finished, look_up }
    }

    /// The same search in pages of at most that many entities, 1 at least.
    pub fn with_page(mut self, entities: usize) -> Find<'a> {
        self.page = entities.max(1);
        self
    }

    /// The same search behind that entity of an earlier page.
    pub fn after(mut self, name: EntityName) -> Find<'a> {
        self.after = Some(name);
        self
    }

    /// The next entities, or `None` at the end. A page has at least one, whatever its length.
    ///
    /// # Errors
    /// When the store does not answer; the same page may be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Found>>, QueryError> {
        while !self.finished {
            let candidates = self.candidates().await?;
            let mut found = Vec::new();
            for entity in candidates.entities {
                found.extend(self.judge(entity).await?);
            }
            self.finished = candidates.go_on_after.is_none();
            self.after = candidates.go_on_after;
            if !found.is_empty() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The next page of candidates.
    async fn candidates(&mut self) -> Result<Candidates, QueryError> {
        if let Some((field, text)) = &self.look_up {
            match self.looked_up(field, text).await? {
                Some(candidates) => return Ok(candidates),
                None => self.look_up = None,
            }
        }
        let after = self.after.as_ref();
        let may_be = |entity: &EntityView<'_>| self.may_be_found(entity);
        let found = self.store.entities_passing(&self.filter, after, self.page, &may_be).await?;
        Ok(self.page_of(found))
    }

    fn page_of(&self, entities: Vec<Entity>) -> Candidates {
        let last = entities.last().filter(|_| entities.len() >= self.page);
        Candidates { go_on_after: last.map(|entity| entity.name.clone()), entities }
    }

    /// The same by the current states, or `None` if the store does not know them by this value or
    /// too much has happened since the moment.
    async fn looked_up(&self, field: &str, text: &str) -> Result<Option<Candidates>, QueryError> {
        let (filter, after) = (&self.filter, self.after.as_ref());
        let found = self.store.entities_with(field, text, filter, after, self.page).await?;
        let Some(found) = found else { return Ok(None) };
        // After the look-up: what comes in meanwhile is seen here.
        let Some(later) = self.changed_later().await? else { return Ok(None) };
        let Candidates { entities, go_on_after } = self.page_of(found);
        let mut by_name: BTreeMap<EntityName, Entity> =
            entities.into_iter().map(|entity| (entity.name.clone(), entity)).collect();
        let of_this_page = |name: &&EntityName| {
            after.is_none_or(|after| *name > after)
                && go_on_after.as_ref().is_none_or(|last| *name <= last)
        };
        for name in later.iter().filter(of_this_page) {
            if let Some(entity) = self.store.entity(name).await? {
                by_name.insert(name.clone(), entity);
            }
        }
        Ok(Some(Candidates { entities: by_name.into_values().collect(), go_on_after }))
    }

    /// The entities to which something happened after the moment, or `None` if that was much.
    async fn changed_later(&self) -> Result<Option<BTreeSet<EntityName>>, QueryError> {
        let Some(from) = self.moment.at.nanos().checked_add(1) else {
            return Ok(Some(BTreeSet::new()));
        };
        let query = TimelineQuery {
            from: Time::from_nanos(from),
            entities: self.filter.clone(),
            limit: LATER_EVENTS_MAX + 1,
            ..TimelineQuery::default()
        };
        let events = self.store.timeline(&query).await?;
        let few = events.len() <= LATER_EVENTS_MAX;
        Ok(few.then(|| events.into_iter().map(|known| known.event.entity).collect()))
    }

    /// Whether the entity may be one of those that are looked for, by its state of now. Most
    /// entities need no look at their trails: they came later, or nothing has happened to them
    /// since.
    fn may_be_found(&self, entity: &EntityView<'_>) -> bool {
        if entity.first > self.moment.at {
            return false;
        }
        !self.is_as_of_now(entity.last, entity.known_by)
            || self
                .conditions
                .iter()
                .all(|condition| condition.holds_for((entity.value)(condition.field())))
    }

    /// Whether an entity's state at the moment is that of now.
    fn is_as_of_now(&self, last: Time, known_by: Time) -> bool {
        let Moment { at, as_known_at } = self.moment;
        last <= at && as_known_at.is_none_or(|known_at| known_by <= known_at)
    }

    /// The entity, if it is one of those that are looked for.
    async fn judge(&self, entity: Entity) -> Result<Option<Found>, QueryError> {
        let Entity { name, state, first, last, known_by } = entity;
        let state = if self.is_as_of_now(last, known_by) {
            state
        } else {
            let Moment { at, as_known_at } = self.moment;
            let at = OrderKey::end_of(at);
            let Some(state) = self.store.state_at(&name, at, as_known_at).await? else {
                return Ok(None);
            };
            state
        };
        let fulfilled = self.conditions.iter().all(|condition| condition.holds(&state));
        Ok(fulfilled.then_some(Found { name, state, first, last }))
    }
}
