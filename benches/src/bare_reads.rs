//! The rivals of questions: bare SELECTs of the same rows from the same file, stepped through to
//! the end and thrown away.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Result, Row, params};
use statetrail_event::{EntityName, Time};

/// A connection of its own, with the settings of the store's readers.
pub struct BareReads {
    connection: Connection,
}

impl BareReads {
    /// Opens a store's file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn of_store(path: &Path) -> Result<BareReads> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(BareReads { connection })
    }

    /// The rows that a state at that time is folded from: every event of the entity so far.
    /// Returns their number and the bytes of their changes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn events_until(&self, entity: &EntityName, until: Time) -> Result<(u64, u64)> {
        let mut select = self.connection.prepare_cached(
            "SELECT time, seq, id, changes FROM events
             WHERE bucket IN (SELECT bucket FROM buckets) AND entity_no = (
                 SELECT entity_no FROM entities
                 WHERE namespace = ?1 AND entity_type = ?2 AND entity_id = ?3)
             AND time <= ?4",
        )?;
        let (namespace, entity_type, id) = (entity.namespace(), entity.entity_type(), entity.id());
        let mut rows = select.query(params![namespace, entity_type, id, until.nanos()])?;
        let mut total = (0, 0);
        while let Some(row) = rows.next()? {
            let bytes = bytes_of(row, 3)? + row.get::<_, i64>(0)?.min(0).unsigned_abs();
            total = (total.0 + 1, total.1 + bytes);
        }
        Ok(total)
    }

    /// The rows of a page of a trail, with their lines and sources: the last events before that
    /// time.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn page_before(&self, entity: &EntityName, until: Time, limit: u64) -> Result<u64> {
        let mut select = self.connection.prepare_cached(
            "SELECT time, seq, id, name, changes, known_at, offset, line, rule, uri, node, file
             FROM events
             CROSS JOIN lines USING (line_no) CROSS JOIN sources USING (source_no)
             LEFT JOIN rules USING (rule_no)
             WHERE bucket IN (SELECT bucket FROM buckets) AND entity_no = (
                 SELECT entity_no FROM entities
                 WHERE namespace = ?1 AND entity_type = ?2 AND entity_id = ?3)
             AND time <= ?4
             ORDER BY bucket DESC, time DESC, seq DESC, id DESC LIMIT ?5",
        )?;
        let (namespace, entity_type, id) = (entity.namespace(), entity.entity_type(), entity.id());
        let mut rows = select.query(params![namespace, entity_type, id, until.nanos(), limit])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += u64::from(bytes_of(row, 4)? > 0);
        }
        Ok(count)
    }

    /// The rows of all entities of a type. Returns how many.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn entities_of_type(&self, entity_type: &str) -> Result<u64> {
        let mut select = self.connection.prepare_cached(
            "SELECT namespace, entity_type, entity_id, first_time, last_time, known_by, state
             FROM entities WHERE entity_type = ?1",
        )?;
        let mut rows = select.query([entity_type])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += u64::from(bytes_of(row, 6)? > 0);
        }
        Ok(count)
    }
}

fn bytes_of(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(row.get_ref(column)?.as_blob()?.len() as u64)
}
