//! Looking whether the store is there, without making one, and tending it.

use std::sync::Arc;
use std::time::Duration;

use statetrail_store::{EventStore, StoreAddress, StoreError};

/// Whether a store could be opened for writing.
///
/// # Errors
/// As [`StoreAddress::open`].
pub async fn check(address: &StoreAddress) -> Result<(), StoreError> {
    let StoreAddress::Sqlite(path) = address else {
        return address.open().await.map(drop);
    };
    if path.exists() {
        return address.open_read_only().await.map(drop);
    }
    // The first start makes the file, if its folder is there.
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let reason = format!("there is no folder {}", folder.display());
            Err(StoreError::Open { place: path.display().to_string(), reason })
        }
        _ => Ok(()),
    }
}

/// Whether what the address names can be read: files and the password.
///
/// # Errors
/// When it cannot.
pub fn check_files(address: &StoreAddress) -> Result<(), StoreError> {
    match address {
        StoreAddress::Sqlite(_) => Ok(()),
        StoreAddress::Cassandra(address) => address.check_files(),
    }
}

/// How often a store may do what can wait.
const TEND_EVERY: Duration = Duration::from_secs(10);

/// Lets a store do what can wait, from time to time, until the process ends.
pub async fn tend(store: Arc<dyn EventStore>) {
    loop {
        tokio::time::sleep(TEND_EVERY).await;
        if let Err(error) = store.tend().await {
            // Answers are right without it, and whether the store is away shows when writing.
            tracing::debug!(%error, "the store could not be tended");
        }
    }
}
