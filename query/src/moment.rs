//! The moment that a question is about.

use statetrail_event::{EntityName, OrderKey, State, Time};
use statetrail_store::EventStore;

use crate::QueryError;

/// When something was the case, and what was known of it when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Events of this time and before count.
    pub at: Time,
    /// Only events that were known at this time count.
    pub as_known_at: Option<Time>,
}

impl Moment {
    /// After everything that has happened, by everything that is known.
    pub const NOW: Moment = Moment { at: Time::MAX, as_known_at: None };

    /// That time, by everything that is known now.
    pub const fn at(time: Time) -> Moment {
        Moment { at: time, as_known_at: None }
    }
}

/// The state of an entity, each field with the key of the event behind it, or `None` if nothing
/// had happened to the entity yet.
///
/// # Errors
/// When the store does not answer.
pub async fn state(
    store: &dyn EventStore,
    entity: &EntityName,
    moment: Moment,
) -> Result<Option<State>, QueryError> {
    Ok(store.state_at(entity, OrderKey::end_of(moment.at), moment.as_known_at).await?)
}
