//! Telling what arrived, after the events themselves are stored.
//!
//! One call at a time writes to the stream of this process, and takes with it what all the others
//! have handed in meanwhile: so rows get numbers without a gap, each is stored before the next one
//! is written, and however many batches are under way, a request tells of all that are waiting.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;

use statetrail_event::Time;

use super::connect::Failure;
use super::rows::latest_counts;
use super::snapshots::after;
use super::stream::{Row, STREAM_LENGTH, part_of};
use super::{CassandraStore, lock};

/// Bytes after which a request is full.
const BYTES_A_REQUEST: usize = 256 << 10;
/// Bits of a stream's number. Fewer make shorter cursors; of a thousand streams, two have the same
/// number once in 500 million times.
const STREAM_BITS: u32 = 48;

/// What is told, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Announcing {
    waiting: Mutex<Waiting>,
    /// Held over requests.
    telling: futures::lock::Mutex<Telling>,
}

/// What was handed in and is not being told yet.
#[derive(Debug, Default)]
struct Waiting {
    rows: Vec<Row>,
    /// Calls that have handed something in; also the number of the last one.
    calls: u64,
}

/// What whoever tells knows.
#[derive(Debug, Default)]
struct Telling {
    stream: Option<Stream>,
    rows: VecDeque<Row>,
    /// So many rows in front may be stored already: they were sent, and no answer came. They stay
    /// as they are until one comes, because somebody may have read them.
    sent: usize,
    /// All calls up to this one are told of, or have failed.
    told: u64,
    /// Calls that have failed with another one, and do not know it yet.
    failed: BTreeSet<u64>,
}

/// The stream of this process.
#[derive(Clone, Copy, Debug)]
struct Stream {
    stream: i64,
    began: Time,
    /// The number of its next row.
    next: i64,
    /// The last part that was noted.
    noted: Option<i64>,
    /// When its last row was written.
    written: Time,
}

impl Stream {
    fn begin(now: Time) -> Stream {
        // The keys of a `RandomState` are random, and no two of a process are the same.
        let random = RandomState::new().hash_one(now.nanos()) >> (u64::BITS - STREAM_BITS);
        Stream { stream: random as i64, began: now, next: 0, noted: None, written: now }
    }

    fn takes_rows(&self, now: Time) -> bool {
        (self.began..after(self.began, STREAM_LENGTH)).contains(&now)
    }
}

impl Telling {
    /// Takes over what waits; rows that were not sent yet take in others.
    fn take(&mut self, waiting: Vec<Row>) {
        for row in waiting {
            let is_open = self.rows.len() > self.sent;
            let left = match self.rows.back_mut().filter(|_| is_open) {
                Some(last) => last.take_in(row),
                None => Some(row),
            };
            self.rows.extend(left);
        }
    }

    /// All calls that are not told of have failed; `own` is told so at once.
    fn fail(&mut self, own: u64, last_call: u64) {
        self.failed.extend((self.told + 1..=last_call).filter(|call| *call != own));
        self.told = last_call;
    }

    /// How many rows the next request takes: of one part, and not too many bytes.
    fn next_request(&self, stream: &Stream) -> usize {
        let mut bytes = 0;
        let fits = |(number, row): &(i64, &Row)| {
            let fits = bytes < BYTES_A_REQUEST && part_of(*number) == part_of(stream.next);
            bytes += row.places.len();
            fits
        };
        (stream.next..).zip(&self.rows).take_while(fits).count()
    }
}

