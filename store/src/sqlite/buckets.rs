//! Spans of event time.
//!
//! Every event lies in the bucket whose span holds its time, and rows of `events` begin with the
//! bucket. A bucket ends where the next one, in the order of time, begins; the first one begins
//! at the earliest moment of all.

use rusqlite::Connection;
use statetrail_event::Time;

/// The buckets in the order of time.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    list: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    pub(super) number: i64,
    pub(super) start: Time,
}

impl Buckets {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Buckets> {
        let mut statement = connection
            .prepare_cached("SELECT bucket, start_time FROM buckets ORDER BY start_time")?;
        let rows = statement.query_map([], |row| {
            Ok(Bucket { number: row.get(0)?, start: Time::from_nanos(row.get(1)?) })
        })?;
        Ok(Buckets { list: rows.collect::<rusqlite::Result<_>>()? })
    }

    /// The number of the bucket that holds that moment.
    pub(super) fn number_at(&self, time: Time) -> i64 {
        match self.covering(time, time) {
            [bucket, ..] => bucket.number,
            // No bucket at all: only a damaged file has none, and then nothing is found.
            [] => 0,
        }
    }

    /// The buckets with moments from `from` to `to`, both inclusive.
    pub(super) fn covering(&self, from: Time, to: Time) -> &[Bucket] {
        let started_by = |time| self.list.partition_point(|bucket| bucket.start <= time);
        let first = started_by(from).saturating_sub(1);
        self.list.get(first..started_by(to)).unwrap_or_default()
    }
}
