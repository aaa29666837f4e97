//! The rival of every import: a bare loop that inserts the rows of a finished store into a new
//! file, with prepared statements in large transactions.
//!
//! It writes what the import wrote and nothing else: the same tables and indexes with the same
//! settings of the database, each row once, events in the order of their times. The rows lie
//! ready in memory, so that nothing is read, encoded or decided while the clock runs.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, Result, params_from_iter};

/// The tables with rows, each with the order in which its rows came into being.
const TABLES: [(&str, &str); 7] = [
    ("sources", "source_no"),
    ("rules", "rule_no"),
    ("buckets", "bucket"),
    ("entities", "entity_no"),
    ("snapshots", "entity_no, start_key"),
    ("lines", "line_no"),
    ("events", "time, seq"),
];

/// The rows of a finished store, ready to be inserted.
pub struct BareLoop {
    schema: Vec<String>,
    page_bytes: i64,
    tables: Vec<Table>,
}

struct Table {
    insert: String,
    rows: Vec<Vec<Value>>,
}

impl BareLoop {
    /// Reads all rows of a store that nobody has open.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_store(path: &Path) -> Result<BareLoop> {
        let connection = Connection::open(path)?;
        let mut tables = Vec::new();
        for (name, order) in TABLES {
            tables.push(read_table(&connection, name, order)?);
        }
        Ok(BareLoop {
            schema: read_schema(&connection)?,
            page_bytes: connection.pragma_query_value(None, "page_size", |row| row.get(0))?,
            tables,
        })
    }

    /// Inserts the rows into a new file, with `transaction_rows` events or lines in each
    /// transaction, and returns how long it took.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn insert(&self, path: &Path, transaction_rows: usize) -> Result<Duration> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "page_size", self.page_bytes)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "wal_autocheckpoint", (128 << 20) / self.page_bytes)?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        for statement in &self.schema {
            connection.execute(statement, [])?;
        }
        let start = Instant::now();
        // Tables advance side by side, as they do in an import.
        let longest = self.tables.iter().map(|table| table.rows.len()).max().unwrap_or(0);
        let transactions = longest.div_ceil(transaction_rows).max(1);
        for turn in 0..transactions {
            let transaction = connection.unchecked_transaction()?;
            for table in &self.tables {
                let share = table.rows.len().div_ceil(transactions);
                let from = (turn * share).min(table.rows.len());
                let to = (from + share).min(table.rows.len());
                let mut insert = transaction.prepare_cached(&table.insert)?;
                for row in &table.rows[from..to] {
                    insert.execute(params_from_iter(row))?;
                }
            }
            transaction.commit()?;
        }
        Ok(start.elapsed())
    }
}

fn read_schema(connection: &Connection) -> Result<Vec<String>> {
    connection
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn read_table(connection: &Connection, name: &str, order: &str) -> Result<Table> {
    let mut select = connection.prepare(&format!("SELECT * FROM {name} ORDER BY {order}"))?;
    let columns = select.column_count();
    let marks = vec!["?"; columns].join(", ");
    let rows = select
        .query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?
        .collect::<Result<_>>()?;
    Ok(Table { insert: format!("INSERT INTO {name} VALUES ({marks})"), rows })
}
