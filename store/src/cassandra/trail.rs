//! Reading trails, and states at a moment.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use foldhash::fast::RandomState;
use futures::try_join;
use scylla::response::query_result::QueryRowsResult;
use scylla::response::{PagingState, PagingStateResponse};
use statetrail_event::{Cell, EntityName, OrderKey, State, Time, ValueRef};

use super::connect::Failure;
use super::rows::{EventColumns, read_event, read_key, signed};
use super::snapshots::before;
use super::{CassandraStore, at_once};
use crate::codec::{decode_cell, each_change};
use crate::key_range::KeyRange;
use crate::{Entity, KnownEvent, Order, TrailQuery};

/// Buckets that are read at the same time.
const BUCKETS_AT_ONCE: usize = 8;
/// A page of so few events is mostly found in one bucket.
const SHORT_PAGE: usize = 50;

/// A row of `entities`.
pub(super) struct EntityRow {
    pub(super) first: Time,
    pub(super) last: Time,
    /// The buckets in which it has events, in order.
    pub(super) buckets: Vec<i64>,
    /// By bucket, until when events may still come late into it; see `snapshots.rs`.
    pub(super) late: BTreeMap<i64, Time>,
    pub(super) state: State,
}

impl EntityRow {
    /// The entity of that name.
    pub(super) fn into_entity(self, name: EntityName) -> Entity {
        let EntityRow { first, last, state, .. } = self;
        // Nobody keeps the greatest known-at of all events, so any could be meant.
        Entity { name, state, first, last, known_by: Time::MAX }
    }
}

/// The cells of a current state, as they lie in the table.
pub(super) type Cells<'r> = Option<BTreeMap<&'r str, &'r [u8]>>;

/// Makes the state of its cells. What was set before the horizon is gone.
pub(super) fn read_state(cells: Cells<'_>, horizon: Time) -> Result<State, Failure> {
    let mut state = State::new();
    for (field, cell) in cells.into_iter().flatten() {
        let cell = decode_cell(cell)?;
        if cell.by.time >= horizon {
            state.set_cell(field, cell);
        }
    }
    Ok(state)
}

/// The values of a stretch of one bucket.
pub(super) type StretchValues<'v> = (i32, i64, &'v str, i64, i64, &'v [u8], i64, i64, &'v [u8]);

/// A stretch of the trail of one entity.
pub(super) struct Stretch<'a> {
    pub(super) name: &'a EntityName,
    pub(super) shard: i32,
    pub(super) range: KeyRange,
    pub(super) as_known_at: Option<Time>,
}

impl Stretch<'_> {
    /// What the statements over a stretch take.
    pub(super) fn values(&self, bucket: i64) -> StretchValues<'_> {
        let KeyRange { from, to } = &self.range;
        (
            self.shard,
            bucket,
            self.name.as_str(),
            from.time.nanos(),
            signed(from.seq),
            &from.id.0,
            to.time.nanos(),
            signed(to.seq),
            &to.id.0,
        )
    }

    fn knows(&self, known_at: Time) -> bool {
        self.as_known_at.is_none_or(|moment| known_at <= moment)
    }
}

/// What a stretch of a trail comes to.
#[derive(Default)]
pub(super) struct Folded {
    pub(super) state: State,
    /// The greatest key, if there was any event.
    pub(super) last: Option<OrderKey>,
}

impl Folded {
    fn merge(mut self, other: Folded) -> Folded {
        self.state.merge(&other.state);
        self.last = self.last.max(other.last);
        self
    }
}

