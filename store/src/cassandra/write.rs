//! Writing a batch: arranged by partition first, then sent as dense batches of one partition
//! each, several of them at a time.
//!
//! A request costs Cassandra far more than a row, and a batch of one partition is one mutation,
//! so the rows of a flush are grouped by partition. Nothing is read on the way: which of two
//! writes counts is decided by timestamps (`schema.rs`).

use std::collections::{BTreeMap, HashMap};

use futures::stream::{FuturesUnordered, StreamExt};
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use statetrail_event::{Change, OrderKey, Time, Value};

use super::CassandraStore;
use super::connect::Failure;
use super::layout::Home;
use super::registered::{Noted, Pair};
use super::rows::{BucketRow, EntityUpdate, EventRow, LateRow, PlaceRow, StateRow};
use super::snapshots::{after, before};
use super::stream::{Row, rows_of};
use crate::codec::encode_cell;
use crate::range::check_range;
use crate::{KnownEvent, StoreError};

/// Requests of a batch that are under way at a time. Each holds its rows in memory, as they go
/// over the network.
const REQUESTS_AT_ONCE: usize = 16;
/// Rows of a request at most.
const ROWS_A_REQUEST: usize = 100;
/// Bytes after which a request is full. Cassandra takes one of up to half a segment of its
/// commit log, 16 MiB by default, and holds it in memory several times.
const BYTES_A_REQUEST: usize = 256 << 10;
/// Longer values, with the names of their fields, are left out of the index on current states:
/// the index does not take them.
const INDEXED_BYTES_MAX: usize = 512;

/// Whether the index on current states holds a value with this text in this field.
pub(super) fn is_indexed(field: &str, text: &str) -> bool {
    field.len() + text.len() <= INDEXED_BYTES_MAX
}

/// An event of a batch and where it belongs.
struct Item<'a> {
    known: &'a KnownEvent,
    home: Home,
    bucket: i64,
    span: i64,
    time_to_live: i32,
    /// On the first event of a batch in a bucket of an entity, if that is to be noted: how long
    /// the note is kept.
    noted_for: Option<i32>,
}

/// What one request writes. Most rows are made only when their request's turn has come, so that
/// those of a large batch are never in memory all at once.
enum Request<'i, 'a> {
    /// Events of one partition.
    Events(&'i [Item<'a>]),
    /// The same of the timeline.
    Places(&'i [&'i Item<'a>]),
    /// All events of some entities of a shard, those of an entity together, and with them the
    /// notes about buckets: both are of one row of `entities`.
    Entities(&'i [&'i Item<'a>]),
    Late(&'i [LateRow<'a>]),
}

/// What has to be noted about pairs of entity and bucket.
#[derive(Default)]
struct Notes<'a> {
    late: Vec<LateRow<'a>>,
    noted: Vec<(Pair, Noted)>,
}

impl CassandraStore {
    /// See [`EventStore::write`](crate::EventStore::write). Of the events for which `is_known` says
    /// so nobody is told that they arrived.
    pub(super) async fn write_batch(
        &self,
        batch: &[KnownEvent],
        is_known: &(dyn Fn(&KnownEvent) -> bool + Sync),
    ) -> Result<(), Failure> {
        let written = self.write_and_announce(batch, is_known).await;
        match &written {
            Ok(stored) => self.count_too_old(batch.len() - stored),
            // A cluster that was away may come back without what was noted last.
            Err(_) => self.registered().forget(),
        }
        written.map(drop)
    }

    /// Returns how many of the events are stored; the others are older than they are kept.
    async fn write_and_announce(
        &self,
        batch: &[KnownEvent],
        is_known: &(dyn Fn(&KnownEvent) -> bool + Sync),
    ) -> Result<usize, Failure> {
        let now = self.now();
        let mut items = self.place_all(batch, now)?;
        self.note_kinds_and_periods(&items).await?;
        let Notes { late, noted } = self.notes(&mut items, now);
        // Before the events themselves: once a late event is there, no snapshot made before may
        // be used.
        self.send_late(&late).await?;
        let mut by_span: Vec<&Item<'_>> = items.iter().collect();
        by_span.sort_by_key(|item| (item.home.timeline_shard, item.span));
        let mut by_entity: Vec<&Item<'_>> = items.iter().collect();
        by_entity.sort_by_key(|item| (item.home.shard, item.home.hash));
        let requests = cut(&items, is_same_bucket, event_bytes)
            .map(Request::Events)
            .chain(cut(&by_span, is_same_span, |_| 128).map(Request::Places))
            .chain(cut_entities(&by_entity).map(Request::Entities));
        self.send_all(requests).await?;
        self.note_what_came_late(&items, now).await?;
        self.registered().remember(noted);
        for of_entity in items.chunk_by(|a, b| a.home == b.home) {
            let (home, name) = (of_entity[0].home, &of_entity[0].known.event.entity);
            self.activity().count(home.hash, name, of_entity.len());
        }
        self.announce(self.arriving(batch, now, is_known)).await?;
        Ok(items.len())
    }

