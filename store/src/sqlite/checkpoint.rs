//! Bringing the write-ahead log into the database beside the writer.
//!
//! A checkpoint waits for the disk twice and copies every changed page, and the writer has no
//! part in that. So it is done by whoever has appended a batch, once the next one may write. Only
//! the writer can begin the log anew, and only when all of it is in the database: at a size that
//! is set in `schema.rs` it brings the rest there itself, of which there is little then.

use std::path::Path;
use std::sync::{Mutex, TryLockError};

use rusqlite::Connection;

use super::schema::{self, CHECKPOINT_PAGES};
use crate::StoreError;

/// A connection for checkpoints alone.
pub(super) struct Checkpointer(Mutex<Connection>);

impl Checkpointer {
    pub(super) fn open(path: &Path, place: &str) -> Result<Checkpointer, StoreError> {
        Ok(Checkpointer(Mutex::new(schema::open_writer(path, place)?)))
    }

    /// Makes a checkpoint if enough is new in the log and nobody else is at it. Whether it works
    /// does not matter: the log stays valid, and the writer tries again.
    pub(super) fn make_if_due(&self) {
        let connection = match self.0.try_lock() {
            Ok(connection) => connection,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if pages_in_log_alone(&connection).is_ok_and(|pages| pages >= CHECKPOINT_PAGES) {
            let _ = checkpoint(&connection, "PASSIVE");
        }
    }
}

fn pages_in_log_alone(connection: &Connection) -> rusqlite::Result<i64> {
    let (in_log, of_those_in_database) = checkpoint(connection, "NOOP")?;
    Ok(in_log - of_those_in_database)
}

/// The pages of the log, and those of them that are in the database too.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<(i64, i64)> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
}