impl CassandraStore {
    /// The row of an entity, or `None` if it has no event.
    pub(super) async fn entity_row(&self, name: &EntityName) -> Result<Option<EntityRow>, Failure> {
        type Columns<'r> =
            (Option<i64>, Option<i64>, Option<Vec<i64>>, Option<BTreeMap<i64, i64>>, Cells<'r>);
        let shard = self.settings().layout.home(name).shard;
        let values = (shard, name.as_str());
        let result = self.session().execute_unpaged(&self.statements().entity, values).await?;
        let rows = result.into_rows_result()?;
        let row = rows.rows::<Columns<'_>>()?.next().transpose()?;
        let Some((first, Some(last), buckets, late, cells)) = row else { return Ok(None) };
        let horizon = self.horizon(name.namespace());
        let last = Time::from_nanos(last);
        if last < horizon {
            return Ok(None);
        }
        let mut buckets = buckets.unwrap_or_default();
        buckets.sort_unstable();
        let late = late.into_iter().flatten();
        Ok(Some(EntityRow {
            first: first.map_or(last, Time::from_nanos).max(horizon).min(last),
            last,
            buckets,
            late: late.map(|(bucket, until)| (bucket, Time::from_nanos(until))).collect(),
            state: read_state(cells, horizon)?,
        }))
    }

    /// See [`EventStore::trail`](crate::EventStore::trail).
    pub(super) async fn read_trail(
        &self,
        name: &EntityName,
        query: &TrailQuery,
    ) -> Result<Vec<KnownEvent>, Failure> {
        let Some(range) = KeyRange::of(query.from, query.to) else { return Ok(Vec::new()) };
        let Some(entity) = self.entity_row(name).await? else { return Ok(Vec::new()) };
        let Some(range) = range.within(entity.first, entity.last) else { return Ok(Vec::new()) };
        let shard = self.settings().layout.home(name).shard;
        let stretch = Stretch { name, shard, range, as_known_at: query.as_known_at };
        let mut buckets = self.buckets_within(&entity.buckets, range);
        if query.order == Order::NewestFirst {
            buckets.reverse();
        }
        let buckets_at_once = if query.limit <= SHORT_PAGE { 1 } else { BUCKETS_AT_ONCE };
        let mut found = Vec::new();
        for buckets in buckets.chunks(buckets_at_once) {
            if found.len() >= query.limit {
                break;
            }
            let pages = buckets
                .iter()
                .map(|bucket| self.read_bucket(&stretch, *bucket, query.order, query.limit))
                .collect();
            found.extend(at_once::ordered(pages).await?.into_iter().flatten());
        }
        found.truncate(query.limit);
        Ok(found)
    }

    pub(super) fn buckets_within(&self, buckets: &[i64], range: KeyRange) -> Vec<i64> {
        let layout = &self.settings().layout;
        let (from, to) = (layout.bucket(range.from.time), layout.bucket(range.to.time));
        buckets.iter().copied().filter(|bucket| (from..=to).contains(bucket)).collect()
    }

    /// At most `limit` events of the stretch in one bucket.
    async fn read_bucket(
        &self,
        stretch: &Stretch<'_>,
        bucket: i64,
        order: Order,
        limit: usize,
    ) -> Result<Vec<KnownEvent>, Failure> {
        let mut statement = match order {
            Order::OldestFirst => self.statements().trail.clone(),
            Order::NewestFirst => self.statements().trail_descending.clone(),
        };
        if limit < statement.get_page_size() as usize {
            statement.set_page_size(limit.max(1) as i32);
        }
        let mut found = Vec::new();
        let mut next = Some(PagingState::start());
        while found.len() < limit
            && let Some(state) = next
        {
            let values = stretch.values(bucket);
            let (result, more) =
                self.session().execute_single_page(&statement, values, state).await?;
            for row in result.into_rows_result()?.rows::<EventColumns<'_>>()? {
                let known = read_event(stretch.name.clone(), row?)?;
                if stretch.knows(known.known_at) {
                    found.push(known);
                }
            }
            next = more_pages(more);
        }
        found.truncate(limit);
        Ok(found)
    }

