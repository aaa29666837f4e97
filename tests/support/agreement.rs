//! A store beside the shop's truth.

use anyhow::{Result, ensure};
use statetrail_event::{EntityName, OrderKey, Time, Value};
use statetrail_shop::Truth;
use statetrail_store::EventStore;

/// Which moments are asked for; the same ones in every run.
const SEED: u64 = 11;

/// Compares the states of random entities at so many random moments with the truth.
///
/// # Errors
/// When the store does not answer, or a state differs.
pub async fn agrees_with_truth(
    store: &dyn EventStore,
    truth: &Truth,
    moments: usize,
) -> Result<()> {
    for (entity, time) in truth.moments(SEED, moments) {
        let got = state_at(store, &entity, time).await?;
        let want: Vec<(String, Value)> = truth
            .state_at(&entity, time)
            .into_iter()
            .map(|(field, value)| (field.to_string(), value))
            .collect();
        ensure!(got == want, "{entity} at {time}: stored {got:?}, the shop says {want:?}");
    }
    Ok(())
}

async fn state_at(
    store: &dyn EventStore,
    entity: &EntityName,
    time: Time,
) -> Result<Vec<(String, Value)>> {
    let state = store.state_at(entity, OrderKey::end_of(time), None).await?;
    let fields = state.iter().flat_map(|state| state.fields());
    Ok(fields.map(|(field, value, _)| (field.to_owned(), value.clone())).collect())
}