    /// What there is to tell of a batch, in the order in which it came.
    fn arriving(
        &self,
        batch: &[KnownEvent],
        now: Time,
        is_known: &(dyn Fn(&KnownEvent) -> bool + Sync),
    ) -> Vec<Row> {
        let retention = &self.settings().plan.retention;
        let is_told = |known: &&KnownEvent| {
            let event = &known.event;
            let time_to_live = retention.time_to_live(event.entity.namespace(), event.time, now);
            time_to_live.is_some() && !is_known(known)
        };
        rows_of(batch.iter().filter(is_told).map(|known| (&known.event.entity, known.event.key())))
    }

    /// Places each event, in the order of their partitions, entities and keys. Events that are
    /// older than they are kept are left out.
    fn place_all<'a>(
        &self,
        batch: &'a [KnownEvent],
        now: Time,
    ) -> Result<Vec<Item<'a>>, StoreError> {
        let layout = &self.settings().layout;
        let retention = &self.settings().plan.retention;
        let mut items = Vec::with_capacity(batch.len());
        for known in batch {
            let event = &known.event;
            check_range(event)?;
            let namespace = event.entity.namespace();
            let Some(time_to_live) = retention.time_to_live(namespace, event.time, now) else {
                continue;
            };
            let (bucket, span) = (layout.bucket(event.time), layout.span(event.time));
            items.push(Item {
                known,
                home: layout.home(&event.entity),
                bucket,
                span,
                time_to_live,
                noted_for: None,
            });
        }
        items.sort_unstable_by_key(|item| {
            (item.home.shard, item.bucket, item.home.hash, item.known.event.key())
        });
        Ok(items)
    }

    /// Writes the pairs of namespace and type, the buckets and the spans that this process has
    /// not written yet. They come first: what they lead to must not be there without them.
    async fn note_kinds_and_periods(&self, items: &[Item<'_>]) -> Result<(), Failure> {
        let shard = self.settings().layout.first_shard;
        let new = {
            let mut registered = self.registered();
            registered.new_marks(items.iter().map(|item| {
                let entity = &item.known.event.entity;
                (entity.namespace(), entity.entity_type(), item.bucket, item.span)
            }))
        };
        for (namespace, entity_type) in &new.kinds {
            let row = (shard, namespace.as_str(), entity_type.as_str());
            self.session().execute_unpaged(&self.statements().insert_kind, row).await?;
        }
        for (kind, number) in &new.periods {
            let row = (shard, *kind, *number);
            self.session().execute_unpaged(&self.statements().insert_period, row).await?;
        }
        self.registered().remember_marks(new);
        Ok(())
    }

    /// What this process has not noted yet about the pairs of entity and bucket of a batch. New
    /// buckets are marked at their events.
    fn notes<'a>(&self, items: &mut [Item<'a>], now: Time) -> Notes<'a> {
        let mut notes = Notes::default();
        let patience = self.patience();
        let late_before = before(now, patience.late_after);
        let late_until = after(now, patience.late_for);
        let registered = self.registered();
        for run in items.chunk_by_mut(is_same_pair) {
            // In the order of keys, so that the first one is the earliest.
            let item = &mut run[0];
            let (bucket, first) = (item.bucket, item.known.event.time);
            let pair = Pair::new(item.home.hash, bucket);
            let before = registered.noted(pair);
            let nothing = Noted { first: Time::MAX, late_until: Time::MIN };
            let mut noted = before.unwrap_or(nothing);
            if before.is_none_or(|before| first < before.first) {
                noted.first = first;
                let namespace = item.known.event.entity.namespace();
                item.noted_for = Some(self.bucket_time_to_live(namespace, bucket, now));
            }
            // A note has to hold until these very events are written.
            let soon = after(now, patience.late_for / 2);
            if first < late_before && noted.late_until < soon {
                noted.late_until = late_until;
                notes.late.push(self.late_row(item, late_until, now));
            }
            if before != Some(noted) {
                notes.noted.push((pair, noted));
            }
        }
        notes
    }

    /// Notes once more which buckets had late events, if writing a batch took so long that its notes
    /// may not have held until then: a snapshot that was made meanwhile knows nothing of them.
    async fn note_what_came_late(&self, items: &[Item<'_>], begun: Time) -> Result<(), Failure> {
        let (now, patience) = (self.now(), self.patience());
        if now < after(begun, patience.late_for / 4) {
            return Ok(());
        }
        let (late_before, until) =
            (before(now, patience.late_after), after(now, patience.late_for));
        let firsts = items.chunk_by(is_same_pair).map(|run| &run[0]);
        let late = firsts.filter(|first| first.known.event.time < late_before);
        let rows: Vec<LateRow<'_>> = late.map(|first| self.late_row(first, until, now)).collect();
        self.send_late(&rows).await
    }

    /// The note that events may come late into an item's bucket until then.
    fn late_row<'a>(&self, item: &Item<'a>, until: Time, now: Time) -> LateRow<'a> {
        let (bucket, name) = (item.bucket, &item.known.event.entity);
        LateRow {
            shard: item.home.shard,
            entity: name.as_str(),
            bucket,
            until,
            time_to_live: self.bucket_time_to_live(name.namespace(), bucket, now),
        }
    }

    async fn send_late(&self, rows: &[LateRow<'_>]) -> Result<(), Failure> {
        self.send_all(cut(rows, |a, b| a.shard == b.shard, |_| 64).map(Request::Late)).await
    }

    /// Sends requests, some of them at a time; ends with the first that fails.
    async fn send_all<'i, 'a: 'i>(
        &self,
        mut requests: impl Iterator<Item = Request<'i, 'a>> + Send,
    ) -> Result<(), Failure> {
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < REQUESTS_AT_ONCE
                && let Some(request) = requests.next()
            {
                under_way.push(self.send(request));
            }
            match under_way.next().await {
                Some(sent) => sent?,
                None => return Ok(()),
            }
        }
    }

    async fn send(&self, request: Request<'_, '_>) -> Result<(), Failure> {
        let statements = self.statements();
        match request {
            Request::Events(items) => {
                let rows: Vec<_> = items.iter().map(event_row).collect();
                self.send_rows(&statements.insert_event, &rows).await
            }
            Request::Places(items) => {
                let rows: Vec<_> = items.iter().map(|item| place_row(item)).collect();
                self.send_rows(&statements.insert_place, &rows).await
            }
            Request::Entities(items) => {
                let rows = entity_rows(items, self.settings().plan.state_index);
                let statement = |row: &EntityUpdate<'_>| match row {
                    EntityUpdate::State(_) => &statements.update_state,
                    EntityUpdate::Bucket(_) => &statements.note_bucket,
                };
                self.send_each(statement, &rows).await
            }
            Request::Late(rows) => self.send_rows(&statements.note_late, rows).await,
        }
    }

    /// Sends rows of one partition, all by the same statement.
    pub(super) async fn send_rows<R: SerializeRow + Sync>(
        &self,
        statement: &PreparedStatement,
        rows: &[R],
    ) -> Result<(), Failure> {
        self.send_each(|_| statement, rows).await
    }

    /// Sends rows of one partition, each by its statement.
    async fn send_each<'s, R: SerializeRow + Sync>(
        &self,
        statement: impl Fn(&R) -> &'s PreparedStatement,
        rows: &[R],
    ) -> Result<(), Failure> {
        self.count_request(rows.len());
        if let [row] = rows {
            self.session().execute_unpaged(statement(row), row).await?;
            return Ok(());
        }
        let statements = rows.iter().map(|row| statement(row).clone().into()).collect();
        let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
        batch.set_is_idempotent(true);
        self.session().batch(&batch, rows).await?;
        Ok(())
    }
}

