//! Folds of long trails up to some event, so that a state need not be folded from the first one.
//!
//! Nothing in Cassandra is written in one transaction, so a snapshot cannot be brought up to date
//! together with the events. Instead it is used only where it must be right (invariant I5):
//!
//! - It ends at an event that had [settled](Patience::settled_after) when it was made.
//! - Whoever writes an event that is [late](Patience::late_after) first notes in the entity's row
//!   until when late events may come into that bucket (`late`). A snapshot that was made before
//!   that moment, and ends in that bucket or a later one, is not used any more.
//!
//! Events that are neither settled nor late need no note: no snapshot reaches so far. The gap
//! between both times is what clocks may differ and a request may take.
//!
//! Snapshots are made by [`tend`](crate::EventStore::tend), for entities that had many events
//! since the last one.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use scylla::response::PagingState;
use statetrail_event::{EntityName, OrderKey, State, Time};

use super::CassandraStore;
use super::connect::Failure;
use super::rows::{read_key, signed};
use super::trail::{EntityRow, Stretch, more_pages};
use crate::codec::{apply_changes, decode_state, encode_state};
use crate::key_range::KeyRange;

/// Events from one snapshot of an entity to the next.
const EVENTS: u64 = 1_000;
/// Entities that wait for a snapshot at most; what does not fit comes again.
const CANDIDATES_MAX: usize = 256;
/// Slots in which the events of entities are counted.
const SLOTS: usize = 1 << 16;
/// Snapshots that are looked at before a state is folded without one.
const LOOKS: usize = 4;

/// How long a store waits for events that are under way.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// An event that is written so long after it happened is late.
    pub late_after: Duration,
    /// Snapshots end so long before they are made.
    pub settled_after: Duration,
    /// For so long one note of late events is enough.
    pub late_for: Duration,
    /// An entity's row is forgotten so long after its last event went out of every answer: clocks of
    /// readers and writers may differ.
    pub forgotten_after: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            late_after: Duration::from_secs(5 * 60),
            settled_after: Duration::from_secs(10 * 60),
            late_for: Duration::from_secs(60),
            forgotten_after: Duration::from_secs(5 * 60),
        }
    }
}

/// The fold of a trail up to an event.
pub(super) struct Snapshot {
    pub(super) key: OrderKey,
    made_at: Time,
    known_by: Time,
    events: u64,
    pub(super) state: State,
}

/// Counts the events of each entity, roughly: entities share slots, and who comes to
/// [`EVENTS`] too early is looked at for nothing.
#[derive(Debug)]
pub(super) struct Activity {
    slots: Vec<AtomicU16>,
    candidates: std::sync::Mutex<Vec<Candidate>>,
}

/// An entity that had many events.
#[derive(Debug)]
struct Candidate {
    name: EntityName,
    /// When to look at it.
    due: Time,
    /// Whether it was looked at before, and not all of its events had settled.
    again: bool,
}

impl Activity {
    pub(super) fn new() -> Activity {
        Activity {
            slots: (0..SLOTS).map(|_| AtomicU16::new(0)).collect(),
            candidates: std::sync::Mutex::default(),
        }
    }

    /// Counts events of an entity; with enough of them it becomes a candidate.
    pub(super) fn count(&self, hash: u128, name: &EntityName, events: usize) {
        let slot = &self.slots[hash as usize % SLOTS];
        let events = u16::try_from(events).unwrap_or(u16::MAX);
        let before = slot.load(Ordering::Relaxed);
        let now = before.saturating_add(events);
        if u64::from(now) < EVENTS {
            slot.store(now, Ordering::Relaxed);
            return;
        }
        slot.store(0, Ordering::Relaxed);
        self.add(Candidate { name: name.clone(), due: Time::MIN, again: false });
    }

    fn add(&self, candidate: Candidate) {
        let mut candidates = super::lock(&self.candidates);
        if let Some(known) = candidates.iter_mut().find(|known| known.name == candidate.name) {
            // It has had many more events since: once more is not enough.
            known.again &= candidate.again;
        } else if candidates.len() < CANDIDATES_MAX {
            candidates.push(candidate);
        }
    }

