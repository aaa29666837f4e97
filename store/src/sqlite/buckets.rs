//! Spans of event time.
//!
//! Every event lies in the bucket whose span holds its time, and rows of `events` begin with the
//! bucket. A bucket ends where the next one, in the order of time, begins; the first one begins
//! at the earliest moment of all.
//!
//! What this is for: new events of many old entities would each be written into another page of
//! a large tree. As most events are of the newest time, they meet in the pages of the newest
//! bucket, which is small enough to stay in memory. So a bucket is closed when it is full, by
//! giving the time behind it to a new one. Events that come late still go into their own bucket,
//! which then grows beyond its limit; that is slower, but right.

use rusqlite::{Connection, OptionalExtension, params};
use statetrail_event::Time;

use super::failure::Failure;
use super::trail::sql_direction;
use crate::Order;

/// Events of a full bucket. Their rows, without the lines, take about 40 MB.
const FULL: u64 = 250_000;
/// Events at the edge of a full bucket that may be moved when the next one begins behind the
/// others: so that a few events of clocks that are wrong by years do not keep a bucket open.
const MOVED: u64 = 1_000;

/// The buckets as the writer sees them.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    /// In the order of time.
    list: Vec<Bucket>,
    /// The times of new events by bucket, since the last call of [`Buckets::settle`]. There are
    /// few buckets in a batch, mostly one.
    new: Vec<(i64, Vec<Time>)>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    number: i64,
    start: Time,
    events: u64,
    /// The number of events at which to look again whether to close it.
    look_at: u64,
}

/// Makes the bucket that holds all time in an empty store.
pub(super) fn create_first(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO buckets (start_time, events, look_at) VALUES (?1, 0, ?2)",
        params![i64::MIN, FULL],
    )?;
    Ok(())
}

/// The numbers of the buckets with moments from `from` to `to`, both inclusive.
pub(super) fn covering(
    connection: &Connection,
    from: Time,
    to: Time,
    order: Order,
) -> rusqlite::Result<Vec<i64>> {
    let direction = sql_direction(order);
    let sql = format!(
        "SELECT bucket FROM buckets
         WHERE start_time <= ?2
             AND start_time >= (SELECT max(start_time) FROM buckets WHERE start_time <= ?1)
         ORDER BY start_time {direction}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let numbers = statement.query_map([from.nanos(), to.nanos()], |row| row.get(0))?;
    numbers.collect()
}

impl Buckets {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Buckets> {
        let mut statement = connection.prepare_cached(
            "SELECT bucket, start_time, events, look_at FROM buckets ORDER BY start_time",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Bucket {
                number: row.get(0)?,
                start: Time::from_nanos(row.get(1)?),
                events: row.get(2)?,
                look_at: row.get(3)?,
            })
        })?;
        Ok(Buckets { list: rows.collect::<rusqlite::Result<_>>()?, new: Vec::new() })
    }

    /// The number of the bucket that holds that moment.
    pub(super) fn number_at(&self, time: Time) -> i64 {
        let started = self.list.partition_point(|bucket| bucket.start <= time);
        // The first bucket begins at the earliest moment. In a file where it does not, the
        // number of no bucket lets nothing be found.
        self.list.get(started.saturating_sub(1)).map_or(0, |bucket| bucket.number)
    }

    /// Notes that an event was stored in that bucket.
    pub(super) fn count(&mut self, number: i64, time: Time) {
        match self.new.iter_mut().find(|(of_bucket, _)| *of_bucket == number) {
            Some((_, times)) => times.push(time),
            None => self.new.push((number, vec![time])),
        }
    }

    /// Writes how many events there are now, and closes the buckets that are full.
    pub(super) fn settle(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut closed_any = false;
        for (number, mut times) in std::mem::take(&mut self.new) {
            let Some(index) = self.list.iter().position(|bucket| bucket.number == number) else {
                continue;
            };
            let end = self.list.get(index + 1).map(|next| next.start);
            let bucket = &mut self.list[index];
            bucket.events += times.len() as u64;
            if bucket.events >= bucket.look_at {
                bucket.look_at = bucket.events + FULL;
                let middle = times.len() / 2;
                let typical = *times.select_nth_unstable(middle).1;
                closed_any |= bucket.close(connection, end, typical)?;
            }
            bucket.write(connection)?;
        }
        if closed_any {
            *self = Buckets::read(connection)?;
        }
        Ok(())
    }
}

impl Bucket {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE buckets SET start_time = ?2, events = ?3, look_at = ?4 WHERE bucket = ?1",
            )?
            .execute(params![self.number, self.start.nanos(), self.events, self.look_at])?;
        Ok(())
    }

    /// Gives the time behind the bucket's events to a new one, or the time before them if it is
    /// there that events arrive. Those that arrive in the middle would go on to do so: then
    /// nothing is won and `false` returned.
    fn close(
        &mut self,
        connection: &Connection,
        end: Option<Time>,
        typical: Time,
    ) -> Result<bool, Failure> {
        let last_moment = end.map_or(Time::MAX, |end| Time::from_nanos(end.nanos() - 1));
        let span = (self.start, last_moment);
        let Some(oldest) = edge(connection, span, Order::OldestFirst)? else { return Ok(false) };
        let Some(newest) = edge(connection, span, Order::NewestFirst)? else { return Ok(false) };
        let position = i128::from(typical.nanos()) - i128::from(oldest.nanos());
        let width = i128::from(newest.nanos()) - i128::from(oldest.nanos());
        if position * 8 >= width * 7 && newest < last_moment {
            let behind = Time::from_nanos(newest.nanos() + 1);
            let moved = split_off(connection, (behind, last_moment), behind)?;
            self.events -= moved;
            return Ok(true);
        }
        if position * 8 <= width && self.start < oldest {
            let before = Time::from_nanos(oldest.nanos() - 1);
            let start = self.start;
            self.start = oldest;
            self.write(connection)?;
            let moved = split_off(connection, (start, before), start)?;
            self.events -= moved;
            return Ok(true);
        }
        Ok(false)
    }
}

/// The time of the event at the edge of a span, behind those that may be moved.
fn edge(
    connection: &Connection,
    (from, to): (Time, Time),
    order: Order,
) -> Result<Option<Time>, Failure> {
    let direction = sql_direction(order);
    let sql = format!(
        "SELECT time FROM events INDEXED BY timeline WHERE time BETWEEN ?1 AND ?2
         ORDER BY time {direction} LIMIT 1 OFFSET {MOVED}"
    );
    let nanos: Option<i64> = connection
        .prepare_cached(&sql)?
        .query_row([from.nanos(), to.nanos()], |row| row.get(0))
        .optional()?;
    Ok(nanos.map(Time::from_nanos))
}

/// Makes a new bucket and moves the events of a span into it; returns how many.
fn split_off(
    connection: &Connection,
    (from, to): (Time, Time),
    start: Time,
) -> Result<u64, Failure> {
    let number = connection
        .prepare_cached("INSERT INTO buckets (start_time, events, look_at) VALUES (?1, 0, ?2)")?
        .insert(params![start.nanos(), FULL])?;
    let moved = connection
        .prepare_cached(
            "UPDATE events INDEXED BY timeline SET bucket = ?1 WHERE time BETWEEN ?2 AND ?3",
        )?
        .execute(params![number, from.nanos(), to.nanos()])? as u64;
    connection
        .prepare_cached("UPDATE buckets SET events = ?2 WHERE bucket = ?1")?
        .execute(params![number, moved])?;
    Ok(moved)
}