impl CassandraStore {
    /// Tells that events have arrived; returns when that is stored.
    pub(super) async fn announce(&self, rows: Vec<Row>) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let announcing = self.announcing();
        let call = {
            let mut waiting = lock(&announcing.waiting);
            waiting.rows.extend(rows);
            waiting.calls += 1;
            waiting.calls
        };
        let mut telling = announcing.telling.lock().await;
        if telling.failed.remove(&call) {
            let reason = "what arrived with others could not be told".to_owned();
            return Err(Failure::Unavailable(reason));
        }
        if call <= telling.told {
            return Ok(());
        }
        let (rows, last_call) = {
            let mut waiting = lock(&announcing.waiting);
            (std::mem::take(&mut waiting.rows), waiting.calls)
        };
        telling.take(rows);
        match self.tell(&mut telling).await {
            Ok(()) => telling.told = last_call,
            Err(failure) => {
                // Whoever handed in the others hands them in again.
                let sent = telling.sent;
                telling.rows.truncate(sent);
                telling.fail(call, last_call);
                return Err(failure);
            }
        }
        Ok(())
    }

    async fn tell(&self, telling: &mut Telling) -> Result<(), Failure> {
        while !telling.rows.is_empty() {
            let now = self.now();
            let mut stream = match telling.stream.filter(|stream| stream.takes_rows(now)) {
                Some(stream) => stream,
                None => Stream::begin(now),
            };
            telling.stream = Some(stream);
            // Whoever reads has to know of a part before there is something in it.
            let part = part_of(stream.next);
            if stream.noted != Some(part) {
                let shard = self.settings().layout.first_shard;
                let row = (shard, stream.stream, stream.began.nanos(), part, latest_counts(now));
                self.session().execute_unpaged(&self.statements().insert_stream, row).await?;
                stream.noted = Some(part);
            }
            stream.written = stream.written.max(now);
            telling.stream = Some(stream);
            let count = telling.next_request(&stream);
            telling.sent = telling.sent.max(count);
            let row = |(number, row): (i64, &'_ Row)| {
                (stream.stream, part, number, stream.written.nanos(), row.places.clone())
            };
            let rows: Vec<_> =
                (stream.next..).zip(telling.rows.iter().take(count)).map(row).collect();
            self.send_rows(&self.statements().insert_arrivals, &rows).await?;
            telling.rows.drain(..count);
            telling.sent -= count;
            stream.next += count as i64;
            telling.stream = Some(stream);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: usize) -> Row {
        Row { places: vec![0; bytes], ..Row::default() }
    }

    #[test]
    fn a_stream_ends_after_its_time_and_when_the_clock_is_put_back() {
        let now = Time::from_nanos(1_790_000_000_000_000_000);
        let stream = Stream::begin(now);
        assert!(stream.takes_rows(now) && stream.takes_rows(after(now, STREAM_LENGTH / 2)));
        assert!(!stream.takes_rows(after(now, STREAM_LENGTH)));
        assert!(!stream.takes_rows(Time::from_nanos(now.nanos() - 1)));
        assert!(stream.stream >= 0 && stream.stream < 1 << STREAM_BITS);
        assert_ne!(stream.stream, Stream::begin(now).stream);
    }

    #[test]
    fn a_request_stays_within_a_part_and_its_bytes() {
        let mut telling = Telling::default();
        telling.take((0..10).map(|_| row(60 << 10)).collect());
        let mut stream = Stream::begin(Time::from_nanos(0));
        assert_eq!(telling.next_request(&stream), 5);
        stream.next = 1_022;
        assert_eq!(telling.next_request(&stream), 2);
    }

    #[test]
    fn a_call_that_failed_with_another_knows_it_whatever_comes_after() {
        let mut telling = Telling { told: 2, ..Telling::default() };
        telling.fail(4, 5);
        telling.told = 9;
        let failed: Vec<u64> = (1..=9).filter(|call| telling.failed.remove(call)).collect();
        assert_eq!(failed, [3, 5]);
        assert!(telling.failed.is_empty());
    }

    #[test]
    fn rows_that_were_sent_stay_as_they_are() {
        let mut telling = Telling::default();
        telling.take(vec![row(10), row(10)]);
        assert_eq!(telling.rows.len(), 1, "small ones become one");
        telling.sent = 1;
        telling.take(vec![row(10), row(10)]);
        let bytes: Vec<_> = telling.rows.iter().map(|row| row.places.len()).collect();
        assert_eq!(bytes, [20, 20]);
    }
}
