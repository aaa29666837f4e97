//! What this process has read of the order of arrival, from place to place.
//!
//! Whoever goes on from a place needs to know what arrived lately before it. If that place lies in a
//! stretch that was read, it is known, whether reading ended just there or went on: a client goes
//! on from any of the events that it was given.

use std::collections::VecDeque;

use super::arrivals::Stream;
use super::cursor::{Cursor, Position};
use super::stream::is_over;

/// Stretches of which it is known that they were read. One has a page of events at most, 500 where a
/// server reads, so that what they hold is remembered still.
const STRETCHES_MAX: usize = 1_000;

/// How far into a stream a place leads.
pub(super) fn position_in(cursor: &Cursor, stream: &Stream) -> Position {
    match cursor.positions.get(&stream.stream) {
        Some(position) => *position,
        None if is_over(stream.began, cursor.complete_at()) => (i64::MAX, 0),
        None => Position::default(),
    }
}

/// From the first place up to the second one.
#[derive(Debug)]
struct Stretch(Cursor, Cursor);

impl Stretch {
    fn holds(&self, place: &Cursor, streams: &[Stream]) -> bool {
        streams.iter().all(|stream| {
            let [from, at, to] = [&self.0, place, &self.1].map(|one| position_in(one, stream));
            (from..=to).contains(&at)
        })
    }
}

/// The stretches that were read, the one that was last asked for in front.
#[derive(Debug, Default)]
pub(super) struct Stretches(VecDeque<Stretch>);

impl Stretches {
    /// Whether what lies before a place was read.
    pub(super) fn hold(&mut self, place: &Cursor, streams: &[Stream]) -> bool {
        let found = self.0.iter().position(|stretch| stretch.holds(place, streams));
        let Some(found) = found.and_then(|found| self.0.remove(found)) else { return false };
        self.0.push_front(found);
        true
    }

    /// Takes in what was read from a place up to another one.
    pub(super) fn take_in(&mut self, from: Cursor, to: Cursor, streams: &[Stream]) {
        let is_known =
            |stretch: &Stretch| stretch.holds(&from, streams) && stretch.holds(&to, streams);
        // Where nothing came, nothing new was read.
        if !self.0.iter().any(is_known) {
            self.0.truncate(STRETCHES_MAX - 1);
            self.0.push_front(Stretch(from, to));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use statetrail_event::Time;

    use super::super::snapshots::before;
    use super::super::stream::STREAM_LENGTH;
    use super::*;

    const NOW: Time = Time::from_nanos(1_790_000_000_000_000_000);

    fn ago(seconds: u64) -> Time {
        before(NOW, Duration::from_secs(seconds))
    }

    fn place(complete: Time, positions: &[(i64, Position)]) -> Cursor {
        let positions = positions.iter().copied().collect();
        Cursor { complete: Cursor::seconds(complete), positions }
    }

    #[test]
    fn a_place_within_what_was_read_is_known() {
        let streams = [1, 2].map(|stream| Stream { stream, began: ago(1_000), part: 0 });
        let mut read = Stretches::default();
        let from = place(ago(600), &[(1, (4, 0)), (2, (0, 0))]);
        let to = place(ago(300), &[(1, (9, 3)), (2, (2, 0))]);
        read.take_in(from.clone(), to.clone(), &streams);
        // Also those of single events, which nobody has asked for.
        for (first, second, is_held) in [
            ((4, 0), (0, 0), true),
            ((9, 3), (2, 0), true),
            ((5, 1), (1, 7), true),
            ((9, 4), (1, 0), false),
            ((3, 9), (1, 0), false),
            ((5, 0), (2, 1), false),
        ] {
            let place = place(ago(400), &[(1, first), (2, second)]);
            assert_eq!(read.hold(&place, &streams), is_held, "{place:?}");
        }
        let began = ago(10);
        let with_new = [streams[0], streams[1], Stream { stream: 3, began, part: 0 }];
        assert!(read.hold(&to, &with_new), "nothing of the new one lies before it");
        assert!(!read.hold(&place(ago(300), &[(1, (9, 3)), (2, (2, 0)), (3, (1, 0))]), &with_new));
    }

    #[test]
    fn streams_that_are_over_lie_before_a_place_as_a_whole() {
        let began = before(NOW, STREAM_LENGTH.mul_f32(2.0));
        let streams = [Stream { stream: 1, began, part: 0 }];
        let open = place(before(NOW, STREAM_LENGTH.mul_f32(1.5)), &[(1, (4, 0))]);
        let mut read = Stretches::default();
        read.take_in(open.clone(), place(ago(0), &[]), &streams);
        assert!(read.hold(&place(ago(0), &[(1, (8, 0))]), &streams));
        assert!(read.hold(&place(ago(5), &[]), &streams));
        let mut less = Stretches::default();
        less.take_in(open.clone(), open, &streams);
        assert!(!less.hold(&place(ago(5), &[]), &streams));
    }

    #[test]
    fn memory_stays_bounded_and_what_is_asked_for_stays() {
        let streams = [Stream { stream: 1, began: ago(1_000), part: 0 }];
        let at = |row: i64| place(ago(300), &[(1, (row, 0))]);
        let mut read = Stretches::default();
        for row in 0..3_000 {
            read.take_in(at(row * 10), at(row * 10 + 9), &streams);
            assert!(read.hold(&at(5), &streams));
            // One who waits adds nothing.
            read.take_in(at(row * 10 + 9), at(row * 10 + 9), &streams);
        }
        assert_eq!(read.0.len(), STRETCHES_MAX);
        assert!(read.hold(&at(29_995), &streams) && !read.hold(&at(15_005), &streams));
    }
}
