//! The store for a cluster: Apache Cassandra.
//!
//! One row per event, in partitions that many entities share (`layout.rs`), so that a flush
//! arrives as a few dense batches of one partition each (`write.rs`). The hot path reads nothing
//! and deletes nothing: which of two writes counts is decided by Cassandra itself, by timestamps
//! that do not tell when something was written but which write has to win (`schema.rs`). The
//! current state of every entity lies in one row, kept by Cassandra in the same way. When the events
//! of a batch are stored, the process tells in a stream of its own that they have arrived
//! (`announce.rs`).
//!
//! The futures of this store need a tokio runtime with I/O and time.

mod address;
mod announce;
mod append;
mod arrivals;
mod at_once;
mod connect;
mod cursor;
mod directory;
mod expiry;
mod layout;
mod merge;
mod migrate;
mod reasons;
mod registered;
mod remembered;
mod rows;
mod schema;
mod settings;
mod snapshots;
mod statements;
mod stream;
mod stretches;
mod timeline;
mod trail;
mod write;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use scylla::client::session::Session;
use statetrail_event::{EntityName, OrderKey, State, Time};

use crate::store::tally_by_pages;
use crate::{
    Appended, ArrivalCursor, Arrivals, Counts, Entity, EntityFilter, EventStore, Kind, KnownEvent,
    NamePart, StoreError, Tally, TallyBudget, TimelineQuery, Traffic, TrailQuery,
};
pub use address::{Address, AddressError, PASSWORD_VARIABLE, SCHEME};
pub use layout::Layout;
pub use migrate::{Migrated, migrate};
pub use schema::{Replication, ReplicationError};
pub use settings::{Plan, Retention, RetentionError, Settings};
pub use snapshots::Patience;

use announce::Announcing;
use append::Appending;
use connect::{Failure, Purpose};
use expiry::Walk;
use registered::Registered;
use remembered::Remembered;
use snapshots::Activity;
use statements::Statements;

/// A store in a keyspace of Cassandra.
///
/// [`write`](EventStore::write) does not look for copies, so a copy is kept out of
/// [`arrivals`](EventStore::arrivals) by what the reader remembers: the last 800,000 events that
/// this object read, and when it begins at a place, those of the ten minutes before, 250,000 at
/// most. A copy that comes later arrives again. [`append`](EventStore::append) looks, and tells of
/// what is new only, and of what a call that failed may have stored. A place is good for 24 hours.
#[derive(Debug)]
pub struct CassandraStore {
    session: Arc<Session>,
    statements: Arc<Statements>,
    settings: Settings,
    place: String,
    patience: Patience,
    registered: Mutex<Registered>,
    activity: Activity,
    appending: Appending,
    announcing: Announcing,
    remembered: Mutex<Remembered>,
    walk: futures::lock::Mutex<Walk>,
    rows: AtomicU64,
    requests: AtomicU64,
    too_old: AtomicU64,
}

impl CassandraStore {
    /// Opens a store that was made by [`migrate()`].
    ///
    /// # Errors
    /// When the cluster cannot be reached or does not let us in, or there is no store in the
    /// keyspace with which this version may work.
    pub async fn connect(address: &Address) -> Result<CassandraStore, StoreError> {
        let place = address.place();
        let session = connect::connect(address, Purpose::Use).await?;
        let keyspace = &address.keyspace;
        let Some(stored) = migrate::stored(&session, keyspace, &place).await? else {
            return Err(StoreError::NotMigrated { place });
        };
        let settings = stored.usable(&place)?;
        let replication = &settings.plan.replication;
        migrate::check_replication(&session, keyspace, replication, &place).await?;
        let statements = Statements::prepare(&session, keyspace, settings.plan.state_index)
            .await
            .map_err(|failure| failure.at(&place))?;
        Ok(CassandraStore {
            session: Arc::new(session),
            statements: Arc::new(statements),
            settings,
            place,
            patience: Patience::default(),
            registered: Mutex::default(),
            activity: Activity::new(),
            appending: Appending::default(),
            announcing: Announcing::default(),
            remembered: Mutex::default(),
            walk: futures::lock::Mutex::default(),
            rows: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            too_old: AtomicU64::new(0),
        })
    }

    /// What was stated when the store was made, and what followed from it.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A store beside this one in the same tables, for tests: it sees nothing of any other whose
    /// number differs. Numbers have room for the shards of a store between them.
    #[cfg(feature = "suite")]
    #[must_use]
    pub fn beside(&self, number: u16, patience: Patience) -> CassandraStore {
        let mut settings = self.settings.clone();
        settings.layout.first_shard = i32::from(number) << 14;
        CassandraStore {
            session: self.session.clone(),
            statements: self.statements.clone(),
            settings,
            place: self.place.clone(),
            patience,
            registered: Mutex::default(),
            activity: Activity::new(),
            appending: Appending::default(),
            announcing: Announcing::default(),
            remembered: Mutex::default(),
            walk: futures::lock::Mutex::default(),
            rows: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            too_old: AtomicU64::new(0),
        }
    }

