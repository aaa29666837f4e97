//! How many entities of each kind are in which state now.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use statetrail_event::{State, Value};
use statetrail_store::{Entity, EntityFilter, EntityView, EventStore, Kind};

use crate::QueryError;

/// Names that services give to the field that says what an entity is doing, the usual ones first.
const STATE_FIELDS: [&str; 7] =
    ["status", "state", "phase", "stage", "condition", "health", "result"];
/// Entities that are looked at to find that field.
const SAMPLE: usize = 64;
/// Different values that are told apart; a field with more is no state, but its tail is counted.
const VALUES_MAX: usize = 64;

/// How many entities of a kind there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindCount {
    /// The kind.
    pub kind: Kind,
    /// How many entities.
    pub entities: u64,
    /// The field that says what such an entity is doing, if one of the usual names is among its
    /// fields.
    pub state_field: Option<String>,
    /// How many have which value in it, the most frequent first; `None` stands for no value.
    pub states: Vec<(Option<String>, u64)>,
    /// Entities with values beyond those.
    pub others: u64,
}

/// Counts the entities of one kind by their states of now. Looks at every one of them.
///
/// # Errors
/// When the store does not answer.
pub async fn census(store: &dyn EventStore, kind: &Kind) -> Result<KindCount, QueryError> {
    let filter = EntityFilter::from(kind);
    let field = state_field(store, kind).await?;
    let tally = Mutex::new(Tally::default());
    let count = |entity: &EntityView<'_>| {
        let value = field.as_deref().and_then(|field| (entity.value)(field));
        let value = value.map(|value| value.to_value().to_string());
        tally.lock().unwrap_or_else(PoisonError::into_inner).add(value);
        false
    };
    store.entities_passing(&filter, None, 1, &count).await?;
    let Tally { entities, values, others } =
        tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut states: Vec<_> = if field.is_some() { values.into_iter().collect() } else { vec![] };
    states.sort_by(|(a_value, a), (b_value, b)| b.cmp(a).then_with(|| a_value.cmp(b_value)));
    Ok(KindCount { kind: kind.clone(), entities, state_field: field, states, others })
}

#[derive(Default)]
struct Tally {
    entities: u64,
    values: BTreeMap<Option<String>, u64>,
    others: u64,
}

impl Tally {
    fn add(&mut self, value: Option<String>) {
        self.entities += 1;
        if let Some(count) = self.values.get_mut(&value) {
            *count += 1;
        } else if self.values.len() < VALUES_MAX {
            self.values.insert(value, 1);
        } else {
            self.others += 1;
        }
    }
}

/// The field that says what entities of a kind are doing: of the usual names the first one that
/// at least half of the first entities have.
///
/// # Errors
/// When the store does not answer.
pub async fn state_field(
    store: &dyn EventStore,
    kind: &Kind,
) -> Result<Option<String>, QueryError> {
    let sample = store.entities(&EntityFilter::from(kind), None, SAMPLE).await?;
    Ok(usual_field(&sample))
}

fn usual_field(sample: &[Entity]) -> Option<String> {
    let has = |state: &State, field: &str| {
        state.get(field).is_some_and(|value| matches!(value, Value::Text(_) | Value::Bool(_)))
    };
    let is_usual = |field: &&str| {
        let having = sample.iter().filter(|entity| has(&entity.state, field)).count();
        having > 0 && having * 2 >= sample.len()
    };
    STATE_FIELDS.into_iter().find(is_usual).map(str::to_owned)
}
