//! Events as they arrive.

use statetrail_event::{EntityName, Event};
use statetrail_store::{ArrivalCursor, Arrived, EntityFilter, EventStore};

use crate::{PAGE, QueryError};

/// Which events are followed; a part that is `None` lets every event pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only events of these entities.
    pub entities: EntityFilter,
    /// Only events with this name.
    pub name: Option<String>,
    /// Only events whose line holds this text, upper and lower case told apart.
    pub text: Option<String>,
}

impl EventFilter {
    /// Whether the event is wanted.
    pub fn passes(&self, event: &Event) -> bool {
        let holds = |text: &String| event.line.as_ref().is_some_and(|line| line.contains(text));
        entity_passes(&self.entities, &event.entity)
            && self.name.as_ref().is_none_or(|name| *name == event.name)
            && self.text.as_ref().is_none_or(holds)
    }
}

fn entity_passes(filter: &EntityFilter, name: &EntityName) -> bool {
    let is = |wanted: &Option<String>, part: &str| wanted.as_ref().is_none_or(|text| text == part);
    is(&filter.namespace, name.namespace())
        && is(&filter.entity_type, name.entity_type())
        && filter.id_prefix.as_ref().is_none_or(|prefix| name.id().starts_with(prefix.as_str()))
}

/// What arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// The events that are wanted, each with the place right after it.
    pub events: Vec<Arrived>,
    /// The place to go on from, also behind events that are not wanted.
    pub next: ArrivalCursor,
    /// Whether there may be more already. If not, it is time to wait a little.
    pub more: bool,
}

/// Reads events in the order in which they arrive in the store, each once. It does not wait for
/// events: whoever follows asks again when it likes to.
pub struct Follow<'a> {
    store: &'a dyn EventStore,
    filter: EventFilter,
    next: ArrivalCursor,
}

impl<'a> Follow<'a> {
    /// Goes on behind a place.
    pub fn from(
        store: &'a dyn EventStore,
        place: ArrivalCursor,
        filter: EventFilter,
    ) -> Follow<'a> {
        Follow { store, filter, next: place }
    }

    /// Begins with what arrives from now on.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn starting_now(
        store: &'a dyn EventStore,
        filter: EventFilter,
    ) -> Result<Follow<'a>, QueryError> {
        Ok(Follow { store, filter, next: store.arrivals_end().await? })
    }

    /// What arrived since; after a failure the same again.
    ///
    /// # Errors
    /// When the store does not answer, does not know the place, or has forgotten what arrived.
    pub async fn next_page(&mut self) -> Result<Followed, QueryError> {
        let page = self.store.arrivals(&self.next, PAGE).await?;
        self.next = page.next.clone();
        let more = !page.events.is_empty();
        let mut events = page.events;
        events.retain(|arrived| self.filter.passes(&arrived.known.event));
        Ok(Followed { events, next: page.next, more })
    }
}
