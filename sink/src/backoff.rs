//! How long to wait before trying again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The longest wait before the second try.
pub const FIRST: Duration = Duration::from_millis(100);
/// The longest wait of all. Short enough that a store that is back is noticed soon.
pub const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double from [`FIRST`] to [`LONGEST`], each shortened at random by up to a half, so
/// that many sinks do not all come back at the same moment.
#[derive(Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait. `random` is any number.
    pub fn next(&mut self, random: u64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.tries.min(16));
        self.tries = self.tries.saturating_add(1);
        let longest = doubled.min(LONGEST);
        let share = (random % 1024) as f64 / 1024.0;
        longest.mul_f64(1.0 - share / 2.0)
    }

    /// How often there was a wait.
    pub fn tries(&self) -> u32 {
        self.tries
    }
}

/// A number that nobody can foresee, from the randomness that protects hash maps.
pub fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..8).map(|_| backoff.next(0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.tries(), 8);
    }

    #[test]
    fn chance_shortens_by_no_more_than_a_half() {
        for random in [0, 1, 511, 1023, u64::MAX] {
            let wait = Backoff::default().next(random);
            assert!(wait > FIRST / 2 && wait <= FIRST, "{wait:?}");
        }
    }

    #[test]
    fn many_tries_do_not_overflow() {
        let mut backoff = Backoff { tries: u32::MAX };
        assert_eq!(backoff.next(0), LONGEST);
    }
}
