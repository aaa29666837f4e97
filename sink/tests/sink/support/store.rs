//! The store of a test, and the events in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use scylla::client::session_builder::SessionBuilder;
use statetrail_event::Event;
use statetrail_servers::Cassandra;
use statetrail_store::cassandra::{Plan, Retention, migrate};
use statetrail_store::{EventStore, KnownEvent, StoreAddress, StoreError, TimelineQuery};
use tempfile::{TempDir, tempdir};

use super::{WITHIN, wait_until};

/// A store of a test's own, and a folder for what goes with it.
pub(crate) struct Store {
    address: String,
    folder: TempDir,
}

impl Store {
    /// A file that is not there yet.
    pub(crate) fn sqlite() -> Store {
        let folder = tempdir().unwrap();
        let address = format!("sqlite:{}", folder.path().join("store.db").display());
        Store { address, folder }
    }

    /// A new keyspace in the Cassandra that tests share.
    pub(crate) fn cassandra() -> Store {
        Store::in_cassandra(Cassandra::shared().unwrap(), 1)
    }

    /// A new keyspace with so many copies of everything.
    pub(crate) fn in_cassandra(cassandra: &Cassandra, copies: u32) -> Store {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let nodes = cassandra.contact_points().join(",");
        let address = format!("cassandra://{nodes}/sink_{}_{number}", std::process::id());
        let StoreAddress::Cassandra(cluster) = address.parse().unwrap() else { unreachable!() };
        let replication = copies.to_string().parse().unwrap();
        let retention = Retention::default();
        // Few shards, so that a batch of a test is a few requests.
        let plan = Plan { rate: 200, replication, retention, state_index: false };
        // Nodes on a busy machine may take their time to agree on tables; repeating is harmless.
        run(at_last(async || migrate(&cluster, &plan).await));
        Store { address, folder: tempdir().unwrap() }
    }

    /// As the sink takes it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The file of a store that is one.
    pub(crate) fn path(&self) -> PathBuf {
        let StoreAddress::Sqlite(path) = self.address.parse().unwrap() else { unreachable!() };
        path
    }

    /// For files beside the store.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Has statements executed, one after the other, as another program or a person may, with its
    /// keyspace in the place of `KEYSPACE_NAME`.
    pub(crate) fn execute(&self, statements: &[&str]) {
        let StoreAddress::Cassandra(cluster) = self.address.parse().unwrap() else {
            unreachable!()
        };
        run(async {
            let session = SessionBuilder::new().known_nodes(&cluster.nodes).build().await.unwrap();
            for statement in statements {
                let statement = statement.replace("KEYSPACE_NAME", &cluster.keyspace);
                session.query_unpaged(statement, ()).await.unwrap();
            }
        });
    }

    /// What is read of it, over a connection of its own.
    pub(crate) fn read<T>(
        &self,
        ask: impl AsyncFn(&dyn EventStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let address: StoreAddress = self.address.parse().unwrap();
        run(async { ask(&*address.open_read_only().await?).await })
    }

    /// The same, asked again while the store says that it may succeed later.
    pub(crate) fn read_at_last<T>(
        &self,
        ask: impl AsyncFn(&dyn EventStore) -> Result<T, StoreError>,
    ) -> T {
        let address: StoreAddress = self.address.parse().unwrap();
        run(at_last(async || ask(&*address.open_read_only().await?).await))
    }
}

/// Every event of the store by its id.
pub(crate) fn stored(store: &Store) -> BTreeMap<[u8; 16], KnownEvent> {
    let events = store.read(async |store| store.timeline(&TimelineQuery::default()).await);
    // Nobody has made it yet.
    let Ok(events) = events else { return BTreeMap::new() };
    let count = events.len();
    let by_id: BTreeMap<_, _> = events.into_iter().map(|known| (known.event.id.0, known)).collect();
    assert_eq!(by_id.len(), count, "an event is there twice");
    by_id
}

/// Waits until the store has as many events as were produced, then compares every one.
pub(crate) fn assert_stored(store: &Store, produced: &[Event]) {
    let count = || store.read(async |store| store.counts().await).ok().map(|it| it.events);
    wait_until(&format!("{} events are stored", produced.len()), || {
        count() >= Some(produced.len() as u64)
    });
    let stored = stored(store);
    assert_eq!(stored.len(), produced.len());
    for event in produced {
        assert_eq!(stored.get(&event.id.0).map(|known| &known.event), Some(event));
    }
}

async fn at_last<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                assert!(error.is_retryable() && begun.elapsed() < WITHIN, "{error}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
