//! Entities that rest in a state longer than their kind usually does.

use std::collections::BTreeMap;

use statetrail_event::{EntityName, State, Time, Value};
use statetrail_store::{EntityView, EventStore, Kind};

use crate::{By, Place, QueryError, lifecycle, state_field};

/// Of the entities that came into a state, so many in a hundred go on from it at least; where
/// fewer do, staying is how it ends.
const GO_ON_PERCENT: u64 = 20;
/// Stays that must have ended before there is anything that is usual.
const STAYS_MIN: u64 = 5;
/// Entities that are looked at closely for an answer.
const CANDIDATES: usize = 2_000;

/// An entity that rests.
#[derive(Clone, Debug, PartialEq)]
pub struct Resting {
    /// The entity.
    pub name: EntityName,
    /// The state that it rests in.
    pub state: String,
    /// Since when.
    pub since: Time,
    /// For how long, in nanoseconds.
    pub rests: i64,
    /// How long 19 of 20 of its kind rest in that state at most, in nanoseconds.
    pub usual: i64,
}

impl Resting {
    /// How many times as long as usual it rests.
    pub fn times_as_usual(&self) -> f64 {
        self.rests as f64 / self.usual.max(1) as f64
    }
}

/// The entities of a kind that rest the longest at a moment, compared with what is usual, at most
/// so many; none of a kind without a field that says what its entities are doing.
///
/// # Errors
/// When the store does not answer.
pub async fn resting(
    store: &dyn EventStore,
    kind: &Kind,
    at: Time,
    limit: usize,
) -> Result<Vec<Resting>, QueryError> {
    let Some(field) = state_field(store, kind).await? else { return Ok(Vec::new()) };
    let usual = match lifecycle(store, kind, &By::Field(field.clone()), at).await {
        Ok(lifecycle) => usual_stays(&lifecycle.places),
        // A field with so many values says no state, whatever its name.
        Err(QueryError::TooManyPlaces { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if usual.is_empty() {
        return Ok(Vec::new());
    }
    let rests_long = |entity: &EntityView<'_>| {
        let state = (entity.value)(&field).map(|value| value.to_value().to_string());
        let usual = state.and_then(|state| usual.get(&state));
        // Nothing at all has happened to it for so long. One to which something else happened
        // meanwhile is not what anybody calls stuck.
        usual.is_some_and(|usual| at.nanos().saturating_sub(entity.last.nanos()) > *usual)
    };
    let found = store.entities_passing(&kind.into(), None, CANDIDATES, &rests_long).await?;
    let mut resting: Vec<Resting> = found
        .into_iter()
        .filter_map(|entity| {
            let (state, since) = field_of(&entity.state, &field)?;
            let state = state.to_string();
            let (usual, rests) = (*usual.get(&state)?, at.nanos().saturating_sub(since.nanos()));
            Some(Resting { name: entity.name, state, since, rests, usual })
        })
        .collect();
    resting.sort_by(|a, b| b.times_as_usual().total_cmp(&a.times_as_usual()));
    resting.truncate(limit);
    Ok(resting)
}

/// How long entities usually stay, by state; without those where they stay for good.
fn usual_stays(places: &[Place]) -> BTreeMap<String, i64> {
    let goes_on = |place: &&Place| {
        place.left >= STAYS_MIN && place.left * 100 >= place.entered * GO_ON_PERCENT
    };
    let usual = places.iter().filter(goes_on);
    usual.filter_map(|place| Some((place.name.clone(), place.long_stay?))).collect()
}

fn field_of<'a>(state: &'a State, field: &str) -> Option<(&'a Value, Time)> {
    let (_, value, by) = state.fields().find(|(name, _, _)| *name == field)?;
    Some((value, by.time))
}
