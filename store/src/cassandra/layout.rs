//! Where things lie: entities in shards, time in buckets and spans.
//!
//! Partitions are shared by many entities, so that the events of a flush meet in few of them and
//! go there in dense batches; how many there are follows from the rate of events that the user
//! states at `migrate`, and never changes afterwards.
//!
//! | table | partition | grows with |
//! |---|---|---|
//! | `events` | shard and bucket of event time | the events of a bucket |
//! | `timeline` | a shard of its own kind and a span of event time | the events of a span |
//! | `entities`, `snapshots` | shard | the entities |

use std::time::Duration;

use statetrail_event::{EntityName, Time};
use xxhash_rust::xxh64::xxh64;

/// Rows that a flush of a second brings to a partition, at the rate that was stated. Denser
/// batches gain little: measured on Cassandra 5.0.6, 50 rows a request cost 2.05 s of its CPU
/// for 100,000 events, 100 rows 1.95 s, single rows 7 s.
const ROWS_A_FLUSH: u64 = 32;
const SHARDS_MIN: u64 = 8;
const SHARDS_MAX: u64 = 4_096;
/// Shards of `events` for one of `timeline`, whose rows are small.
const SHARDS_A_TIMELINE_SHARD: u64 = 4;
/// What a partition shall not exceed at the stated rate. Cassandra bears more, but compacts and
/// repairs partitions as a whole.
const PARTITION_BYTES: u64 = 64 << 20;
/// Bytes of a row of `events`, before compression.
const EVENT_BYTES: u64 = 450;
/// Bytes of a row of `timeline`.
const TIMELINE_ROW_BYTES: u64 = 100;
/// Lengths of buckets and spans to choose from, the longest first.
const LENGTHS_SECONDS: [u64; 10] =
    [2_592_000, 604_800, 86_400, 43_200, 14_400, 7_200, 3_600, 1_800, 900, 300];

/// The measures of a store, fixed for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Number of shards.
    pub shards: u32,
    /// Length of a bucket of `events`.
    pub bucket_seconds: u64,
    /// Number of shards of `timeline`.
    pub timeline_shards: u32,
    /// Length of a span of `timeline`.
    pub span_seconds: u64,
    /// Number of the first shard; the stores of a test share their tables by this.
    pub(super) first_shard: i32,
}

/// Where an entity lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    /// Two hashes of its name, which tell it from every other.
    pub(super) hash: u128,
    pub(super) shard: i32,
    pub(super) timeline_shard: i32,
}

impl Layout {
    /// The measures for so many events a second.
    pub fn for_rate(events_per_second: u64) -> Layout {
        let rate = events_per_second.max(1);
        let shards = (rate / ROWS_A_FLUSH).next_power_of_two().clamp(SHARDS_MIN, SHARDS_MAX);
        let timeline_shards = shards / SHARDS_A_TIMELINE_SHARD;
        Layout {
            shards: shards as u32,
            bucket_seconds: length(rate * EVENT_BYTES, shards),
            timeline_shards: timeline_shards as u32,
            span_seconds: length(rate * TIMELINE_ROW_BYTES, timeline_shards),
            first_shard: 0,
        }
    }

    pub(super) fn home(&self, entity: &EntityName) -> Home {
        let name = entity.as_str().as_bytes();
        let (low, high) = (xxh64(name, 0), xxh64(name, 1));
        let shard = |count: u32, hash: u64| self.first_shard + (hash % u64::from(count)) as i32;
        Home {
            hash: u128::from(high) << 64 | u128::from(low),
            shard: shard(self.shards, low),
            timeline_shard: shard(self.timeline_shards, high),
        }
    }

    pub(super) fn shard_numbers(&self) -> std::ops::Range<i32> {
        self.first_shard..self.first_shard + self.shards as i32
    }

    pub(super) fn timeline_shard_numbers(&self) -> std::ops::Range<i32> {
        self.first_shard..self.first_shard + self.timeline_shards as i32
    }

    /// The number of the bucket that holds a moment.
    pub(super) fn bucket(&self, time: Time) -> i64 {
        period(time, self.bucket_seconds)
    }

    /// The first moment of a bucket.
    pub(super) fn bucket_start(&self, bucket: i64) -> Time {
        let nanos = i128::from(bucket) * i128::from(self.bucket_seconds) * 1_000_000_000;
        Time::from_nanos(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }

    /// The number of the span that holds a moment.
    pub(super) fn span(&self, time: Time) -> i64 {
        period(time, self.span_seconds)
    }
}

fn period(time: Time, seconds: u64) -> i64 {
    let length = Duration::from_secs(seconds).as_nanos();
    // A length of 0 stands in no settings that were read.
    time.nanos().div_euclid(i64::try_from(length).unwrap_or(i64::MAX).max(1))
}

/// The longest length at which a partition stays within its bounds.
fn length(bytes_per_second: u64, shards: u64) -> u64 {
    let fits = |seconds: &&u64| *seconds * bytes_per_second / shards <= PARTITION_BYTES;
    let [.., shortest] = LENGTHS_SECONDS;
    *LENGTHS_SECONDS.iter().find(fits).unwrap_or(&shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_stay_small_and_flushes_dense_at_every_rate() {
        for rate in [1, 10, 100, 1_000, 10_000, 100_000] {
            let layout = Layout::for_rate(rate);
            let events = rate * EVENT_BYTES * layout.bucket_seconds / u64::from(layout.shards);
            assert!(events <= PARTITION_BYTES, "{rate}: {layout:?}");
            let rows = rate * TIMELINE_ROW_BYTES * layout.span_seconds;
            let rows = rows / u64::from(layout.timeline_shards);
            assert!(rows <= PARTITION_BYTES, "{rate}: {layout:?}");
            let dense = rate / u64::from(layout.shards) >= ROWS_A_FLUSH / 2;
            assert!(dense || u64::from(layout.shards) == SHARDS_MIN, "{rate}: {layout:?}");
        }
    }

    #[test]
    fn every_moment_has_a_bucket_and_they_are_in_order() {
        let layout = Layout::for_rate(1_000);
        let times = [i64::MIN, -1, 0, 1, 1_790_000_000_000_000_000, i64::MAX].map(Time::from_nanos);
        let buckets = times.map(|time| layout.bucket(time));
        assert!(buckets.is_sorted(), "{buckets:?}");
        assert_eq!((buckets[1], buckets[2]), (-1, 0));
    }

    #[test]
    fn a_home_never_changes() {
        let name = "shop/order/o-1042".parse().expect("a valid name");
        let home = Layout::for_rate(10_000).home(&name);
        // Rows of existing stores lie where these say.
        assert_eq!((home.shard, home.timeline_shard), (422, 0));
    }
}
