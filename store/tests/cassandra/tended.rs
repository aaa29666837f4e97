//! The suite on a store that makes a snapshot of everything after every append, as early as it
//! may: no snapshot changes an answer (invariant I5).

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use statetrail_event::{EntityName, OrderKey, State, Time};
use statetrail_store::cassandra::{CassandraStore, Patience};
use statetrail_store::suite::Subject;
use statetrail_store::{
    Appended, ArrivalCursor, Arrivals, Counts, Entity, EntityFilter, EventStore, KnownEvent,
    NamePart, StoreError, TimelineQuery, TrailQuery,
};

use crate::cluster;

/// Everything is late at once and settled at once.
const NO_PATIENCE: Patience = Patience {
    late_after: Duration::ZERO,
    settled_after: Duration::ZERO,
    late_for: Duration::ZERO,
    forgotten_after: Duration::ZERO,
};

/// Events from one snapshot to the next: as few as can be, but in long trails, whose snapshots
/// are made anew after every batch.
fn events_a_snapshot(batch: &[KnownEvent]) -> u64 {
    if batch.len() < 100 { 3 } else { 150 }
}

struct Tended(CassandraStore);

#[async_trait]
impl EventStore for Tended {
    async fn append(&self, batch: &[KnownEvent]) -> Result<Appended, StoreError> {
        let appended = self.0.append(batch).await?;
        let mut names: Vec<&EntityName> = batch.iter().map(|known| &known.event.entity).collect();
        names.sort();
        names.dedup();
        for name in names {
            self.0.make_snapshots_now(name, events_a_snapshot(batch)).await?;
        }
        Ok(appended)
    }

    async fn entity(&self, name: &EntityName) -> Result<Option<Entity>, StoreError> {
        self.0.entity(name).await
    }

    async fn entities(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
    ) -> Result<Vec<Entity>, StoreError> {
        self.0.entities(filter, after, limit).await
    }

    async fn names(
        &self,
        part: &NamePart<'_>,
        namespaces: Option<&BTreeSet<String>>,
        limit: usize,
    ) -> Result<Vec<EntityName>, StoreError> {
        self.0.names(part, namespaces, limit).await
    }

    async fn trail(
        &self,
        name: &EntityName,
        query: &TrailQuery,
    ) -> Result<Vec<KnownEvent>, StoreError> {
        self.0.trail(name, query).await
    }

    async fn state_at(
        &self,
        name: &EntityName,
        at: OrderKey,
        as_known_at: Option<Time>,
    ) -> Result<Option<State>, StoreError> {
        self.0.state_at(name, at, as_known_at).await
    }

    async fn timeline(&self, query: &TimelineQuery) -> Result<Vec<KnownEvent>, StoreError> {
        self.0.timeline(query).await
    }

    async fn arrivals_end(&self) -> Result<ArrivalCursor, StoreError> {
        self.0.arrivals_end().await
    }

    async fn arrivals(&self, after: &ArrivalCursor, limit: usize) -> Result<Arrivals, StoreError> {
        self.0.arrivals(after, limit).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.0.counts().await
    }
}

struct TendedSubject;

impl Subject for TendedSubject {
    fn opened_twice(&self) -> [Box<dyn EventStore>; 2] {
        cluster::opened::<2>(NO_PATIENCE).map(|store| Box::new(Tended(store)) as _)
    }

    fn random_runs(&self) -> u32 {
        cluster::RANDOM_RUNS
    }

    fn run(&self, test: Pin<Box<dyn Future<Output = ()> + '_>>) {
        cluster::run(test);
    }
}

statetrail_store::store_suite!(
    TendedSubject,
    every_answer_is_the_models,
    order_batches_and_copies_do_not_matter,
    what_was_not_known_is_left_out,
    a_long_trail_in_order,
    a_long_trail_shuffled,
    a_long_trail_with_late_events,
    a_long_trail_in_one_batch,
);

async fn has_snapshots(entity: &str) -> bool {
    let keyspace = cluster::address("suite").keyspace;
    let select = format!("SELECT entity FROM {keyspace}.snapshots");
    let rows = cluster::session().await.query_unpaged(select, ()).await.unwrap();
    let rows = rows.into_rows_result().unwrap();
    let mut names = rows.rows::<(String,)>().unwrap().map(|row| row.unwrap().0);
    names.any(|name| name == entity)
}

/// A trail that came all at once and then rests gets its snapshots as soon as it may.
#[test]
fn events_that_had_not_settled_get_their_snapshots_later() {
    const ENTITY: &str = "shop/order/rested";
    let settled_after = Duration::from_secs(2);
    let patience =
        Patience { settled_after, late_after: Duration::from_secs(1), ..Patience::default() };
    cluster::run(Box::pin(async {
        let [store] = cluster::opened::<1>(patience);
        let begun = cluster::now();
        let event = |number: i64| {
            let time = Time::from_nanos(begun.nanos() + number);
            cluster::event(ENTITY, time, "status", number)
        };
        let batch: Vec<KnownEvent> = (0..1_500).map(event).collect();
        store.write(&batch).await.unwrap();
        store.tend().await.unwrap();
        let asked = Instant::now();
        while !has_snapshots(ENTITY).await {
            assert!(asked.elapsed() < Duration::from_secs(30), "none was made");
            store.tend().await.unwrap();
        }
        let state = store.state_at(&batch[0].event.entity, OrderKey::MAX, None).await.unwrap();
        assert_eq!(state, store.entity(&batch[0].event.entity).await.unwrap().map(|it| it.state));
    }));
}