    /// Those that are due.
    fn take(&self, now: Time) -> Vec<Candidate> {
        let mut candidates = super::lock(&self.candidates);
        candidates.extract_if(.., |candidate| candidate.due <= now).collect()
    }
}

impl CassandraStore {
    /// Makes snapshots of the entities that had many events. What fails is left for later.
    pub(super) async fn make_snapshots(&self) -> Result<(), Failure> {
        let mut candidates = self.activity().take(self.now()).into_iter();
        while let Some(candidate) = candidates.next() {
            let open_until = match self.make_snapshots_of(&candidate.name, EVENTS).await {
                Ok(open_until) => open_until,
                Err(failure) => {
                    std::iter::once(candidate)
                        .chain(candidates)
                        .for_each(|it| self.activity().add(it));
                    return Err(failure);
                }
            };
            if let Some(due) = open_until.filter(|_| !candidate.again) {
                self.activity().add(Candidate { due, again: true, ..candidate });
            }
        }
        Ok(())
    }

    /// Brings the snapshots of an entity up to what has settled, one for so many events.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    #[cfg(feature = "suite")]
    pub async fn make_snapshots_now(
        &self,
        name: &EntityName,
        events: u64,
    ) -> Result<(), crate::StoreError> {
        self.at_place(self.make_snapshots_of(name, events).await).map(drop)
    }

    /// Returns when all events that the entity has now will have settled, if some have not.
    async fn make_snapshots_of(
        &self,
        name: &EntityName,
        events: u64,
    ) -> Result<Option<Time>, Failure> {
        let made_at = self.now();
        let Some(entity) = self.entity_row(name).await? else { return Ok(None) };
        let settled = before(made_at, self.patience().settled_after);
        // Buckets in which late events may still arrive make every later snapshot useless.
        let open = entity.late.iter().find(|(_, until)| **until >= made_at);
        let end = match open {
            Some((bucket, _)) => settled.min(self.bucket_start(*bucket)),
            None => settled,
        };
        let closed = entity.late.values().copied().filter(|until| *until >= made_at).max();
        let open_until = (end <= entity.last).then(|| {
            let settles = after(entity.last, self.patience().settled_after);
            // Both moments have to be over.
            after(closed.map_or(settles, |closed| closed.max(settles)), Duration::from_nanos(1))
        });
        let at = OrderKey::start_of(end);
        let last = self.snapshot_before(name, at).await?;
        let last = self.usable_snapshot(name, &entity, last, None).await?;
        let from = last.as_ref().map_or(OrderKey::MIN, |last| last.key.next().unwrap_or(at));
        let mut making = last.unwrap_or(Snapshot {
            key: OrderKey::MIN,
            made_at,
            known_by: Time::MIN,
            events: 0,
            state: State::new(),
        });
        making.made_at = made_at;
        if from >= at {
            return Ok(open_until);
        }
        let range = KeyRange { from, to: at };
        if let Some(range) = range.within(entity.first, entity.last) {
            self.fold_into(name, &entity, (range, events), &mut making).await?;
        }
        Ok(open_until)
    }

