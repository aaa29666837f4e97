//! `find` in a store with an index on current states, on a real Cassandra: its answers are those
//! without.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::future::Future;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;
use statetrail_event::{Change, EntityName, Event, EventId, Source, Time, Value};
use statetrail_query::{Condition, Find, Found, Moment};
use statetrail_servers::Cassandra;
use statetrail_store::cassandra::{Address, CassandraStore, Patience, Plan, Retention, migrate};
use statetrail_store::suite::Model;
use statetrail_store::suite::events::{batches, time};
use statetrail_store::{EntityFilter, EventStore, KnownEvent};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

static STORE: LazyLock<CassandraStore> = LazyLock::new(|| {
    let nodes = Cassandra::shared().unwrap().contact_points().join(",");
    let address = format!("cassandra://{nodes}/indexed_{}", std::process::id());
    let address: Address = address.parse().unwrap();
    let plan = Plan {
        rate: 10,
        replication: "1".parse().unwrap(),
        retention: Retention::default(),
        state_index: true,
    };
    block_on(async {
        migrate(&address, &plan).await.unwrap();
        CassandraStore::connect(&address).await.unwrap()
    })
});

fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// An empty store with an index.
fn fresh() -> CassandraStore {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    STORE.beside(NEXT.fetch_add(1, Ordering::Relaxed), Patience::default())
}

/// The same event at a moment that no other event of its entity has: the index is not right for
/// events of one moment.
fn at_its_own_moment(known: &KnownEvent) -> KnownEvent {
    let event = &known.event;
    let among_equals = event.seq.min(9) * 10 + u64::from(event.id.0[0].min(9));
    let nanos = event.time.nanos().clamp(-10, 10) * 1_000 + among_equals as i64;
    KnownEvent { event: Event { time: Time::from_nanos(nanos), ..event.clone() }, ..known.clone() }
}

/// A search that is filled in with values of the events that are there.
#[derive(Clone, Debug)]
struct Search {
    change: Index,
    and: Option<&'static str>,
    of_type: Option<&'static str>,
    at: Option<Time>,
    page: usize,
}

fn searches() -> impl Strategy<Value = Vec<Search>> {
    let and = proptest::option::of(select(vec!["status", "!amount", "status!=paid"]));
    let of_type = proptest::option::of(select(vec!["order", "none"]));
    let parts = (any::<Index>(), and, of_type, proptest::option::of(time()), 1_usize..5);
    vec(
        parts.prop_map(|(change, and, of_type, at, page)| Search {
            change,
            and,
            of_type,
            at: at.map(|at| Time::from_nanos(at.nanos().clamp(-11, 11) * 1_000)),
            page,
        }),
        12,
    )
}

impl Search {
    /// The condition that the field of one of the changes has its value of now or then.
    fn conditions(&self, changes: &[Change]) -> Vec<Condition> {
        let typed = |change: &Change| {
            let text = change.value.as_ref().map_or("paid".to_owned(), Value::equal_text);
            format!("{} = {text}", change.field)
        };
        let first = changes.get(self.change.index(changes.len().max(1)));
        let typed = first.map(typed).into_iter().chain(self.and.map(str::to_owned));
        // A field without a name cannot be typed.
        typed.filter_map(|typed| typed.parse().ok()).collect()
    }

    async fn run(&self, store: &dyn EventStore, changes: &[Change]) -> Vec<Found> {
        let filter = EntityFilter {
            entity_type: self.of_type.map(str::to_owned),
            ..EntityFilter::default()
        };
        let moment = self.at.map_or(Moment::NOW, Moment::at);
        let find = Find::new(store, filter, self.conditions(changes), moment);
        all(find.with_page(self.page)).await
    }
}

async fn all(mut find: Find<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    while let Some(page) = find.next_page().await.unwrap() {
        found.extend(page);
    }
    found
}

#[test]
fn answers_by_the_index_are_those_without() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) };
    let outcome = TestRunner::new(config).run(&(batches(), searches()), |(batches, searches)| {
        let (indexed, model) = (fresh(), Model::default());
        block_on(async {
            let mut changes = Vec::new();
            for batch in &batches {
                let batch: Vec<KnownEvent> = batch.iter().map(at_its_own_moment).collect();
                indexed.write(&batch).await.unwrap();
                model.append(&batch).await.unwrap();
                changes.extend(batch.into_iter().flat_map(|known| known.event.changes));
            }
            for search in &searches {
                let answer = search.run(&indexed, &changes).await;
                assert_eq!(answer, search.run(&model, &changes).await, "{search:?}");
            }
        });
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

fn order(id: usize, seconds: i64, change: Change) -> KnownEvent {
    let time = Time::from_seconds(seconds, 0).unwrap();
    let event = Event {
        id: EventId([1; 16]),
        entity: EntityName::new("shop", "order", &format!("o-{id:04}")).unwrap(),
        name: "moved".into(),
        time,
        seq: 0,
        changes: vec![change],
        source: Source { uri: "/shop".into(), ..Source::default() }.into(),
        offset: None,
        rule: None,
        line: None,
    };
    KnownEvent { event, known_at: time }
}

#[test]
fn only_candidates_are_read_and_long_values_are_found_without_the_index() {
    let store = fresh();
    let long = "x".repeat(600);
    let orders = (0..40).map(|id| {
        let status = if id % 10 == 3 { "paid" } else { "sent" };
        order(id, 10, Change::set("status", status))
    });
    let batch: Vec<_> = orders.chain([order(99, 10, Change::set("status", &*long))]).collect();
    block_on(async {
        store.write(&batch).await.unwrap();
        let any = EntityFilter::default();
        let with = async |text: &str| store.entities_with("status", text, &any, None, 100).await;
        assert_eq!(with("paid").await.unwrap().map(|found| found.len()), Some(4));
        assert_eq!(with("none").await.unwrap(), Some(Vec::new()));
        assert_eq!(with(&long).await.unwrap(), None);
        let find = async |typed: String, moment| {
            all(Find::new(&store, any.clone(), vec![typed.parse().unwrap()], moment)).await.len()
        };
        assert_eq!(find(format!("status={long}"), Moment::NOW).await, 1);
        assert_eq!(find("status=paid".into(), Moment::NOW).await, 4);

        // What is not paid any more was it before, whether little or much has happened since.
        let before = Moment::at(Time::from_seconds(15, 0).unwrap());
        store.write(&[order(3, 20, Change::unset("status"))]).await.unwrap();
        assert_eq!(find("status=paid".into(), Moment::NOW).await, 3);
        assert_eq!(find("status=paid".into(), before).await, 4);
        let much: Vec<_> = (0..300).map(|n| order(13, 30 + n, Change::set("status", n))).collect();
        store.write(&much).await.unwrap();
        assert_eq!(find("status=paid".into(), Moment::NOW).await, 2);
        assert_eq!(find("status=paid".into(), before).await, 4);
    });
}
