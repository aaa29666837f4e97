//! Numbers for the texts that many lines share.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, params};
use statetrail_event::Source;

/// Texts remembered between lookups. A store has few sources and rules at a time; when more
/// come, forgetting them all costs a lookup each and keeps memory bounded.
const REMEMBERED: usize = 10_000;

/// The numbers of sources and rules.
#[derive(Default)]
pub(super) struct Interner {
    sources: HashMap<Arc<Source>, i64, RandomState>,
    rules: HashMap<Arc<str>, i64, RandomState>,
}

impl Interner {
    /// The number of that source, which is stored if it is new.
    pub(super) fn source(
        &mut self,
        connection: &Connection,
        source: &Arc<Source>,
    ) -> rusqlite::Result<i64> {
        if let Some(number) = self.sources.get(source) {
            return Ok(*number);
        }
        let number = match find_source(connection, source)? {
            Some(number) => number,
            None => insert_source(connection, source)?,
        };
        if self.sources.len() >= REMEMBERED {
            self.sources.clear();
        }
        self.sources.insert(source.clone(), number);
        Ok(number)
    }

    /// The number of that rule, which is stored if it is new.
    pub(super) fn rule(
        &mut self,
        connection: &Connection,
        rule: &Arc<str>,
    ) -> rusqlite::Result<i64> {
        if let Some(number) = self.rules.get(rule) {
            return Ok(*number);
        }
        let number = match find_rule(connection, rule)? {
            Some(number) => number,
            None => insert_rule(connection, rule)?,
        };
        if self.rules.len() >= REMEMBERED {
            self.rules.clear();
        }
        self.rules.insert(rule.clone(), number);
        Ok(number)
    }
}

fn find_source(connection: &Connection, source: &Source) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT source_no FROM sources WHERE uri = ?1 AND node IS ?2 AND file IS ?3",
        )?
        .query_row(params![source.uri, source.node, source.file], |row| row.get(0))
        .optional()
}

fn insert_source(connection: &Connection, source: &Source) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO sources (uri, node, file) VALUES (?1, ?2, ?3)")?
        .insert(params![source.uri, source.node, source.file])
}

fn find_rule(connection: &Connection, rule: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT rule_no FROM rules WHERE rule = ?1")?
        .query_row([rule], |row| row.get(0))
        .optional()
}

fn insert_rule(connection: &Connection, rule: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached("INSERT INTO rules (rule) VALUES (?1)")?.insert([rule])
}