fn event_row<'a>(item: &Item<'a>) -> EventRow<'a> {
    EventRow {
        shard: item.home.shard,
        bucket: item.bucket,
        known: item.known,
        time_to_live: item.time_to_live,
    }
}

fn place_row<'a>(item: &Item<'a>) -> PlaceRow<'a> {
    PlaceRow {
        shard: item.home.timeline_shard,
        span: item.span,
        event: &item.known.event,
        time_to_live: item.time_to_live,
    }
}

/// What events say of their entities. Of current states: for each field only the event that
/// counts, and one row for each moment at which such an event happened.
fn entity_rows<'a>(items: &[&Item<'a>], indexed: bool) -> Vec<EntityUpdate<'a>> {
    let mut rows = Vec::with_capacity(items.len());
    for of_entity in items.chunk_by(|a, b| a.home == b.home) {
        rows.extend(of_entity.iter().filter_map(|item| bucket_row(item)).map(EntityUpdate::Bucket));
        add_state_rows(of_entity, indexed, &mut rows);
    }
    rows
}

fn bucket_row<'a>(item: &Item<'a>) -> Option<BucketRow<'a>> {
    let event = &item.known.event;
    Some(BucketRow {
        shard: item.home.shard,
        entity: event.entity.as_str(),
        bucket: item.bucket,
        first: event.time,
        time_to_live: item.noted_for?,
    })
}