    /// See [`EventStore::state_at`](crate::EventStore::state_at).
    pub(super) async fn read_state_at(
        &self,
        name: &EntityName,
        at: OrderKey,
        as_known_at: Option<Time>,
    ) -> Result<Option<State>, Failure> {
        let settled = before(self.now(), self.patience().settled_after);
        let (entity, snapshot) = if at.time < settled {
            // Nearly always both are needed.
            try_join!(self.entity_row(name), self.snapshot_before(name, at))?
        } else {
            (self.entity_row(name).await?, None)
        };
        let Some(entity) = entity else { return Ok(None) };
        if as_known_at.is_none() && at >= OrderKey::end_of(entity.last) {
            return Ok(Some(entity.state));
        }
        let snapshot = match at.time < settled {
            true => snapshot,
            false => self.snapshot_before(name, at).await?,
        };
        let snapshot = self.usable_snapshot(name, &entity, snapshot, as_known_at).await?;
        let (mut state, from) = match snapshot {
            Some(snapshot) => (Some(snapshot.state), Bound::Excluded(snapshot.key)),
            None => (None, Bound::Unbounded),
        };
        let range = KeyRange::of(from, Bound::Included(at))
            .and_then(|range| range.within(entity.first, entity.last));
        if let Some(range) = range {
            let folded = self.fold(name, &entity, range, as_known_at).await?;
            if folded.last.is_some() {
                state.get_or_insert_default().merge(&folded.state);
            }
        }
        Ok(state)
    }

    /// Folds the events of a range.
    pub(super) async fn fold(
        &self,
        name: &EntityName,
        entity: &EntityRow,
        range: KeyRange,
        as_known_at: Option<Time>,
    ) -> Result<Folded, Failure> {
        let shard = self.settings().layout.home(name).shard;
        let stretch = &Stretch { name, shard, range, as_known_at };
        let buckets = self.buckets_within(&entity.buckets, range);
        let folds = buckets.into_iter().map(|bucket| self.fold_bucket(stretch, bucket)).collect();
        let folds = at_once::unordered(folds).await?.into_iter();
        Ok(folds.fold(Folded::default(), Folded::merge))
    }

    async fn fold_bucket(&self, stretch: &Stretch<'_>, bucket: i64) -> Result<Folded, Failure> {
        let statement = &self.statements().changes;
        let mut folded = Folded::default();
        let mut next = Some(PagingState::start());
        while let Some(state) = next {
            let values = stretch.values(bucket);
            let (result, more) =
                self.session().execute_single_page(statement, values, state).await?;
            fold_page(&result.into_rows_result()?, stretch, &mut folded)?;
            next = more_pages(more);
        }
        Ok(folded)
    }
}

/// Folds a page of changes. Of each field only the last write of the page is copied out of it.
fn fold_page(
    page: &QueryRowsResult,
    stretch: &Stretch<'_>,
    folded: &mut Folded,
) -> Result<(), Failure> {
    type Columns<'r> = (i64, i64, &'r [u8], i64, Option<&'r [u8]>);
    let mut last_writes: HashMap<&str, (OrderKey, Option<ValueRef<'_>>), RandomState> =
        HashMap::default();
    for row in page.rows::<Columns<'_>>()? {
        let (time, seq, id, known_at, changes) = row?;
        if !stretch.knows(Time::from_nanos(known_at)) {
            continue;
        }
        let key = read_key(time, seq, id)?;
        folded.last = folded.last.max(Some(key));
        each_change(changes.unwrap_or_default(), |field, value| {
            // Rows come in the order of keys; of one event's changes of a field the first counts.
            match last_writes.entry(field) {
                Entry::Occupied(mut last) if last.get().0 < key => {
                    last.insert((key, value));
                }
                Entry::Occupied(_) => {}
                Entry::Vacant(first) => {
                    first.insert((key, value));
                }
            }
        })?;
    }
    for (field, (by, value)) in last_writes {
        folded.state.set_cell(field, Cell { value: value.map(ValueRef::to_value), by });
    }
    Ok(())
}

/// Where the next page begins, if there is one.
pub(super) fn more_pages(response: PagingStateResponse) -> Option<PagingState> {
    match response {
        PagingStateResponse::HasMorePages { state } => Some(state),
        PagingStateResponse::NoMorePages => None,
    }
}
