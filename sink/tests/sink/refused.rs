//! Events that the store refuses for what they are, one of them no longer in Kafka. Real stores
//! refuse only lines of many megabytes, of which no batch has several (`poison.rs` has one), so a
//! store that is more choosy is put before the real one.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::Message;
use rdkafka::message::Headers;
use statetrail_event::{EntityName, OrderKey, State, Time};
use statetrail_servers::Kafka;
use statetrail_sink::batch::{Batch, BatchMessage};
use statetrail_sink::health::Health;
use statetrail_sink::metrics::Metrics;
use statetrail_sink::offsets::PartitionKey;
use statetrail_sink::settings::Settings;
use statetrail_sink::settings::layers::Layers;
use statetrail_sink::work::Done;
use statetrail_sink::writer::Writer;
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{
    Appended, ArrivalCursor, Arrivals, Counts, Entity, EntityFilter, EventStore, KnownEvent,
    NamePart, StoreError, TimelineQuery, TrailQuery,
};

use crate::support::{Store, Topic, assert_stored, event, events};

/// Refuses batches with certain events, and is away for some calls first.
struct Choosy {
    store: SqliteStore,
    refuses: Vec<u64>,
    away: AtomicU32,
}

#[async_trait]
impl EventStore for Choosy {
    async fn append(&self, batch: &[KnownEvent]) -> Result<Appended, StoreError> {
        let place = "choosy".to_owned();
        let away = self.away.load(std::sync::atomic::Ordering::Relaxed);
        if away > 0 {
            self.away.store(away - 1, std::sync::atomic::Ordering::Relaxed);
            return Err(StoreError::Unavailable { place, reason: "not yet".to_owned() });
        }
        let is_refused = |known: &KnownEvent| {
            self.refuses.iter().any(|number| event(*number).id == known.event.id)
        };
        if batch.iter().any(is_refused) {
            return Err(StoreError::Failed { place, source: "not that one".into() });
        }
        self.store.append(batch).await
    }

    async fn entity(&self, name: &EntityName) -> Result<Option<Entity>, StoreError> {
        self.store.entity(name).await
    }

    async fn entities(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
    ) -> Result<Vec<Entity>, StoreError> {
        self.store.entities(filter, after, limit).await
    }

    async fn names(
        &self,
        part: &NamePart<'_>,
        namespaces: Option<&BTreeSet<String>>,
        limit: usize,
    ) -> Result<Vec<EntityName>, StoreError> {
        self.store.names(part, namespaces, limit).await
    }

    async fn trail(
        &self,
        name: &EntityName,
        query: &TrailQuery,
    ) -> Result<Vec<KnownEvent>, StoreError> {
        self.store.trail(name, query).await
    }

    async fn state_at(
        &self,
        name: &EntityName,
        at: OrderKey,
        as_known_at: Option<Time>,
    ) -> Result<Option<State>, StoreError> {
        self.store.state_at(name, at, as_known_at).await
    }

    async fn timeline(&self, query: &TimelineQuery) -> Result<Vec<KnownEvent>, StoreError> {
        self.store.timeline(query).await
    }

    async fn arrivals_end(&self) -> Result<ArrivalCursor, StoreError> {
        self.store.arrivals_end().await
    }

    async fn arrivals(&self, after: &ArrivalCursor, limit: usize) -> Result<Arrivals, StoreError> {
        self.store.arrivals(after, limit).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.store.counts().await
    }
}

#[test]
fn what_the_store_refuses_becomes_a_dead_letter_and_the_rest_is_stored() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "refused", 1);
    let real = Store::sqlite();
    // Its last message is no longer there when it is to be read again.
    let produced = events(0..100);
    topic.produce(&produced[..99]);

    let mut layers = Layers::of_defaults();
    layers.set("store", real.address(), "test");
    layers.set("kafka.brokers", &topic.brokers, "test");
    layers.set("kafka.topics", &topic.name, "test");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let store = SqliteStore::open(&real.path()).unwrap();
    let writer = Writer {
        store: Arc::new(Choosy { store, refuses: vec![7, 64, 99], away: AtomicU32::new(2) }),
        runtime: runtime.handle().clone(),
        health: Arc::new(Health::new(Duration::from_secs(10))),
        metrics: Arc::new(Metrics::default()),
        settings: Arc::new(Settings::check(layers).unwrap()),
        refused: AtomicU32::new(0),
    };
    let mut batch = Batch::new(5, &writer.settings.batch, Instant::now());
    for (number, event) in produced.iter().enumerate() {
        let key = PartitionKey { topic: 0, partition: 0 };
        batch.messages.push(BatchMessage { key, offset: number as i64, first_event: number });
        batch.events.push(KnownEvent { event: event.clone(), known_at: Time::from_nanos(0) });
    }
    let (batches, to_write) = channel();
    batches.send(batch).unwrap();
    drop(batches);
    let (done_sender, done) = channel();
    writer.run(&Mutex::new(to_write), &done_sender);

    let Done::Stored { unit: 5, refused, .. } = done.recv().unwrap() else { panic!("not stored") };
    let offsets: Vec<i64> = refused.iter().map(|letter| letter.message.offset()).collect();
    assert_eq!(offsets, [7, 64, 99]);
    for (letter, number) in refused.iter().zip([7, 64, 99]) {
        let value = crate::support::message(&[event(number)]);
        assert_eq!(letter.message.payload(), Some(&*value));
        assert_eq!(letter.message.key(), Some(event(number).entity.as_str().as_bytes()));
        let headers = letter.message.headers().unwrap();
        let error = headers.iter().find(|header| header.key == "statetrail-error").unwrap();
        assert_eq!(error.value, Some(&b"choosy: not that one"[..]));
    }
    let kept: Vec<_> = (0..100).filter(|number| ![7, 64, 99].contains(number)).collect();
    assert_stored(&real, &events(kept));
    assert!(writer.metrics.text().contains("sink_retries_total{target=\"store\"} 2"));
}
