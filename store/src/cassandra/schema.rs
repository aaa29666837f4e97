//! The tables, and the settings that are fixed when they are made.
//!
//! Rows are written `USING TIMESTAMP`, but never with the time of writing: the timestamp says
//! which of two writes counts, so that any order of arrival and any number of copies gives the
//! same rows (invariants I1 and I3).
//!
//! | write | its timestamp | so that |
//! |---|---|---|
//! | a row of `events` | the less, the later the event was known | of copies the earliest known-at counts |
//! | `state` and `last` of an entity | the event's time | the latest event counts; where times are equal, the greater value does, and values begin with the event's key |
//! | `first` of an entity | the less, the later the event | the earliest counts |
//!
//! `streams` and `arrivals` have one writer for each row, which never changes its mind.
//!
//! Event times and known-ats are nanoseconds since 1970, everywhere.

use std::collections::BTreeMap;

use super::stream::{ARRIVALS_KEPT_SECONDS, STREAM_KEPT_SECONDS};

/// Seconds for which Cassandra keeps what has expired: as long as it hands rows to a node that was
/// away.
const EXPIRED_KEPT_SECONDS: u64 = 3 * 3_600;

/// The version of tables and settings that this program reads and writes. What it adds to the one
/// before stands in [`step`].
pub(super) const VERSION: i64 = 2;

/// The oldest version from which there are steps to this one.
pub(super) const OLDEST: i64 = 1;

/// The oldest version whose programs may work with a store of this one. It is raised with the
/// version where they would do harm: those of version 1 would not tell what arrived.
pub(super) const USABLE_BY: i64 = 2;

/// The replication of a keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replication {
    /// That many copies, wherever the cluster puts them: for one datacenter.
    Simple(u32),
    /// So many copies in each of these datacenters.
    Datacenters(BTreeMap<String, u32>),
}

impl Replication {
    /// As CREATE KEYSPACE takes it.
    pub(super) fn cql(&self) -> String {
        match self {
            Replication::Simple(copies) => {
                format!("{{'class': 'SimpleStrategy', 'replication_factor': {copies}}}")
            }
            Replication::Datacenters(copies) => {
                let copies: Vec<String> =
                    copies.iter().map(|(name, copies)| format!("'{name}': {copies}")).collect();
                format!("{{'class': 'NetworkTopologyStrategy', {}}}", copies.join(", "))
            }
        }
    }
}

impl Replication {
    /// The options of the strategy, without its class, as Cassandra's schema tells them.
    pub(super) fn options(&self) -> BTreeMap<String, String> {
        match self {
            Replication::Simple(copies) => {
                BTreeMap::from([("replication_factor".to_owned(), copies.to_string())])
            }
            Replication::Datacenters(copies) => {
                copies.iter().map(|(name, copies)| (name.clone(), copies.to_string())).collect()
            }
        }
    }
}

/// As people write it: `3`, or `dc1=3,dc2=2`.
impl std::fmt::Display for Replication {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Replication::Simple(copies) => write!(formatter, "{copies}"),
            Replication::Datacenters(copies) => {
                let copies: Vec<String> =
                    copies.iter().map(|(name, copies)| format!("{name}={copies}")).collect();
                formatter.pad(&copies.join(","))
            }
        }
    }
}

/// Why a text is no replication.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("replication is a number of copies such as 3, or one for each datacenter: dc1=3,dc2=2")]
pub struct ReplicationError;

impl std::str::FromStr for Replication {
    type Err = ReplicationError;

    fn from_str(text: &str) -> Result<Replication, ReplicationError> {
        let copies = |text: &str| match text.parse() {
            Ok(copies @ 1..=99) => Ok(copies),
            _ => Err(ReplicationError),
        };
        if !text.contains('=') {
            return copies(text).map(Replication::Simple);
        }
        let mut datacenters = BTreeMap::new();
        for part in text.split(',') {
            let (name, number) = part.split_once('=').ok_or(ReplicationError)?;
            let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if name.is_empty() || !name.bytes().all(sound) {
                return Err(ReplicationError);
            }
            datacenters.insert(name.to_owned(), copies(number)?);
        }
        Ok(Replication::Datacenters(datacenters))
    }
}

