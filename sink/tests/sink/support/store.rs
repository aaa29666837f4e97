//! What is in the store, compared with what was produced.

use std::collections::BTreeMap;
use std::path::Path;

use statetrail_event::Event;
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{EventStore, KnownEvent, TimelineQuery};

use super::wait_until;

/// Every event of the store by its id.
pub(crate) fn stored(path: &Path) -> BTreeMap<[u8; 16], KnownEvent> {
    let Ok(store) = SqliteStore::open_read_only(path) else { return BTreeMap::new() };
    let events = run(store.timeline(&TimelineQuery::default())).unwrap();
    let count = events.len();
    let by_id: BTreeMap<_, _> = events.into_iter().map(|known| (known.event.id.0, known)).collect();
    assert_eq!(by_id.len(), count, "an event is there twice");
    by_id
}

/// Waits until the store has as many events as were produced, then compares every one.
pub(crate) fn assert_stored(path: &Path, produced: &[Event]) {
    let count = || {
        let store = SqliteStore::open_read_only(path).ok()?;
        Some(run(store.counts()).unwrap().events)
    };
    wait_until(&format!("{} events are stored", produced.len()), || {
        count() >= Some(produced.len() as u64)
    });
    let stored = stored(path);
    assert_eq!(stored.len(), produced.len());
    for event in produced {
        assert_eq!(stored.get(&event.id.0).map(|known| &known.event), Some(event));
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}
