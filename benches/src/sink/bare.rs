//! The rivals: the same driver, single-row prepared inserts, nothing else.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;
use statetrail_event::Event;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

/// Writes each event with one request: one row of one table, each part in a column of its own.
#[derive(Clone)]
pub struct BareInsert {
    session: Arc<Session>,
    insert: PreparedStatement,
}

/// Writes each event with three requests: a row of each table that statetrail keeps.
#[derive(Clone)]
pub struct BareTables {
    session: Arc<Session>,
    event: PreparedStatement,
    place: PreparedStatement,
    state: PreparedStatement,
}

const SHARDS: u64 = 64;

impl BareInsert {
    /// Makes the table and prepares the statement.
    ///
    /// # Errors
    /// When Cassandra refuses.
    pub async fn prepare(session: Arc<Session>, keyspace: &str) -> Result<BareInsert> {
        make_keyspace(&session, keyspace).await?;
        let table = format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.bare (
                 entity text, time bigint, seq bigint, id blob, known_at bigint, name text,
                 changes text, source text, node text, rule text, line text,
                 PRIMARY KEY (entity, time, seq, id))
             WITH compaction = {{'class': 'UnifiedCompactionStrategy'}}"
        );
        session.query_unpaged(table, ()).await?;
        let insert = session
            .prepare(format!(
                "INSERT INTO {keyspace}.bare
                     (entity, time, seq, id, known_at, name, changes, source, node, rule, line)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            ))
            .await?;
        Ok(BareInsert { session, insert })
    }

    /// Writes one event.
    ///
    /// # Errors
    /// When Cassandra refuses.
    pub async fn write(&self, event: &Event) -> Result<()> {
        let row = (
            event.entity.as_str(),
            event.time.nanos(),
            event.seq as i64,
            event.id.0.as_slice(),
            event.time.nanos(),
            event.name.as_str(),
            changes_of(event),
            event.source.uri.as_str(),
            event.source.node.as_deref(),
            event.rule.as_deref(),
            event.line.as_deref(),
        );
        self.session.execute_unpaged(&self.insert, row).await?;
        Ok(())
    }
}

impl BareTables {
    /// Makes the tables and prepares the statements.
    ///
    /// # Errors
    /// When Cassandra refuses.
    pub async fn prepare(session: Arc<Session>, keyspace: &str) -> Result<BareTables> {
        make_keyspace(&session, keyspace).await?;
        let options = "WITH compaction = {'class': 'UnifiedCompactionStrategy'}";
        for table in [
            "events_1 (shard int, entity text, time bigint, seq bigint, id blob, known_at bigint,
                 name text, changes text, source text, line text,
                 PRIMARY KEY (shard, entity, time, seq, id))",
            "timeline_1 (shard int, namespace text, time bigint, seq bigint, id blob, subject text,
                 name text, PRIMARY KEY (shard, namespace, time, seq, id, subject))",
            "entities_1 (shard int, entity text, last bigint, state map<text, text>,
                 PRIMARY KEY (shard, entity))",
        ] {
            let table = format!("CREATE TABLE IF NOT EXISTS {keyspace}.{table} {options}");
            session.query_unpaged(table, ()).await?;
        }
        let prepare = async |text: &str| session.prepare(text.replace("KS", keyspace)).await;
        let event = prepare(
            "INSERT INTO KS.events_1
                 (shard, entity, time, seq, id, known_at, name, changes, source, line)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .await?;
        let place = prepare(
            "INSERT INTO KS.timeline_1 (shard, namespace, time, seq, id, subject, name)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .await?;
        let state = prepare(
            "UPDATE KS.entities_1 USING TIMESTAMP ? SET last = ?, state = state + ?
             WHERE shard = ? AND entity = ?",
        )
        .await?;
        Ok(BareTables { event, place, state, session })
    }

    /// Writes one event's rows, one after the other.
    ///
    /// # Errors
    /// When Cassandra refuses.
    pub async fn write(&self, event: &Event) -> Result<()> {
        let (entity, time, seq) = (event.entity.as_str(), event.time.nanos(), event.seq as i64);
        // All of an entity in one shard, as with ours.
        let mut hasher = DefaultHasher::new();
        entity.hash(&mut hasher);
        let shard = (hasher.finish() % SHARDS) as i32;
        let id = event.id.0.as_slice();
        let changes = changes_of(event);
        let (name, source) = (event.name.as_str(), event.source.uri.as_str());
        let line = event.line.as_deref();
        let row = (shard, entity, time, seq, id, time, name, changes, source, line);
        self.session.execute_unpaged(&self.event, row).await?;
        let (namespace, subject) = (event.entity.namespace(), event.entity.subject());
        let row = (shard, namespace, time, seq, id, subject, name);
        self.session.execute_unpaged(&self.place, row).await?;
        let state: std::collections::BTreeMap<&str, String> = event
            .changes
            .iter()
            .filter_map(|change| Some((&*change.field, change.value.as_ref()?.to_string())))
            .collect();
        let row = (time / 1_000, time, state, shard, entity);
        self.session.execute_unpaged(&self.state, row).await?;
        Ok(())
    }
}

async fn make_keyspace(session: &Session, keyspace: &str) -> Result<()> {
    let statement = format!(
        "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication =
             {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    );
    session.query_unpaged(statement, ()).await?;
    Ok(())
}

fn changes_of(event: &Event) -> String {
    let mut changes = String::new();
    for change in &event.changes {
        changes.push_str(&change.field);
        changes.push('=');
        if let Some(value) = &change.value {
            changes.push_str(&value.to_string());
        }
        changes.push(';');
    }
    changes
}

/// Takes events from memory: `at_once` tasks, each writing one after the other.
///
/// # Errors
/// When a write fails.
pub async fn from_memory<W, F>(events: Arc<Vec<Event>>, at_once: usize, write: W) -> Result<()>
where
    W: Fn(Arc<Vec<Event>>, usize) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let (events, next, write) = (events.clone(), next.clone(), write.clone());
        tasks.spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= events.len() {
                    return Ok::<_, anyhow::Error>(());
                }
                write(events.clone(), index).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// Takes events from a channel, `at_once` of them at a time, until it is closed.
///
/// # Errors
/// When a write fails.
pub async fn from_channel(
    mut events: Receiver<Vec<Event>>,
    at_once: usize,
    insert: BareInsert,
) -> Result<()> {
    let mut tasks = JoinSet::new();
    while let Some(batch) = events.recv().await {
        for event in batch {
            if tasks.len() >= at_once
                && let Some(ended) = tasks.join_next().await
            {
                ended??;
            }
            let insert = insert.clone();
            tasks.spawn(async move { insert.write(&event).await });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
