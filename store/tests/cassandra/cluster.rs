//! One store in one keyspace for all tests of this process; each test has a part of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use statetrail_servers::Cassandra;
use statetrail_store::cassandra::{Address, CassandraStore, Patience, Plan, Retention, migrate};
use tokio::runtime::Runtime;

pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A plan for a small store.
pub(crate) fn plan() -> Plan {
    Plan {
        rate: 10,
        replication: "1".parse().unwrap(),
        retention: Retention::default(),
        state_index: false,
    }
}

/// The address of a keyspace of this process.
pub(crate) fn address(name: &str) -> Address {
    let cassandra = Cassandra::shared().unwrap();
    let nodes = cassandra.contact_points().join(",");
    format!("cassandra://{nodes}/{name}_{}", std::process::id()).parse().unwrap()
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

static STORE: LazyLock<CassandraStore> = LazyLock::new(|| {
    let address = address("suite");
    block_on(async {
        migrate(&address, &plan()).await.unwrap();
        CassandraStore::connect(&address).await.unwrap()
    })
});

/// An empty store.
pub(crate) fn fresh(patience: Patience) -> CassandraStore {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    STORE.beside(NEXT.fetch_add(1, Ordering::Relaxed), patience)
}

pub(crate) fn run(test: Pin<Box<dyn Future<Output = ()> + '_>>) {
    // Outside of the runtime, because making the store waits for it.
    LazyLock::force(&STORE);
    RUNTIME.block_on(test);
}
