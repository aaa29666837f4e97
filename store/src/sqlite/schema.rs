//! The tables, and opening a database file only if it is one of ours.

use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::buckets;
use super::failure::Failure;
use super::turns::wait_for_others;
use crate::StoreError;
use crate::given_up::is_given_up;

/// `application_id` of our files: "strl".
const APPLICATION_ID: i64 = 0x7374_726c;
/// `user_version` of our files; any other is refused.
pub(super) const FORMAT: i64 = 2;

/// Measured with rows of 400 bytes: a third faster than 4 KiB, and 32 KiB gains nothing more.
const PAGE_BYTES: u32 = 16_384;
/// The size of the write-ahead log at which the writer itself brings it into the database and
/// begins it anew. A page that several batches change is written to the database once, so more is
/// faster; a reader that stays can let the log grow beyond it.
const LOG_BYTES: u32 = 128 << 20;
/// What has to be new in the log for somebody else than the writer to bring it into the database
/// meanwhile, see `checkpoint.rs`.
const CHECKPOINT_BYTES: u32 = 32 << 20;
/// The same in pages.
pub(super) const CHECKPOINT_PAGES: i64 = (CHECKPOINT_BYTES / PAGE_BYTES) as i64;
const WRITER_CACHE_BYTES: u32 = 64 << 20;
const READER_CACHE_BYTES: u32 = 16 << 20;
/// Steps of the database's machine after which a question looks whether it is given up: some tens of
/// rows.
const STEPS_BETWEEN_LOOKS: i32 = 1_000;

/// | table | holds |
/// |---|---|
/// | `entities` | directory and current state, one row for an entity |
/// | `events` | the trails, without what is needed only to show them |
/// | `lines` | where an event came from; events of one line share a row, which is made with the first of them; its number tells the order of arrival, its time and seq where they are, see `arrivals.rs` |
/// | `sources`, `rules` | texts that many lines share |
/// | `snapshots` | folds of stretches of long trails, see `snapshots.rs` |
/// | `buckets` | spans of event time, see `buckets.rs` |
///
/// Numbers grow with first sight, so that what is new is written at the end of each tree. An
/// event's row begins with its bucket, so that new events of old entities too meet in few pages:
/// with 20,000 entities that live on, that is 4 times as fast, and it stays so as the file grows.
const TABLES: &str = "
CREATE TABLE entities (
    entity_no INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    first_time INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    known_by INTEGER NOT NULL,
    events INTEGER NOT NULL,
    tail_start BLOB,
    tail_events INTEGER NOT NULL,
    state BLOB NOT NULL,
    UNIQUE (namespace, entity_type, entity_id)
);
CREATE TABLE events (
    bucket INTEGER NOT NULL,
    entity_no INTEGER NOT NULL,
    time INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    changes BLOB NOT NULL,
    known_at INTEGER NOT NULL,
    line_no INTEGER NOT NULL,
    PRIMARY KEY (bucket, entity_no, time, seq, id)
) WITHOUT ROWID;
CREATE INDEX timeline ON events (time, seq, id);
CREATE TABLE lines (
    line_no INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    source_no INTEGER NOT NULL,
    rule_no INTEGER,
    offset INTEGER,
    line TEXT
);
CREATE TABLE sources (
    source_no INTEGER PRIMARY KEY,
    uri TEXT NOT NULL,
    node TEXT,
    file TEXT
);
CREATE INDEX sources_by_uri ON sources (uri);
CREATE TABLE rules (
    rule_no INTEGER PRIMARY KEY,
    rule TEXT NOT NULL UNIQUE
);
CREATE TABLE snapshots (
    entity_no INTEGER NOT NULL,
    level INTEGER NOT NULL,
    start_key BLOB NOT NULL,
    end_key BLOB NOT NULL,
    parts INTEGER NOT NULL,
    known_by INTEGER NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (entity_no, level, start_key)
) WITHOUT ROWID;
CREATE TABLE buckets (
    bucket INTEGER PRIMARY KEY,
    start_time INTEGER NOT NULL UNIQUE,
    events INTEGER NOT NULL,
    look_at INTEGER NOT NULL
);
";

/// Opens the file for writing, and makes it a store if it is new or empty.
pub(super) fn open_writer(path: &Path, place: &str) -> Result<Connection, StoreError> {
    refuse_folder(path, place)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<Connection, Failure> {
        let mut connection = Connection::open_with_flags(path, flags)?;
        wait_for_others(&mut connection)?;
        if holds_nothing(&connection)? {
            create(&mut connection)?;
        }
        Ok(connection)
    };
    let connection =
        open().map_err(|failure| explained(failure.at(place), || why_no_writer(path)))?;
    check_format(&connection, place)?;
    configure_writer(&connection).map_err(|error| Failure::from(error).at(place))?;
    Ok(connection)
}

