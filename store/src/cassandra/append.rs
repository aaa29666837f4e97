//! Writing with counts: which events of a batch are there already is looked up before.

use std::collections::{BTreeMap, HashSet};

use statetrail_event::{EntityName, OrderKey};

use super::connect::Failure;
use super::timeline::key_tuples;
use super::{CassandraStore, at_once};
use crate::{Appended, KnownEvent};

const KEYS_A_REQUEST: usize = 100;

impl CassandraStore {
    /// See [`EventStore::append`](crate::EventStore::append). Two processes that write the same
    /// events at the same time may both count them as new.
    pub(super) async fn append_batch(&self, batch: &[KnownEvent]) -> Result<Appended, Failure> {
        let layout = self.settings().layout;
        let (retention, now) = (&self.settings().plan.retention, self.now());
        let mut partitions: BTreeMap<(i32, i64), HashSet<(&EntityName, OrderKey)>> =
            BTreeMap::new();
        for KnownEvent { event, .. } in batch {
            if retention.time_to_live(event.entity.namespace(), event.time, now).is_none() {
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
        let counts = requests
            .into_iter()
            .map(|(partition, keys)| self.count_stored(partition, keys))
            .collect();
        let stored: usize = at_once::unordered(counts).await?.into_iter().sum();
        self.write_batch(batch).await?;
        let new = distinct - stored;
        Ok(Appended { new: new as u64, repeated: (batch.len() - new) as u64 })
    }

    /// How many of these events of one partition are stored.
    async fn count_stored(
        &self,
        (shard, bucket): (i32, i64),
        keys: Vec<(&EntityName, OrderKey)>,
    ) -> Result<usize, Failure> {
        let values = (shard, bucket, key_tuples(keys.into_iter()));
        let result = self.session().execute_unpaged(&self.statements().keys_among, values).await?;
        Ok(result.into_rows_result()?.rows_num())
    }
}
