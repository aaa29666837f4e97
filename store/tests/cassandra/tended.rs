//! The suite on a store that makes a snapshot of everything after every append, as early as it
//! may: no snapshot changes an answer (invariant I5).

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

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