    fn session(&self) -> &Session {
        &self.session
    }

    fn statements(&self) -> &Statements {
        &self.statements
    }

    fn patience(&self) -> &Patience {
        &self.patience
    }

    fn registered(&self) -> MutexGuard<'_, Registered> {
        lock(&self.registered)
    }

    fn activity(&self) -> &Activity {
        &self.activity
    }

    fn appending(&self) -> &Appending {
        &self.appending
    }

    fn announcing(&self) -> &Announcing {
        &self.announcing
    }

    fn walk(&self) -> &futures::lock::Mutex<Walk> {
        &self.walk
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        lock(&self.remembered)
    }

    fn now(&self) -> Time {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
    }

    /// The moment before which a namespace's events are gone.
    fn horizon(&self, namespace: &str) -> Time {
        self.settings.plan.retention.horizon(namespace, self.now())
    }

    /// When a bucket begins.
    fn bucket_start(&self, bucket: i64) -> Time {
        self.settings.layout.bucket_start(bucket)
    }

    /// How long a note about a bucket is kept: as long as its last possible event.
    fn bucket_time_to_live(&self, namespace: &str, bucket: i64, now: Time) -> i32 {
        let end = self.bucket_start(bucket.saturating_add(1));
        // The bucket holds an event that is kept, so its end is not too old either.
        self.settings.plan.retention.time_to_live(namespace, end, now).unwrap_or(1)
    }

    fn count_request(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    fn count_too_old(&self, events: usize) {
        self.too_old.fetch_add(events as u64, Ordering::Relaxed);
    }

    fn at_place<T>(&self, result: Result<T, Failure>) -> Result<T, StoreError> {
        result.map_err(|failure| failure.at(&self.place))
    }
}

/// A panic in another thread leaves nothing half-done behind in what these mutexes hold.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl EventStore for CassandraStore {
    async fn append(&self, batch: &[KnownEvent]) -> Result<Appended, StoreError> {
        self.at_place(self.append_batch(batch).await)
    }

    async fn write(&self, batch: &[KnownEvent]) -> Result<(), StoreError> {
        self.at_place(self.write_batch(batch, &|_| false).await)
    }

    async fn tend(&self) -> Result<(), StoreError> {
        self.at_place(self.make_snapshots().await)?;
        self.at_place(self.forget_expired().await)
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            rows: self.rows.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            too_old: self.too_old.load(Ordering::Relaxed),
        }
    }

    async fn entity(&self, name: &EntityName) -> Result<Option<Entity>, StoreError> {
        let row = self.at_place(self.entity_row(name).await)?;
        Ok(row.map(|row| row.into_entity(name.clone())))
    }

    async fn entities(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
    ) -> Result<Vec<Entity>, StoreError> {
        self.at_place(self.list(filter, after, limit, None).await)
    }

    async fn entities_with(
        &self,
        field: &str,
        text: &str,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
    ) -> Result<Option<Vec<Entity>>, StoreError> {
        if !self.settings.plan.state_index || !write::is_indexed(field, text) {
            return Ok(None);
        }
        self.at_place(self.list(filter, after, limit, Some((field, text))).await).map(Some)
    }

    async fn names(
        &self,
        part: &NamePart<'_>,
        namespaces: Option<&BTreeSet<String>>,
        limit: usize,
    ) -> Result<Vec<EntityName>, StoreError> {
        self.at_place(self.find_names(part, namespaces, limit).await)
    }

    async fn trail(
        &self,
        name: &EntityName,
        query: &TrailQuery,
    ) -> Result<Vec<KnownEvent>, StoreError> {
        self.at_place(self.read_trail(name, query).await)
    }

    async fn state_at(
        &self,
        name: &EntityName,
        at: OrderKey,
        as_known_at: Option<Time>,
    ) -> Result<Option<State>, StoreError> {
        self.at_place(self.read_state_at(name, at, as_known_at).await)
    }

    async fn timeline(&self, query: &TimelineQuery) -> Result<Vec<KnownEvent>, StoreError> {
        self.at_place(self.read_timeline(query).await)
    }

    async fn kinds(&self) -> Result<Vec<Kind>, StoreError> {
        let kinds = self.at_place(CassandraStore::kinds(self).await)?;
        let kind = |(namespace, entity_type)| Kind { namespace, entity_type };
        Ok(kinds.into_iter().map(kind).collect())
    }

    async fn tally(
        &self,
        query: &TimelineQuery,
        step: i64,
        budget: TallyBudget,
    ) -> Result<Tally, StoreError> {
        if query.text.is_some() || query.as_known_at.is_some() {
            return tally_by_pages(self, query, step, budget).await;
        }
        self.at_place(self.tally_places(query, step, budget).await)
    }

    async fn arrivals_end(&self) -> Result<ArrivalCursor, StoreError> {
        self.at_place(self.read_arrivals_end().await)
    }

    async fn arrivals(&self, after: &ArrivalCursor, limit: usize) -> Result<Arrivals, StoreError> {
        self.at_place(self.read_arrivals(after, limit).await)
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.at_place(self.count().await)
    }
}