/// Opens the file for reading. It has to exist and is never changed.
pub(super) fn open_reader(path: &Path, place: &str) -> Result<Connection, StoreError> {
    refuse_folder(path, place)?;
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => {
            let found = "an empty file; an import makes a store of it".to_owned();
            return Err(StoreError::NotAStore { place: place.to_owned(), found });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::Missing { place: place.to_owned() });
        }
        // Everything else is for the database to judge.
        Ok(_) | Err(_) => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags)
        .map_err(Failure::from)
        .and_then(|connection| configure_reader(connection).map_err(Failure::from));
    let connection = match opened {
        // Readers share an index of the log with the writer, in a file beside the store. Where
        // none can be made, nobody can be writing, and without a log none is needed.
        Err(failure) if failure.is_missing_file() && !has_log(path) => open_immutable(path)
            .map_err(|failure| explained(failure.at(place), || File::open(path).err()))?,
        Err(failure) if failure.is_missing_file() && path.exists() => {
            let reason = "its log was left behind by a writer that was killed, and its folder \
                          does not let it be read; open the store once where it can be written";
            return Err(StoreError::Open { place: place.to_owned(), reason: reason.into() });
        }
        opened => opened.map_err(|failure| failure.at(place))?,
    };
    check_format(&connection, place)?;
    Ok(connection)
}

/// The error in the system's words: the database says only that it cannot open the file. To be
/// asked only after that, because closing a file that is open as a database takes its locks.
fn explained(error: StoreError, why: impl FnOnce() -> Option<io::Error>) -> StoreError {
    match error {
        StoreError::Open { place, reason } => {
            let reason = why().map_or(reason, |error| error.to_string());
            StoreError::Open { place, reason }
        }
        error => error,
    }
}

/// Why a file can neither be written nor created, if it can not.
fn why_no_writer(path: &Path) -> Option<io::Error> {
    match File::options().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            File::options().read(true).write(true).open(path).err()
        }
        Err(error) => Some(error),
        // It can be created after all, and nothing is in it.
        Ok(_) => std::fs::remove_file(path).err(),
    }
}

fn configure_reader(mut connection: Connection) -> rusqlite::Result<Connection> {
    wait_for_others(&mut connection)?;
    configure(&connection, READER_CACHE_BYTES)?;
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_given_up))?;
    // The first look into the file shows whether it can be read at all.
    connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

/// Whether a writer is at work or was killed.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

/// Opens a file that nobody can change, without any file beside it.
fn open_immutable(path: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    Ok(configure_reader(Connection::open_with_flags(uri, flags)?)?)
}

fn refuse_folder(path: &Path, place: &str) -> Result<(), StoreError> {
    if path.is_dir() {
        return Err(StoreError::NotAStore { place: place.to_owned(), found: "a folder".into() });
    }
    Ok(())
}

fn holds_nothing(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    // Both have to stand before the first page is written, and outside of a transaction.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if holds_nothing(&transaction)? {
        transaction.execute_batch(TABLES)?;
        buckets::create_first(&transaction)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()
}

/// Refuses files of other programs and of other versions, before anything is changed in them.
fn check_format(connection: &Connection, place: &str) -> Result<(), StoreError> {
    let read = |pragma: &str| -> Result<i64, StoreError> {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .map_err(|error| Failure::from(error).at(place))
    };
    if read("application_id")? != APPLICATION_ID {
        let found = "an SQLite database of another program".to_owned();
        return Err(StoreError::NotAStore { place: place.to_owned(), found });
    }
    match read("user_version")? {
        FORMAT => Ok(()),
        found => Err(StoreError::OtherFormat { place: place.to_owned(), found, supported: FORMAT }),
    }
}

/// `synchronous = NORMAL` with a write-ahead log: a killed process loses nothing that was
/// appended; a power failure may lose the last batches, but never leaves half of one.
fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_BYTES / PAGE_BYTES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    configure(connection, WRITER_CACHE_BYTES)
}

fn configure(connection: &Connection, bytes: u32) -> rusqlite::Result<()> {
    // Without this, every new value in a comparison makes SQLite plan the statement again, which
    // takes longer than to run it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A negative number means KiB; a positive one would mean pages.
    connection.pragma_update(None, "cache_size", -i64::from(bytes / 1024))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}
