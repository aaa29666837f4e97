//! One store in one keyspace for all tests of this process; each test has a part of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use statetrail_event::{Change, Event, EventId, Source, Time};
use statetrail_servers::Cassandra;
use statetrail_store::cassandra::{Address, CassandraStore, Patience, Plan, Retention, migrate};
use statetrail_store::{KnownEvent, StoreError};
use tokio::runtime::Runtime;

/// Of each random case: a batch takes Cassandra a hundred times as long as a file.
pub(crate) const RANDOM_RUNS: u32 = 12;

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

/// The address of a keyspace of this process, in the Cassandra that tests share.
pub(crate) fn address(name: &str) -> Address {
    address_in(Cassandra::shared().unwrap(), name, "")
}

/// The same in another one, with settings such as `?user=u`.
pub(crate) fn address_in(cassandra: &Cassandra, name: &str, settings: &str) -> Address {
    let nodes = cassandra.contact_points().join(",");
    let text = format!("cassandra://{nodes}/{name}_{}{settings}", std::process::id());
    text.parse().unwrap()
}

/// A session of the bare driver, for what a person might do to a store.
pub(crate) async fn session() -> Session {
    let nodes = Cassandra::shared().unwrap().contact_points();
    SessionBuilder::new().known_nodes(nodes).build().await.unwrap()
}

/// What the clock says.
pub(crate) fn now() -> Time {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_nanos(since_epoch.as_nanos().try_into().unwrap())
}

/// An event that sets one field, known when it happened.
pub(crate) fn event(entity: &str, time: Time, field: &str, value: i64) -> KnownEvent {
    let event = Event {
        id: EventId(value.unsigned_abs().to_be_bytes().repeat(2).try_into().unwrap()),
        entity: entity.parse().unwrap(),
        name: "moved".into(),
        time,
        seq: 0,
        changes: vec![Change::set(field, value)],
        source: Source { uri: "/shop".into(), ..Source::default() }.into(),
        offset: None,
        rule: None,
        line: Some(format!("{entity} {field}={value}")),
    };
    KnownEvent { event, known_at: time }
}

/// Fails unless the error is told in one line that holds these texts.
#[track_caller]
pub(crate) fn assert_told(error: &StoreError, texts: &[&str]) {
    let told = error.to_string();
    println!("{told}");
    assert!(!told.contains('\n') && told.chars().count() < 300, "{told}");
    for text in texts {
        assert!(told.contains(text), "no {text:?} in: {told}");
    }
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

/// An empty store, as several processes have it open.
pub(crate) fn opened<const PROCESSES: usize>(patience: Patience) -> [CassandraStore; PROCESSES] {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    [patience; PROCESSES].map(|patience| STORE.beside(number, patience))
}

pub(crate) fn run(test: Pin<Box<dyn Future<Output = ()> + '_>>) {
    // Outside of the runtime, because making the store waits for it.
    LazyLock::force(&STORE);
    RUNTIME.block_on(test);
}
