//! What a run of the shop is like.

use std::time::Duration;

use statetrail_event::Time;

/// The settings of a run. The same settings give the same bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct ShopConfig {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// When the shop opens.
    pub start: Time,
    /// When the run ends.
    pub amount: Amount,
    /// How fast the clocks of the shop go.
    pub pace: Pace,
    /// New orders per hour of the shop's time, on average over a day. It bounds how many orders
    /// are open at a time, hence the memory that a run needs.
    pub orders_per_hour: u32,
    /// Orders of an earlier run of which nothing must be written again: this one's numbers come
    /// behind theirs.
    pub orders_before: u32,
    /// The share of lines that change an entity, 0 to 1; the others are noise.
    pub matching_share: f64,
    /// How far a node's clock may be off, before or after the true time.
    pub skew: Duration,
    /// The share of lines that are written late, 0 to 1.
    pub late_share: f64,
    /// How late such a line is written at most.
    pub late_within: Duration,
    /// The share of lines that are written a second time, 0 to 1.
    pub repeat_share: f64,
    /// The longest line in bytes that the container runtime writes in one piece; a longer one
    /// is split into parts.
    pub part_bytes: usize,
}

/// How much is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many lines in all, repeated ones included; orders may be left open.
    Lines(u64),
    /// So many orders, each to its end.
    Orders(u64),
}

/// How fast the clocks of the shop go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The shop's own time passes, an order takes hours, and nothing waits for it.
    FullSpeed,
    /// One line after the other at this rate, with the times of a clock that begins at
    /// [`ShopConfig::start`]. An order's hours shrink to what that leaves of them.
    LinesPerSecond(u32),
}

/// What a whole order brings in lines that change an entity, roughly, with its share of what
/// items and couriers do meanwhile.
const CHANGES_PER_ORDER: f64 = 20.0;

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{setting} {problem}")]
pub struct ConfigError {
    setting: &'static str,
    problem: &'static str,
}

impl Default for ShopConfig {
    /// 100,000 lines from 2026-11-22T00:00:00Z on, half of them noise, clocks up to 250 ms off,
    /// no late and no repeated lines.
    fn default() -> ShopConfig {
        ShopConfig {
            seed: 1,
            start: Time::from_nanos(1_795_305_600_000_000_000),
            amount: Amount::Lines(100_000),
            pace: Pace::FullSpeed,
            orders_per_hour: 105,
            orders_before: 0,
            matching_share: 0.5,
            skew: Duration::from_millis(250),
            late_share: 0.0,
            late_within: Duration::from_secs(300),
            repeat_share: 0.0,
            part_bytes: 16 * 1024,
        }
    }
}

impl ShopConfig {
    /// A run whose lines fill about one day of the shop.
    pub fn one_day(lines: u64) -> ShopConfig {
        let default = ShopConfig::default();
        let orders = lines as f64 * default.matching_share / CHANGES_PER_ORDER;
        let orders_per_hour = (orders / 24.0).ceil().clamp(1.0, 1_000_000.0) as u32;
        ShopConfig { amount: Amount::Lines(lines), orders_per_hour, ..default }
    }

    /// Finds the first setting that makes no sense.
    ///
    /// # Errors
    /// When a share is not between 0 and 1, a rate or size is zero or a duration too long.
    pub fn check(&self) -> Result<(), ConfigError> {
        let error = |setting, problem| Err(ConfigError { setting, problem });
        let shares = [
            ("matching share", self.matching_share),
            ("late share", self.late_share),
            ("repeat share", self.repeat_share),
        ];
        for (setting, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return error(setting, "must be between 0 and 1");
            }
        }
        for (setting, duration) in [("skew", self.skew), ("late within", self.late_within)] {
            if duration > Duration::from_secs(86_400) {
                return error(setting, "must be at most a day");
            }
        }
        if self.orders_per_hour == 0 {
            return error("orders per hour", "must be at least 1");
        }
        if self.pace == Pace::LinesPerSecond(0) {
            return error("rate", "must be at least 1 line per second");
        }
        if self.part_bytes < 64 {
            return error("part bytes", "must be at least 64");
        }
        if self.matching_share == 0.0 && matches!(self.amount, Amount::Orders(_)) {
            return error("matching share", "must be above 0 when orders are counted");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_makes_no_sense_is_named() {
        let config = ShopConfig { repeat_share: 1.5, ..ShopConfig::default() };
        let error = config.check().unwrap_err();
        assert_eq!(error.to_string(), "repeat share must be between 0 and 1");
        assert_eq!(ShopConfig::default().check(), Ok(()));
        assert!(ShopConfig { late_share: f64::NAN, ..ShopConfig::default() }.check().is_err());
    }
}