fn add_state_rows<'a>(of_entity: &[&Item<'a>], indexed: bool, rows: &mut Vec<EntityUpdate<'a>>) {
    let mut winners: HashMap<&'a str, (OrderKey, &'a Option<Value>), foldhash::fast::RandomState> =
        HashMap::default();
    let mut moments: BTreeMap<Time, StateRow<'a>> = BTreeMap::new();
    let row_at = |item: &Item<'a>| StateRow {
        shard: item.home.shard,
        entity: item.known.event.entity.as_str(),
        time: item.known.event.time,
        cells: BTreeMap::new(),
        indexed: indexed.then(Default::default),
    };
    for item in of_entity {
        let (event, key) = (&item.known.event, item.known.event.key());
        for Change { field, value } in &event.changes {
            let winner = winners.entry(field).or_insert((key, value));
            if winner.0 < key {
                *winner = (key, value);
            }
        }
    }
    // The last event counts even if it changed nothing.
    if let Some(last) = of_entity.iter().max_by_key(|item| item.known.event.time) {
        moments.insert(last.known.event.time, row_at(last));
    }
    for item in of_entity {
        let (event, key) = (&item.known.event, item.known.event.key());
        for Change { field, .. } in &event.changes {
            let Some((winner, value)) = winners.get(&**field) else { continue };
            if *winner == key {
                let row = moments.entry(event.time).or_insert_with(|| row_at(item));
                add_cell(row, field, key, value.as_ref());
            }
        }
    }
    rows.extend(moments.into_values().map(EntityUpdate::State));
}

fn add_cell<'a>(row: &mut StateRow<'a>, field: &'a str, by: OrderKey, value: Option<&Value>) {
    let mut cell = Vec::with_capacity(64);
    encode_cell(by, value, &mut cell);
    row.cells.insert(field, cell);
    let Some((set, unset)) = &mut row.indexed else { return };
    match value.map(Value::equal_text).filter(|text| is_indexed(field, text)) {
        Some(text) => {
            set.insert(field, text);
        }
        None => unset.push(field),
    }
}

fn is_same_pair(a: &Item<'_>, b: &Item<'_>) -> bool {
    (a.home, a.bucket) == (b.home, b.bucket)
}

fn is_same_bucket(a: &Item<'_>, b: &Item<'_>) -> bool {
    (a.home.shard, a.bucket) == (b.home.shard, b.bucket)
}

fn is_same_span(a: &&Item<'_>, b: &&Item<'_>) -> bool {
    (a.home.timeline_shard, a.span) == (b.home.timeline_shard, b.span)
}

/// About as many bytes as an event's row takes.
fn event_bytes(item: &Item<'_>) -> usize {
    let event = &item.known.event;
    let text = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Bool(_) | Value::Int(_) | Value::Number(_) => 8,
    };
    let changes = event.changes.iter();
    let changes = changes.map(|change| change.field.len() + change.value.as_ref().map_or(0, text));
    event.line.as_ref().map_or(0, String::len) + changes.sum::<usize>() + 128
}

/// Cuts rows into those of one request each: of one partition, and neither too many nor too
/// long. Rows of one partition stand together.
fn cut<R>(
    rows: &[R],
    is_same_partition: impl Fn(&R, &R) -> bool,
    bytes: impl Fn(&R) -> usize,
) -> impl Iterator<Item = &[R]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let mut filled = 0;
        let fits = |(number, row): &(usize, &R)| {
            let fits = *number == 0
                || (*number < ROWS_A_REQUEST
                    && filled < BYTES_A_REQUEST
                    && is_same_partition(first, row));
            filled += bytes(row);
            fits
        };
        let count = rest.iter().enumerate().take_while(fits).count();
        let (request, behind) = rest.split_at(count);
        rest = behind;
        Some(request)
    })
}

/// The same for entities, where all events of an entity go into one request: for each field only
/// one of them counts.
fn cut_entities<'i, 'a>(items: &'i [&'i Item<'a>]) -> impl Iterator<Item = &'i [&'i Item<'a>]> {
    let mut entities = items.chunk_by(|a, b| a.home == b.home).peekable();
    let mut rest = items;
    std::iter::from_fn(move || {
        let first = entities.next()?;
        let (mut count, mut bytes) = (first.len(), entity_bytes(first));
        while let Some(next) = entities.next_if(|next| {
            next[0].home.shard == first[0].home.shard
                && count + next.len() <= ROWS_A_REQUEST
                && bytes < BYTES_A_REQUEST
        }) {
            count += next.len();
            bytes += entity_bytes(next);
        }
        let (request, behind) = rest.split_at(count);
        rest = behind;
        Some(request)
    })
}

fn entity_bytes(of_entity: &[&Item<'_>]) -> usize {
    of_entity.iter().map(|item| event_bytes(item)).sum()
}
