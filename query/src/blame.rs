//! The event behind each field.

use std::collections::BTreeMap;
use std::ops::Bound;

use statetrail_event::{EntityName, OrderKey, Value};
use statetrail_store::{EventStore, KnownEvent, TrailQuery};

use crate::{Moment, QueryError, state};

/// A field and the event that set it.
#[derive(Clone, Debug, PartialEq)]
pub struct Blame {
    /// The field.
    pub field: Box<str>,
    /// Its value.
    pub value: Value,
    /// The event that set it, with its line and source.
    pub by: KnownEvent,
}

/// The fields of an entity at a moment, in the order of their names, each with the event that
/// set it; `None` if nothing had happened to the entity yet.
///
/// # Errors
/// When the store does not answer.
pub async fn blame(
    store: &dyn EventStore,
    entity: &EntityName,
    moment: Moment,
) -> Result<Option<Vec<Blame>>, QueryError> {
    let Some(state) = state(store, entity, moment).await? else { return Ok(None) };
    let mut events: BTreeMap<OrderKey, Option<KnownEvent>> = BTreeMap::new();
    let mut lines = Vec::new();
    for (field, value, by) in state.fields() {
        let event = match events.get(&by) {
            Some(event) => event.clone(),
            None => {
                let event = event_with_key(store, entity, by).await?;
                events.insert(by, event.clone());
                event
            }
        };
        // An event that expired between the two questions has nothing to show any more.
        let Some(by) = event else { continue };
        lines.push(Blame { field: field.into(), value: value.clone(), by });
    }
    Ok(Some(lines))
}

async fn event_with_key(
    store: &dyn EventStore,
    entity: &EntityName,
    key: OrderKey,
) -> Result<Option<KnownEvent>, QueryError> {
    let query = TrailQuery {
        from: Bound::Included(key),
        to: Bound::Included(key),
        limit: 1,
        ..TrailQuery::default()
    };
    Ok(store.trail(entity, &query).await?.pop())
}