    /// Folds the events of the range in their order, writing a snapshot after every so many.
    async fn fold_into(
        &self,
        name: &EntityName,
        entity: &EntityRow,
        (range, events): (KeyRange, u64),
        making: &mut Snapshot,
    ) -> Result<(), Failure> {
        type Columns<'r> = (i64, i64, &'r [u8], i64, Option<&'r [u8]>);
        let shard = self.settings().layout.home(name).shard;
        let stretch = Stretch { name, shard, range, as_known_at: None };
        let mut since_last = 0;
        for bucket in self.buckets_within(&entity.buckets, range) {
            let mut next = Some(PagingState::start());
            while let Some(state) = next {
                let values = stretch.values(bucket);
                let statement = &self.statements().changes;
                let (result, more) =
                    self.session().execute_single_page(statement, values, state).await?;
                let result = result.into_rows_result()?;
                for row in result.rows::<Columns<'_>>()? {
                    let (time, seq, id, known_at, changes) = row?;
                    let key = read_key(time, seq, id)?;
                    apply_changes(changes.unwrap_or_default(), key, &mut making.state)?;
                    making.key = key;
                    making.known_by = making.known_by.max(Time::from_nanos(known_at));
                    making.events += 1;
                    since_last += 1;
                    if since_last == events {
                        self.write_snapshot(shard, name, making).await?;
                        since_last = 0;
                    }
                }
                next = more_pages(more);
            }
        }
        Ok(())
    }

    async fn write_snapshot(
        &self,
        shard: i32,
        name: &EntityName,
        snapshot: &Snapshot,
    ) -> Result<(), Failure> {
        let Snapshot { key, made_at, known_by, events, state } = snapshot;
        let retention = &self.settings().plan.retention;
        let Some(time_to_live) = retention.time_to_live(name.namespace(), key.time, *made_at)
        else {
            return Ok(());
        };
        let mut encoded = Vec::new();
        encode_state(state, &mut encoded);
        let values = (
            (shard, name.as_str(), key.time.nanos(), signed(key.seq), key.id.0.as_slice()),
            (made_at.nanos(), known_by.nanos(), signed(*events), encoded),
            // The snapshot that was made last is the one to keep.
            (made_at.nanos(), time_to_live),
        );
        let ((a, b, c, d, e), (f, g, h, i), (j, k)) = values;
        let values = (a, b, c, d, e, f, g, h, i, j, k);
        self.session().execute_unpaged(&self.statements().insert_snapshot, values).await?;
        Ok(())
    }

    /// The latest snapshot from `candidate` back that is surely right, and whose events were all
    /// known at `as_known_at`.
    pub(super) async fn usable_snapshot(
        &self,
        name: &EntityName,
        entity: &EntityRow,
        candidate: Option<Snapshot>,
        as_known_at: Option<Time>,
    ) -> Result<Option<Snapshot>, Failure> {
        let layout = &self.settings().layout;
        let horizon = self.horizon(name.namespace());
        let mut candidate = candidate;
        for _ in 0..LOOKS {
            let Some(mut snapshot) = candidate else { return Ok(None) };
            let bucket = layout.bucket(snapshot.key.time);
            let spoiled =
                entity.late.range(..=bucket).find(|(_, until)| **until >= snapshot.made_at);
            let known = as_known_at.is_none_or(|moment| snapshot.known_by <= moment);
            if spoiled.is_none() && known {
                if snapshot.key.time < horizon {
                    return Ok(None);
                }
                snapshot.state.forget_before(horizon);
                return Ok(Some(snapshot));
            }
            let before_this = match spoiled {
                Some((bucket, _)) => OrderKey::start_of(self.bucket_start(*bucket)),
                None => snapshot.key,
            };
            let Some(earlier) = before_this.previous() else { return Ok(None) };
            candidate = self.snapshot_before(name, earlier).await?;
        }
        Ok(None)
    }

    /// The latest snapshot at or before a key.
    pub(super) async fn snapshot_before(
        &self,
        name: &EntityName,
        at: OrderKey,
    ) -> Result<Option<Snapshot>, Failure> {
        type Columns<'r> = (i64, i64, &'r [u8], i64, i64, i64, &'r [u8]);
        let shard = self.settings().layout.home(name).shard;
        let values =
            (shard, name.as_str(), at.time.nanos(), signed(at.seq), at.id.0.as_slice(), 1_i32);
        let result = self.session().execute_unpaged(&self.statements().snapshots, values).await?;
        let rows = result.into_rows_result()?;
        let Some(row) = rows.rows::<Columns<'_>>()?.next().transpose()? else { return Ok(None) };
        let (time, seq, id, made_at, known_by, events, state) = row;
        Ok(Some(Snapshot {
            key: read_key(time, seq, id)?,
            made_at: Time::from_nanos(made_at),
            known_by: Time::from_nanos(known_by),
            events: events.unsigned_abs(),
            state: decode_state(state)?,
        }))
    }
}

/// So long before a moment.
pub(super) fn before(moment: Time, duration: Duration) -> Time {
    let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    Time::from_nanos(moment.nanos().saturating_sub(nanos))
}

/// So long after a moment.
pub(super) fn after(moment: Time, duration: Duration) -> Time {
    let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    Time::from_nanos(moment.nanos().saturating_add(nanos))
}
