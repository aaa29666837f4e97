//! The places of lines among those of the same moment.

use crate::Time;

/// Moments whose lines are counted on when they come again.
const MOMENTS_MAX: usize = 64;

/// Counts lines per moment: what [`seq_of`](crate::seq_of) needs where times are not fine enough
/// to tell lines apart. Whoever reads lines counts them by this one rule, so that the same line
/// is the same event wherever it is read.
///
/// Services write lines a little out of order: a moment may come again after a later one, and
/// its lines must not be numbered anew then. What is remembered is bounded; of the moments the
/// one that was not seen for longest is forgotten first.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    /// The one that was seen last stands last.
    moments: Vec<Moment>,
}

#[derive(Clone, Debug)]
struct Moment {
    time: Time,
    lines: u64,
}

impl Positions {
    /// The place of the next line of that time, from 0.
    pub fn next(&mut self, time: Time) -> u64 {
        let mut moment = self.take(time);
        let position = moment.lines;
        moment.lines += 1;
        self.moments.push(moment);
        position
    }

    /// Takes a moment out, or makes room for it.
    fn take(&mut self, time: Time) -> Moment {
        match self.moments.iter().rposition(|moment| moment.time == time) {
            Some(index) => self.moments.remove(index),
            None => {
                if self.moments.len() == MOMENTS_MAX {
                    self.moments.remove(0);
                }
                Moment { time, lines: 0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(positions: &mut Positions, nanos: impl IntoIterator<Item = i64>) -> Vec<u64> {
        nanos.into_iter().map(|nanos| positions.next(Time::from_nanos(nanos))).collect()
    }

    #[test]
    fn moments_that_come_again_are_counted_on() {
        let seen = count(&mut Positions::default(), [5, 5, 6, 5, 4, 6, 5, 4]);
        assert_eq!(seen, [0, 1, 0, 2, 0, 1, 3, 1]);
    }

    #[test]
    fn the_moment_that_was_not_seen_for_longest_is_forgotten() {
        let moments = MOMENTS_MAX as i64;
        let mut positions = Positions::default();
        count(&mut positions, 0..moments);
        assert_eq!(count(&mut positions, [0, moments]), [1, 0], "1 makes room");
        assert_eq!(count(&mut positions, [0, 2, 1]), [2, 1, 0]);
        count(&mut positions, 0..10_000);
        assert_eq!(positions.moments.len(), MOMENTS_MAX);
    }
}
