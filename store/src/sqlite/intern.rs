//! Numbers for the texts that many lines share.

use std::collections::HashMap;
use std::hash::Hash;
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
    sources: Numbers<Source>,
    rules: Numbers<str>,
}

/// Numbers by text and, because lines of one origin share the text itself, by its place in
/// memory: telling that two texts are the same one is faster than telling that they are equal.
struct Numbers<T: ?Sized> {
    /// Holds the texts, so that no other one takes their place.
    by_place: HashMap<usize, (Arc<T>, i64), RandomState>,
    by_text: HashMap<Arc<T>, i64, RandomState>,
}

impl Interner {
    /// The number of that source, which is stored if it is new.
    pub(super) fn source(
        &mut self,
        connection: &Connection,
        source: &Arc<Source>,
    ) -> rusqlite::Result<i64> {
        self.sources.number(source, || match find_source(connection, source)? {
            Some(number) => Ok(number),
            None => insert_source(connection, source),
        })
    }

    /// The number of that rule, which is stored if it is new.
    pub(super) fn rule(
        &mut self,
        connection: &Connection,
        rule: &Arc<str>,
    ) -> rusqlite::Result<i64> {
        self.rules.number(rule, || match find_rule(connection, rule)? {
            Some(number) => Ok(number),
            None => insert_rule(connection, rule),
        })
    }
}

impl<T: ?Sized> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers { by_place: HashMap::default(), by_text: HashMap::default() }
    }
}

impl<T: ?Sized + Eq + Hash> Numbers<T> {
    /// The number of that text, from the database if it is not remembered.
    fn number(
        &mut self,
        text: &Arc<T>,
        find_or_insert: impl FnOnce() -> rusqlite::Result<i64>,
    ) -> rusqlite::Result<i64> {
        let place = Arc::as_ptr(text).cast::<()>().addr();
        if let Some((_, number)) = self.by_place.get(&place) {
            return Ok(*number);
        }
        let number = match self.by_text.get(text) {
            Some(number) => *number,
            None => find_or_insert()?,
        };
        if self.by_place.len() >= REMEMBERED {
            *self = Numbers::default();
        }
        self.by_place.insert(place, (text.clone(), number));
        self.by_text.insert(text.clone(), number);
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
