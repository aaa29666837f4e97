//! Every statement that the hot paths use, prepared once.

use futures::future::try_join_all;
use scylla::client::session::Session;
use scylla::statement::Statement;
use scylla::statement::prepared::PreparedStatement;

use super::connect::Failure;

/// Rows that a page of a long answer holds.
const PAGE_ROWS: i32 = 1_000;

macro_rules! statements {
    ($($(#[doc = $doc:literal])* $name:ident: $cql:expr;)+) => {
        /// The statements of one store.
        #[derive(Debug)]
        pub(super) struct Statements {
            $($(#[doc = $doc])* pub(super) $name: PreparedStatement,)+
        }

        impl Statements {
            /// Has the cluster prepare all of them.
            pub(super) async fn prepare(
                session: &Session,
                keyspace: &str,
                state_index: bool,
            ) -> Result<Statements, Failure> {
                let texts = [$(($cql)(keyspace, state_index)),+];
                let prepared = try_join_all(texts.into_iter().map(async |text: String| {
                    let mut prepared = session.prepare(Statement::new(text)).await?;
                    // Writing the same again changes nothing, so the driver may repeat them all.
                    prepared.set_is_idempotent(true);
                    prepared.set_page_size(PAGE_ROWS);
                    Ok::<_, Failure>(prepared)
                }))
                .await?;
                let mut prepared = prepared.into_iter();
                let mut next = || prepared.next().expect("one is prepared for each text");
                Ok(Statements { $($name: next(),)+ })
            }
        }
    };
}

/// The columns of an event, without those that name its entity.
const EVENT_COLUMNS: &str = "time, seq, id, known_at, name, changes, origin, line";
const OF_ENTITY: &str = "shard = ? AND bucket = ? AND entity = ?
    AND (time, seq, id) >= (?, ?, ?) AND (time, seq, id) <= (?, ?, ?)";
const DESCENDING: &str = "ORDER BY entity DESC, time DESC, seq DESC, id DESC";

statements! {
    /// Writes an event.
    insert_event: |keyspace: &str, _| format!(
        "INSERT INTO {keyspace}.events
             (shard, bucket, entity, time, seq, id, known_at, name, changes, origin, line)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?");
    /// Writes an event's row of the timeline.
    insert_place: |keyspace: &str, _| format!(
        "INSERT INTO {keyspace}.timeline (shard, span, namespace, time, seq, id, subject, name)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?");
    /// Writes what an event says of the current state; see `expiry.rs` for why without a time to live.
    update_state: |keyspace: &str, state_index| format!(
        "UPDATE {keyspace}.entities USING TIMESTAMP ?
         SET last = ?, state = state + ? {}
         WHERE shard = ? AND entity = ?",
        if state_index { ", fields = fields + ?, fields = fields - ?" } else { "" });
    /// Deletes the current state that events up to a moment gave.
    delete_state: |keyspace: &str, state_index| format!(
        "DELETE last, state {} FROM {keyspace}.entities USING TIMESTAMP ?
         WHERE shard = ? AND entity = ?",
        if state_index { ", fields" } else { "" });
    /// Notes that an entity has events in a bucket.
    note_bucket: |keyspace: &str, _| format!(
        "UPDATE {keyspace}.entities USING TIMESTAMP ? AND TTL ?
         SET first = ?, buckets = buckets + ?
         WHERE shard = ? AND entity = ?");
    /// Notes that events come late into a bucket.
    note_late: |keyspace: &str, _| format!(
        "UPDATE {keyspace}.entities USING TIMESTAMP ? AND TTL ?
         SET late[?] = ? WHERE shard = ? AND entity = ?");
    /// Notes a pair of namespace and type.
    insert_kind: |keyspace: &str, _| format!(
        "INSERT INTO {keyspace}.kinds (shard, namespace, entity_type) VALUES (?, ?, ?)");
    /// Notes a bucket or span.
    insert_period: |keyspace: &str, _| format!(
        "INSERT INTO {keyspace}.periods (shard, kind, number) VALUES (?, ?, ?)");
    /// Notes a stream of arrivals and its last part.
    insert_stream: |keyspace: &str, _| format!(
        "INSERT INTO {keyspace}.streams (shard, stream, began, part)
         VALUES (?, ?, ?, ?) USING TIMESTAMP ?");
    /// Writes what arrived.
    insert_arrivals: |keyspace: &str, _| format!(
        "INSERT INTO {keyspace}.arrivals (stream, part, number, written, places)
         VALUES (?, ?, ?, ?, ?)");
    /// Streams of arrivals.
    streams: |keyspace: &str, _| format!(
        "SELECT stream, began, part FROM {keyspace}.streams WHERE shard = ?");
    /// What arrived, from a row on.
    arrivals: |keyspace: &str, _| format!(
        "SELECT number, written, places FROM {keyspace}.arrivals
         WHERE stream = ? AND part = ? AND number >= ? LIMIT ?");
    /// What arrived before a row, the last row first.
    arrivals_before: |keyspace: &str, _| format!(
        "SELECT number, written, places FROM {keyspace}.arrivals
         WHERE stream = ? AND part = ? AND number < ? ORDER BY number DESC LIMIT ?");
    /// Which of these events there are, and when they became known.
    keys_among: |keyspace: &str, _| format!(
        "SELECT entity, time, seq, id, known_at FROM {keyspace}.events
         WHERE shard = ? AND bucket = ? AND (entity, time, seq, id) IN ?");
    /// These events.
    events_among: |keyspace: &str, _| format!(
        "SELECT entity, {EVENT_COLUMNS} FROM {keyspace}.events
         WHERE shard = ? AND bucket = ? AND (entity, time, seq, id) IN ?");
    /// A stretch of a trail.
    trail: |keyspace: &str, _| format!(
        "SELECT {EVENT_COLUMNS} FROM {keyspace}.events WHERE {OF_ENTITY}");
    /// The same, newest first.
    trail_descending: |keyspace: &str, _| format!(
        "SELECT {EVENT_COLUMNS} FROM {keyspace}.events WHERE {OF_ENTITY} {DESCENDING}");
    /// What a stretch of a trail changed.
    changes: |keyspace: &str, _| format!(
        "SELECT time, seq, id, known_at, changes FROM {keyspace}.events WHERE {OF_ENTITY}");
    /// An entity.
    entity: |keyspace: &str, _| format!(
        "SELECT first, last, buckets, late, state FROM {keyspace}.entities
         WHERE shard = ? AND entity = ?");
    /// Entities of a shard whose names lie between two texts, the second one exclusive.
    entities: |keyspace: &str, _| format!(
        "SELECT entity, first, last, state FROM {keyspace}.entities
         WHERE shard = ? AND entity >= ? AND entity < ?");
    /// Those of the same that have a text in a field, by the index on current states. Without
    /// the index nobody asks, and it is the same statement.
    entities_with: |keyspace: &str, state_index| format!(
        "SELECT entity, first, last, state FROM {keyspace}.entities
         WHERE shard = ? AND entity >= ? AND entity < ? {}",
        if state_index { "AND fields[?] = ?" } else { "" });
    /// The names of the same.
    entity_names: |keyspace: &str, _| format!(
        "SELECT entity, last FROM {keyspace}.entities
         WHERE shard = ? AND entity >= ? AND entity < ?");
    /// Whether there is that entity.
    entity_name: |keyspace: &str, _| format!(
        "SELECT entity, last FROM {keyspace}.entities WHERE shard = ? AND entity = ?");
    /// Pairs of namespace and type.
    kinds: |keyspace: &str, _| format!(
        "SELECT namespace, entity_type FROM {keyspace}.kinds WHERE shard = ?");
    /// Buckets or spans.
    periods: |keyspace: &str, _| format!(
        "SELECT number FROM {keyspace}.periods
         WHERE shard = ? AND kind = ? AND number >= ? AND number <= ?");
    /// A stretch of the timeline.
    timeline: |keyspace: &str, _| format!(
        "SELECT time, seq, id, namespace, subject, name FROM {keyspace}.timeline
         WHERE shard = ? AND span = ? AND namespace = ?
             AND (time, seq, id) >= (?, ?, ?) AND (time, seq, id) <= (?, ?, ?)");
    /// The same, newest first.
    timeline_descending: |keyspace: &str, _| format!(
        "SELECT time, seq, id, namespace, subject, name FROM {keyspace}.timeline
         WHERE shard = ? AND span = ? AND namespace = ?
             AND (time, seq, id) >= (?, ?, ?) AND (time, seq, id) <= (?, ?, ?)
         ORDER BY namespace DESC, time DESC, seq DESC, id DESC, subject DESC");
    /// The number of entities of a shard.
    count_entities: |keyspace: &str, _| format!(
        "SELECT count(*) FROM {keyspace}.entities WHERE shard = ?");
    /// The number of events of a partition.
    count_events: |keyspace: &str, _| format!(
        "SELECT count(*) FROM {keyspace}.events WHERE shard = ? AND bucket = ?");
    /// The last snapshots up to a moment.
    snapshots: |keyspace: &str, _| format!(
        "SELECT time, seq, id, made_at, known_by, events, state FROM {keyspace}.snapshots
         WHERE shard = ? AND entity = ? AND (time, seq, id) <= (?, ?, ?)
         ORDER BY entity DESC, time DESC, seq DESC, id DESC LIMIT ?");
    /// Writes a snapshot.
    insert_snapshot: |keyspace: &str, _| format!(
        "INSERT INTO {keyspace}.snapshots
             (shard, entity, time, seq, id, made_at, known_by, events, state)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?");
}
