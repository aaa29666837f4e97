//! A store in Cassandra as it is some time after its events came.

use std::time::{Duration, Instant};

use statetrail_store::{EventStore, StoreError};

/// Late events void snapshots for a minute, and all events of benches come late.
const SETTLED_AFTER: Duration = Duration::from_secs(65);

/// Has the store make its snapshots, as soon as they hold.
///
/// # Errors
/// When the store does not answer.
pub async fn tend_when_settled(
    store: &dyn EventStore,
    last_written: Instant,
) -> Result<(), StoreError> {
    tokio::time::sleep(SETTLED_AFTER.saturating_sub(last_written.elapsed())).await;
    store.tend().await
}
