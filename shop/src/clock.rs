//! True time, and what the clocks of the nodes make of it.

use statetrail_event::Time;

use crate::config::{Pace, ShopConfig};
use crate::fleet::Pod;

/// The nanoseconds of a logged time are a multiple of this plus the pod's number: thereby no two
/// lines of a run, hence no two changes of an entity, share a time.
const TIME_STEP: i64 = 64;

pub(crate) struct Clock {
    start: i64,
    pace: Pace,
    /// True time in nanoseconds.
    now: i64,
    max_skew: i64,
    /// The last time that each pod logged.
    last_logged: Vec<i64>,
}

impl Clock {
    pub(crate) fn new(config: &ShopConfig, pods: usize) -> Clock {
        Clock {
            start: config.start.nanos(),
            pace: config.pace,
            now: config.start.nanos(),
            max_skew: config.skew.as_nanos() as i64,
            last_logged: vec![i64::MIN; pods],
        }
    }

    /// True time in nanoseconds.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    /// The shop's own time goes on to `shop_time`. A clock that goes by a rate does not heed it.
    pub(crate) fn advance(&mut self, shop_time: i64) {
        if self.pace == Pace::FullSpeed {
            self.now = self.now.max(shop_time);
        }
    }

    /// The next line comes `pause` nanoseconds after the one before, or when the rate says so.
    pub(crate) fn tick(&mut self, pause: i64, lines_before: u64) {
        self.now = match self.pace {
            Pace::FullSpeed => self.now.saturating_add(pause),
            Pace::LinesPerSecond(rate) => {
                let nanos = u128::from(lines_before) * 1_000_000_000 / u128::from(rate.max(1));
                self.start.saturating_add(i64::try_from(nanos).unwrap_or(i64::MAX))
            }
        };
    }

    /// What the pod's clock shows: later than everything that it showed before.
    pub(crate) fn logged(&mut self, pod: &Pod) -> Time {
        let shown = self.now.saturating_add(pod.clock_ahead);
        let stepped = shown - shown.rem_euclid(TIME_STEP) + pod.index as i64;
        let last = &mut self.last_logged[pod.index];
        *last = stepped.max(last.saturating_add(TIME_STEP));
        Time::from_nanos(*last)
    }

    /// No line written from now on has an earlier time.
    pub(crate) fn settled_before(&self) -> Time {
        Time::from_nanos(self.now.saturating_sub(self.max_skew + TIME_STEP))
    }

    /// No line written until now has a later time.
    pub(crate) fn final_after(&self) -> Time {
        // A pod that writes faster than its clock goes is ahead by a step a line; a second is
        // room for millions of lines in one moment.
        Time::from_nanos(self.now.saturating_add(self.max_skew + 1_000_000_000))
    }
}
