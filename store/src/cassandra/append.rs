//! Writing with counts: which events of a batch are there already is looked up before.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use foldhash::fast::RandomState;
use statetrail_event::{EntityName, Event, OrderKey, Time};

use super::connect::Failure;
use super::rows::{read_key, read_name};
use super::timeline::key_tuples;
use super::{CassandraStore, at_once, lock};
use crate::{Appended, KnownEvent};

const KEYS_A_REQUEST: usize = 100;

/// An event, by its entity's hash and its key.
type Identity = (u128, OrderKey);

/// Events that are being appended now. An import appends batches side by side, and of an event
/// that is in two of them neither finds the other's copy in the tables yet.
pub(super) type Appending = Mutex<HashSet<Identity, RandomState>>;

/// Events that one call appends and no other one does; set free when it ends, however it ends.
struct Claimed<'a> {
    appending: &'a Appending,
    events: HashSet<Identity, RandomState>,
}

impl<'a> Claimed<'a> {
    /// Those of the events that nobody else appends now.
    fn of(appending: &'a Appending, events: impl Iterator<Item = Identity>) -> Claimed<'a> {
        let mut all = lock(appending);
        let events = events.filter(|event| all.insert(*event)).collect();
        Claimed { appending, events }
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        let mut all = lock(self.appending);
        for event in &self.events {
            all.remove(event);
        }
    }
}

impl CassandraStore {
    /// See [`EventStore::append`](crate::EventStore::append). Two processes that write the same
    /// events at the same time may both count them as new.
    pub(super) async fn append_batch(&self, batch: &[KnownEvent]) -> Result<Appended, Failure> {
        let layout = self.settings().layout;
        let (retention, now) = (&self.settings().plan.retention, self.now());
        let identity = |event: &Event| (layout.home(&event.entity).hash, event.key());
        let claimed =
            Claimed::of(self.appending(), batch.iter().map(|known| identity(&known.event)));
        let mut partitions: BTreeMap<(i32, i64), HashSet<(&EntityName, OrderKey)>> =
            BTreeMap::new();
        for KnownEvent { event, .. } in batch {
            let is_old =
                retention.time_to_live(event.entity.namespace(), event.time, now).is_none();
            if is_old || !claimed.events.contains(&identity(event)) {
                continue;
            }
            let partition = (layout.home(&event.entity).shard, layout.bucket(event.time));
            partitions.entry(partition).or_default().insert((&event.entity, event.key()));
        }
        let mut requests = Vec::new();
        for (partition, keys) in partitions {
            let keys: Vec<_> = keys.into_iter().collect();
            requests.extend(keys.chunks(KEYS_A_REQUEST).map(|keys| (partition, keys.to_vec())));
        }
        let distinct: usize = requests.iter().map(|(_, keys)| keys.len()).sum();
        let look_ups =
            requests.into_iter().map(|(partition, keys)| self.stored(partition, keys)).collect();
        let stored: HashMap<Identity, Time, RandomState> =
            at_once::unordered(look_ups).await?.into_iter().flatten().collect();
        let is_known = |known: &KnownEvent| {
            let identity = identity(&known.event);
            // With the very same known-at it may have been stored by a call that failed before it
            // could tell that the event arrived.
            let is_other = |known_at: &Time| *known_at != known.known_at;
            !claimed.events.contains(&identity) || stored.get(&identity).is_some_and(is_other)
        };
        let is_older = |known: &KnownEvent| {
            stored.get(&identity(&known.event)).is_some_and(|known_at| *known_at < known.known_at)
        };
        let as_stored = self.as_stored(batch, is_older).await?;
        self.write_batch(&as_stored, &is_known).await?;
        let new = distinct - stored.len();
        Ok(Appended { new: new as u64, repeated: (batch.len() - new) as u64 })
    }

    /// The batch with what is stored in place of the events of which there is an older copy.
    ///
    /// A copy may say other things of the same line, by other rules, but what is stored stays as it
    /// is. It is written again all the same: what was stored before may be a part of what was to be.
    async fn as_stored<'b>(
        &self,
        batch: &'b [KnownEvent],
        is_stored: impl Fn(&KnownEvent) -> bool,
    ) -> Result<Cow<'b, [KnownEvent]>, Failure> {
        let place = |known: &KnownEvent| (known.event.entity.clone(), known.event.key());
        let places: HashSet<_> = batch.iter().filter(|known| is_stored(known)).map(place).collect();
        if places.is_empty() {
            return Ok(Cow::Borrowed(batch));
        }
        let places: Vec<_> = places.into_iter().collect();
        let found = self.events_of(&places).await?;
        let found: HashMap<_, _> = places.into_iter().zip(found).collect();
        let as_stored = |known: &KnownEvent| {
            // Of two copies in the batch one may be older than what is stored.
            let found = found.get(&place(known)).filter(|_| is_stored(known));
            found.and_then(Option::as_ref).unwrap_or(known).clone()
        };
        Ok(Cow::Owned(batch.iter().map(as_stored).collect()))
    }

    /// Which of these events of one partition are stored, and since when they are known.
    async fn stored(
        &self,
        (shard, bucket): (i32, i64),
        keys: Vec<(&EntityName, OrderKey)>,
    ) -> Result<Vec<(Identity, Time)>, Failure> {
        let layout = &self.settings().layout;
        let values = (shard, bucket, key_tuples(keys.into_iter()));
        let result = self.session().execute_unpaged(&self.statements().keys_among, values).await?;
        let mut stored = Vec::new();
        for row in result.into_rows_result()?.rows::<(&str, i64, i64, &[u8], i64)>()? {
            let (entity, time, seq, id, known_at) = row?;
            let identity = (layout.home(&read_name(entity)?).hash, read_key(time, seq, id)?);
            stored.push((identity, Time::from_nanos(known_at)));
        }
        Ok(stored)
    }
}
