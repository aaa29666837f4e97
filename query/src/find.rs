//! Entities by their state, now or at any moment.

use statetrail_event::{EntityName, OrderKey, State, Time};
use statetrail_store::{Entity, EntityFilter, EventStore};

use crate::{Condition, Moment, PAGE, QueryError};

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
}

impl<'a> Find<'a> {
    /// The entities that pass the filter and fulfil all conditions at the moment.
    pub fn new(
        store: &'a dyn EventStore,
        filter: EntityFilter,
        conditions: Vec<Condition>,
        moment: Moment,
    ) -> Find<'a> {
        Find { store, filter, conditions, moment, page: PAGE, after: None, finished: false }
    }

    /// The same search, looking at that many entities for a page, 1 at least.
    pub fn with_page(mut self, entities: usize) -> Find<'a> {
        self.page = entities.max(1);
        self
    }

    /// The next entities, or `None` at the end. A page has at least one, whatever its length.
    ///
    /// # Errors
    /// When the store does not answer; the same page may be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Found>>, QueryError> {
        while !self.finished {
            let after = self.after.as_ref();
            let entities = self.store.entities(&self.filter, after, self.page).await?;
            let is_last = entities.len() < self.page;
            let last_name = entities.last().map(|entity| entity.name.clone());
            let mut found = Vec::new();
            for entity in entities {
                found.extend(self.judge(entity).await?);
            }
            self.finished = is_last;
            self.after = last_name;
            if !found.is_empty() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The entity, if it is one of those that are looked for.
    async fn judge(&self, entity: Entity) -> Result<Option<Found>, QueryError> {
        let Entity { name, first, last, .. } = &entity;
        let (name, first, last) = (name.clone(), *first, *last);
        let Some(state) = self.state_of(entity).await? else { return Ok(None) };
        let fulfilled = self.conditions.iter().all(|condition| condition.holds(&state));
        Ok(fulfilled.then_some(Found { name, state, first, last }))
    }

    /// The entity's state at the moment. Most entities need no look at their trails: they came
    /// later, or nothing has happened to them since.
    async fn state_of(&self, entity: Entity) -> Result<Option<State>, QueryError> {
        let Moment { at, as_known_at } = self.moment;
        if entity.first > at {
            return Ok(None);
        }
        let all_known = as_known_at.is_none_or(|known_at| entity.known_by <= known_at);
        if entity.last <= at && all_known {
            return Ok(Some(entity.state));
        }
        Ok(self.store.state_at(&entity.name, OrderKey::end_of(at), as_known_at).await?)
    }
}
