//! Places in the order of arrival, as texts.
//!
//! `cTIME` and for each stream that is not over `.STREAM-ROW` or `.STREAM-ROW-EVENTS`, all numbers
//! in the base of 36.

use std::collections::BTreeMap;

use statetrail_event::Time;

use crate::ArrivalCursor;

/// How a cursor of this store begins.
const KIND: char = 'c';
const BASE: u32 = 36;
const NANOS: i64 = 1_000_000_000;

/// A place in a stream: the row to go on with, and how many of its events lie before the place.
pub(super) type Position = (i64, usize);

/// A place in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Every row that was written before this moment lies before the place. Seconds since 1970.
    pub(super) complete: i64,
    /// The places in streams, by their numbers. Streams that are over at that moment lie before
    /// the place as a whole, all others that are not here behind it.
    pub(super) positions: BTreeMap<i64, Position>,
}

impl Cursor {
    /// The moment before which everything that was written lies before the place.
    pub(super) fn complete_at(&self) -> Time {
        Time::from_nanos(self.complete.saturating_mul(NANOS))
    }

    /// The whole seconds of a moment.
    pub(super) fn seconds(moment: Time) -> i64 {
        moment.nanos().div_euclid(NANOS).max(0)
    }

    /// Reads a cursor. The error says what is wrong with it.
    pub(super) fn read(cursor: &ArrivalCursor) -> Result<Cursor, &'static str> {
        let text = cursor.as_str().strip_prefix(KIND).ok_or("it is of another kind of store")?;
        Cursor::parse(text).ok_or("it has another form")
    }

    fn parse(text: &str) -> Option<Cursor> {
        let mut parts = text.split('.');
        let complete = number(parts.next()?)?;
        let mut positions = BTreeMap::new();
        for part in parts {
            let mut numbers = part.split('-').map(number);
            let (stream, row) = (numbers.next()??, numbers.next()??);
            let events = numbers.next().unwrap_or(Some(0))?;
            if numbers.next().is_some() {
                return None;
            }
            positions.insert(stream, (row, usize::try_from(events).ok()?));
        }
        Some(Cursor { complete, positions })
    }

    pub(super) fn show(&self) -> ArrivalCursor {
        let mut text = String::from(KIND);
        push(self.complete, &mut text);
        for (stream, (row, events)) in &self.positions {
            text.push('.');
            push(*stream, &mut text);
            text.push('-');
            push(*row, &mut text);
            if *events > 0 {
                text.push('-');
                push(*events as i64, &mut text);
            }
        }
        ArrivalCursor::of(text)
    }
}

/// Reads a number that is not negative.
fn number(text: &str) -> Option<i64> {
    let is_sound = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    i64::from_str_radix(text, BASE).ok().filter(|_| is_sound)
}

/// Appends a number that is not negative.
fn push(number: i64, text: &mut String) {
    let begin = text.len();
    let mut rest = number.unsigned_abs();
    loop {
        let digit = char::from_digit((rest % u64::from(BASE)) as u32, BASE);
        text.insert(begin, digit.unwrap_or('0'));
        rest /= u64::from(BASE);
        if rest == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_they_are_shown() {
        for positions in [vec![], vec![(0, (0, 0))], vec![(7, (35, 999)), (1 << 47, (i64::MAX, 0))]]
        {
            let positions = positions.into_iter().collect();
            let cursor = Cursor { complete: 1_790_000_000, positions };
            let shown = cursor.show();
            assert_eq!(shown.as_str().parse().as_ref(), Ok(&shown));
            assert_eq!(Cursor::read(&shown), Ok(cursor), "{shown}");
        }
    }

    #[test]
    fn other_cursors_are_refused() {
        for wrong in ["s17", "c", "c.1-1", "c1.", "c1.2", "c1.2-", "c1.2-3-4-5", "cA", "c1.-1-1"] {
            assert!(Cursor::read(&wrong.parse().unwrap()).is_err(), "{wrong}");
        }
    }
}
