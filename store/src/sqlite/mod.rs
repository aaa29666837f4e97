//! The store for one machine: one SQLite file.
//!
//! One process writes while any number of others read; a second writer waits for its turn,
//! which comes within about a second (`turns.rs`). Within a process, a batch is arranged for
//! writing while another one is written, if two are appended at the same time. The calls block the
//! thread for as long as the disk needs: their futures are ready when they are first polled.

mod append;
mod arrivals;
mod batch;
mod buckets;
mod checkpoint;
mod directory;
mod entities;
mod failure;
mod intern;
mod remembered;
mod schema;
mod snapshots;
#[cfg(test)]
mod tests;
mod timeline;
mod trail;
mod turns;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::Connection;
use statetrail_event::{EntityName, OrderKey, State, Time};

use crate::given_up::is_given_up;
use crate::{
    Appended, ArrivalCursor, Arrivals, Counts, Entity, EntityFilter, EntityTest, EventStore, Kind,
    KnownEvent, NamePart, StoreError, Tally, TallyBudget, TimelineQuery, TrailQuery,
};
use append::Writer;
use batch::Batch;
use checkpoint::Checkpointer;
use failure::Failure;

/// Reading connections that are kept open between questions.
const IDLE_READERS: usize = 8;

/// A store in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    place: String,
    /// `None` if the store was opened for reading only.
    writer: Option<(Mutex<Writer>, Checkpointer)>,
    idle_readers: Mutex<Vec<Connection>>,
}

impl SqliteStore {
    /// Opens the store for writing and reading, and creates the file if there is none. Its
    /// folder has to exist.
    ///
    /// # Errors
    /// When the file is no store of this version, or cannot be written.
    pub fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        let mut store = SqliteStore::at(path)?;
        let connection = schema::open_writer(&store.path, &store.place)?;
        let checkpointer = Checkpointer::open(&store.path, &store.place)?;
        store.writer = Some((Mutex::new(Writer::new(connection)), checkpointer));
        Ok(store)
    }

    /// Opens the store for reading, while another process may write to it.
    ///
    /// # Errors
    /// When there is no file, it is no store of this version, or it cannot be read.
    pub fn open_read_only(path: &Path) -> Result<SqliteStore, StoreError> {
        let store = SqliteStore::at(path)?;
        store.read(|_| Ok(()))?;
        Ok(store)
    }

    fn at(path: &Path) -> Result<SqliteStore, StoreError> {
        let place = path.display().to_string();
        // An absolute path is never taken for one of SQLite's special names, such as ":memory:".
        let absolute = std::path::absolute(path).map_err(|error| StoreError::Open {
            place: place.clone(),
            reason: error.to_string(),
        })?;
        Ok(SqliteStore {
            path: absolute,
            place,
            writer: None,
            idle_readers: Mutex::new(Vec::new()),
        })
    }

    /// Answers a question from one consistent view of the store, unless it is given up.
    fn read<T>(
        &self,
        answer: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        if is_given_up() {
            return Err(StoreError::GivenUp { place: self.place.clone() });
        }
        let idle = lock(&self.idle_readers).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.path, &self.place)?,
        };
        let answer_in_transaction = || {
            let transaction = connection.unchecked_transaction()?;
            let answer = answer(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        let answer = answer_in_transaction().map_err(|failure: Failure| failure.at(&self.place))?;
        let mut idle_readers = lock(&self.idle_readers);
        if idle_readers.len() < IDLE_READERS {
            idle_readers.push(connection);
        }
        Ok(answer)
    }
}

/// A panic in another thread leaves nothing half-done behind: its transaction was rolled back.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn append(&self, batch: &[KnownEvent]) -> Result<Appended, StoreError> {
        let Some((writer, checkpointer)) = &self.writer else {
            let reason = "it was opened for reading only".to_owned();
            return Err(StoreError::ReadOnly { place: self.place.clone(), reason });
        };
        let append = || {
            let arranged = Batch::arrange(batch)?;
            let appended = lock(writer).append(arranged)?;
            checkpointer.make_if_due();
            Ok(appended)
        };
        append().map_err(|failure: Failure| failure.at(&self.place))
    }

    async fn entity(&self, name: &EntityName) -> Result<Option<Entity>, StoreError> {
        self.read(|connection| entities::find_entity(connection, name))
    }

    async fn entities(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
    ) -> Result<Vec<Entity>, StoreError> {
        self.read(|connection| directory::list(connection, filter, after, limit))
    }

    async fn entities_passing(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
        test: &EntityTest<'_>,
    ) -> Result<Vec<Entity>, StoreError> {
        self.read(|connection| directory::list_passing(connection, filter, after, limit, test))
    }

    async fn names(
        &self,
        part: &NamePart<'_>,
        namespaces: Option<&BTreeSet<String>>,
        limit: usize,
    ) -> Result<Vec<EntityName>, StoreError> {
        self.read(|connection| directory::names(connection, part, namespaces, limit))
    }

    async fn trail(
        &self,
        name: &EntityName,
        query: &TrailQuery,
    ) -> Result<Vec<KnownEvent>, StoreError> {
        self.read(|connection| trail::trail(connection, name, query))
    }

    async fn state_at(
        &self,
        name: &EntityName,
        at: OrderKey,
        as_known_at: Option<Time>,
    ) -> Result<Option<State>, StoreError> {
        self.read(|connection| trail::state_at(connection, name, at, as_known_at))
    }

    async fn timeline(&self, query: &TimelineQuery) -> Result<Vec<KnownEvent>, StoreError> {
        self.read(|connection| timeline::timeline(connection, query))
    }

    async fn kinds(&self) -> Result<Vec<Kind>, StoreError> {
        self.read(directory::kinds)
    }

    async fn tally(
        &self,
        query: &TimelineQuery,
        step: i64,
        budget: TallyBudget,
    ) -> Result<Tally, StoreError> {
        self.read(|connection| timeline::tally(connection, query, step, budget))
    }

    async fn arrivals_end(&self) -> Result<ArrivalCursor, StoreError> {
        self.read(arrivals::end)
    }

    async fn arrivals(&self, after: &ArrivalCursor, limit: usize) -> Result<Arrivals, StoreError> {
        let reason = match arrivals::Cursor::read(after) {
            Ok(after) => match self.read(|connection| arrivals::read(connection, after, limit))? {
                Some(arrivals) => return Ok(arrivals),
                None => "less has arrived here",
            },
            Err(reason) => reason,
        };
        let (place, cursor) = (self.place.clone(), after.to_string());
        Err(StoreError::OtherCursor { place, cursor, reason: reason.to_owned() })
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(directory::counts)
    }
}