/// Compaction that leaves wide partitions in few files and adapts by itself.
const TABLE_OPTIONS: &str = "WITH compaction = {'class': 'UnifiedCompactionStrategy'}";

/// The statements that make the tables in a keyspace that exists. Each may be repeated.
pub(super) fn tables(keyspace: &str, state_index: bool) -> Vec<String> {
    let options = TABLE_OPTIONS;
    let fields = if state_index { "fields map<text, text>," } else { "" };
    let mut statements = vec![
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.events (
                 shard int, bucket bigint,
                 entity text, time bigint, seq bigint, id blob,
                 known_at bigint, name text, changes blob, origin blob, line text,
                 PRIMARY KEY ((shard, bucket), entity, time, seq, id)) {options}"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.timeline (
                 shard int, span bigint,
                 namespace text, time bigint, seq bigint, id blob, subject text,
                 name text,
                 PRIMARY KEY ((shard, span), namespace, time, seq, id, subject)) {options}"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.entities (
                 shard int,
                 entity text,
                 first bigint, last bigint, buckets set<bigint>, late map<bigint, bigint>,
                 {fields} state map<text, blob>,
                 PRIMARY KEY (shard, entity)) {options}"
        ),
        // What there is: pairs of namespace and type, buckets and spans. Few rows each.
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.kinds (
                 shard int, namespace text, entity_type text,
                 PRIMARY KEY (shard, namespace, entity_type)) {options}"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.periods (
                 shard int, kind text, number bigint,
                 PRIMARY KEY (shard, kind, number)) {options}"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.snapshots (
                 shard int, entity text, time bigint, seq bigint, id blob,
                 made_at bigint, known_by bigint, events bigint, state blob,
                 PRIMARY KEY (shard, entity, time, seq, id)) {options}"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.settings (name text PRIMARY KEY, value text)"
        ),
    ];
    statements.extend(tables_of_arrivals(keyspace));
    if state_index {
        statements.push(format!(
            "CREATE INDEX IF NOT EXISTS state_index ON {keyspace}.entities (entries(fields))
             USING 'sai'"
        ));
    }
    statements
}

/// What arrived, in streams, each written by one process; see `announce.rs`. Their rows are never
/// deleted and never written anew with other values, so that what has expired may be thrown away
/// soon.
fn tables_of_arrivals(keyspace: &str) -> Vec<String> {
    let options = TABLE_OPTIONS;
    vec![
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.streams (
                 shard int, stream bigint, began bigint, part bigint,
                 PRIMARY KEY (shard, stream))
             {options} AND default_time_to_live = {STREAM_KEPT_SECONDS}
             AND gc_grace_seconds = {EXPIRED_KEPT_SECONDS}"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.arrivals (
                 stream bigint, part bigint, number bigint, written bigint, places blob,
                 PRIMARY KEY ((stream, part), number))
             {options} AND default_time_to_live = {ARRIVALS_KEPT_SECONDS}
             AND gc_grace_seconds = {EXPIRED_KEPT_SECONDS}"
        ),
    ]
}

/// The statements that take a store of the version before to this one, while programs of both
/// work with it: they only add, and each may be repeated.
pub(super) fn step(version: i64, keyspace: &str) -> Vec<String> {
    match version {
        2 => tables_of_arrivals(keyspace),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replication_is_read_as_it_is_shown() {
        for text in ["1", "3", "dc1=3", "dc1=3,dc2=2"] {
            assert_eq!(text.parse::<Replication>().unwrap().to_string(), text);
        }
        for wrong in ["", "0", "x", "dc1=", "=3", "dc1=3,", "dc'1=3"] {
            assert_eq!(wrong.parse::<Replication>(), Err(ReplicationError), "{wrong}");
        }
    }
}
