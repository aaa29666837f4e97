//! The trail of an entity, with the state beside each event.

use std::ops::Bound;

use statetrail_event::{EntityName, OrderKey, State, Time};
use statetrail_store::{EventStore, KnownEvent, Order, TrailQuery};

use crate::{Difference, PAGE, QueryError};

/// An event and what it meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The event.
    pub known: KnownEvent,
    /// What it really changed, in the order of the fields' names: a field that is set to the
    /// value that it has already is not among them.
    pub changed: Vec<Difference>,
    /// The state right after it.
    pub state: State,
}

/// Reads a trail page by page.
pub struct Trail<'a> {
    store: &'a dyn EventStore,
    entity: EntityName,
    /// What is still to be read.
    query: TrailQuery,
    /// The state before the next event, if it is known: reading on in the order of time.
    state: Option<State>,
    finished: bool,
}

impl<'a> Trail<'a> {
    /// The trail of an entity from one time to another, both inclusive.
    pub fn new(
        store: &'a dyn EventStore,
        entity: EntityName,
        (from, to): (Time, Time),
        as_known_at: Option<Time>,
        order: Order,
    ) -> Trail<'a> {
        let query = TrailQuery {
            from: Bound::Included(OrderKey::start_of(from)),
            to: Bound::Included(OrderKey::end_of(to)),
            as_known_at,
            order,
            limit: PAGE,
        };
        Trail { store, entity, query, state: None, finished: false }
    }

    /// The same trail in pages of that many events, 1 at least.
    pub fn with_page(mut self, events: usize) -> Trail<'a> {
        self.query.limit = events.max(1);
        self
    }

    /// The same trail behind that event of an earlier page (before it, newest first).
    pub fn after(mut self, key: OrderKey) -> Trail<'a> {
        match self.query.order {
            Order::OldestFirst => self.query.from = Bound::Excluded(key),
            Order::NewestFirst => self.query.to = Bound::Excluded(key),
        }
        self
    }

    /// The next events, or `None` at the end.
    ///
    /// # Errors
    /// When the store does not answer; the same page may be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Step>>, QueryError> {
        if self.finished {
            return Ok(None);
        }
        let mut events = self.store.trail(&self.entity, &self.query).await?;
        let is_last = events.len() < self.query.limit;
        let behind = events.last().map(|known| Bound::Excluded(known.event.key()));
        if self.query.order == Order::NewestFirst {
            events.reverse();
        }
        let mut state = match (self.state.take(), events.first()) {
            (Some(state), _) => state,
            (None, Some(first)) => self.state_before(first.event.key()).await?,
            (None, None) => State::new(),
        };
        let mut steps: Vec<Step> =
            events.into_iter().map(|known| step(known, &mut state)).collect();
        self.finished = is_last;
        match (self.query.order, behind) {
            (_, None) => {}
            (Order::OldestFirst, Some(behind)) => {
                self.query.from = behind;
                self.state = Some(state);
            }
            (Order::NewestFirst, Some(behind)) => {
                self.query.to = behind;
                steps.reverse();
            }
        }
        Ok((!steps.is_empty()).then_some(steps))
    }

    async fn state_before(&self, key: OrderKey) -> Result<State, QueryError> {
        let Some(before) = key.previous() else { return Ok(State::new()) };
        let state = self.store.state_at(&self.entity, before, self.query.as_known_at).await?;
        Ok(state.unwrap_or_default())
    }
}

/// Takes the next event into the state.
fn step(known: KnownEvent, state: &mut State) -> Step {
    let event = &known.event;
    let before: Vec<_> =
        event.changes.iter().map(|change| state.get(&change.field).cloned()).collect();
    state.apply(event.key(), &event.changes);
    let mut changed: Vec<Difference> = event
        .changes
        .iter()
        .zip(before)
        .map(|(change, from)| Difference {
            field: change.field.clone(),
            from,
            to: state.get(&change.field).cloned(),
        })
        .filter(|difference| difference.from != difference.to)
        .collect();
    changed.sort_by(|a, b| a.field.cmp(&b.field));
    Step { known, changed, state: state.clone() }
}
