//! What came of the lines: pure accounting, without a clock of its own.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use statetrail_event::Time;

/// Latencies that percentiles are made of: the last ones of a canary that never ends.
const LATENCIES_MAX: usize = 100_000;

/// Lines that were written, and what is known of them.
pub(super) struct Tally {
    /// A line that has not come for so long is lost, until it comes after all.
    within: Duration,
    /// Lines that have not come, with when they were written.
    waiting: BTreeMap<u64, Time>,
    latencies: VecDeque<Duration>,
    written: u64,
    stored: u64,
    doubled: u64,
    wrong: u64,
    late: u64,
}

/// The counts at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Lines written.
    pub(super) written: u64,
    /// Lines that came.
    pub(super) stored: u64,
    /// Lines that are on their way.
    pub(super) waiting: u64,
    /// Lines that have not come in time.
    pub(super) lost: u64,
    /// Events of lines that had come already.
    pub(super) doubled: u64,
    /// Events that no line can have given.
    pub(super) wrong: u64,
    /// Lines that came, and not in time.
    pub(super) late: u64,
}

impl Counts {
    /// Whether lines were written, and every one came through, once and in time.
    pub(super) fn is_good(&self) -> bool {
        self.written > 0
            && self.stored == self.written
            && self.doubled + self.wrong + self.late == 0
    }
}

impl Tally {
    pub(super) fn new(within: Duration) -> Tally {
        Tally {
            within,
            waiting: BTreeMap::new(),
            latencies: VecDeque::new(),
            written: 0,
            stored: 0,
            doubled: 0,
            wrong: 0,
            late: 0,
        }
    }

    /// A line is about to be written; returns its number, from 1.
    pub(super) fn write(&mut self, now: Time) -> u64 {
        self.written += 1;
        self.waiting.insert(self.written, now);
        self.written
    }

    /// An event came: with the number of a line, unless it holds none that fits its check.
    pub(super) fn take(&mut self, number: Option<u64>, now: Time) -> Option<Duration> {
        let Some(number) = number.filter(|number| (1..=self.written).contains(number)) else {
            self.wrong += 1;
            return None;
        };
        let Some(written_at) = self.waiting.remove(&number) else {
            self.doubled += 1;
            return None;
        };
        let latency = between(written_at, now);
        self.stored += 1;
        self.late += u64::from(latency > self.within);
        if self.latencies.len() == LATENCIES_MAX {
            self.latencies.pop_front();
        }
        self.latencies.push_back(latency);
        Some(latency)
    }

    /// Lines written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The counts as of now.
    pub(super) fn counts(&self, now: Time) -> Counts {
        let is_lost = |written_at: &&Time| between(**written_at, now) > self.within;
        let lost = self.waiting.values().filter(is_lost).count() as u64;
        let waiting = self.waiting.len() as u64 - lost;
        let Tally { written, stored, doubled, wrong, late, .. } = *self;
        Counts { written, stored, waiting, lost, doubled, wrong, late }
    }

    /// The least latency that so many percent of the lines that came did not exceed.
    pub(super) fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.latencies.iter().copied().collect();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }
}

fn between(from: Time, to: Time) -> Duration {
    Duration::from_nanos(u64::try_from(to.nanos() - from.nanos()).unwrap_or_default())
}

/// What tells that a number is whole: a line that was cut or mixed with another one does not have it.
pub(super) fn check_of(number: u64) -> String {
    // Knuth's multiplicative hash; the letter keeps it from being read as a number.
    format!("c{:08x}", (number as u32).wrapping_mul(2_654_435_761))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn each_line_is_counted_as_what_became_of_it() {
        let mut tally = Tally::new(Duration::from_secs(10));
        for _ in 0..5 {
            tally.write(at(0));
        }
        tally.take(Some(1), at(1));
        tally.take(Some(1), at(2));
        tally.take(Some(2), at(20));
        for strange in [None, Some(0), Some(6)] {
            tally.take(strange, at(3));
        }
        let early =
            Counts { written: 5, stored: 2, waiting: 3, lost: 0, doubled: 1, wrong: 3, late: 1 };
        assert_eq!(tally.counts(at(10)), early);
        assert_eq!(tally.counts(at(11)), Counts { waiting: 0, lost: 3, ..early });
        // One that comes after all is late, and not lost.
        tally.take(Some(3), at(30));
        assert_eq!(
            tally.counts(at(30)),
            Counts { stored: 3, waiting: 0, lost: 2, late: 2, ..early }
        );
        assert!(!tally.counts(at(30)).is_good());
    }

    #[test]
    fn percentiles_are_of_those_that_came() {
        let mut tally = Tally::new(Duration::from_secs(1_000));
        assert_eq!(tally.percentile(50), None);
        for number in 1..=200 {
            tally.write(at(0));
            tally.take(Some(number), at(number as i64));
        }
        let seconds = |percent| tally.percentile(percent).map(|it| it.as_secs());
        assert_eq!([0, 50, 99, 100].map(seconds), [Some(1), Some(100), Some(198), Some(200)]);
        assert!(tally.counts(at(201)).is_good());
    }

    #[test]
    fn checks_differ() {
        let all: std::collections::BTreeSet<String> = (0..1_000).map(check_of).collect();
        assert_eq!(all.len(), 1_000);
        assert_eq!(check_of(17), "c81af14c1");
    }
}
