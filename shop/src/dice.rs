//! Random choices from a seed.
//!
//! Only the ChaCha stream itself is taken from a library, because its output for a seed is fixed
//! by the algorithm; how numbers become choices is decided here, so an update of a dependency
//! cannot change the bytes that a seed gives.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Who draws. Each has a stream of its own, so that drawing more in one place does not change
/// what happens in another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Fleet,
    Orders,
    Journal,
    Noise,
    Delivery,
    Moments,
}

pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Dice {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(purpose as u64);
        Dice(stream)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 up to, but not including, `bound`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        // The bias of at most bound / 2^32 does not matter to a shop.
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// A number from `low` to `high`, both included; `low` if they are the wrong way round.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.saturating_sub(low).saturating_add(1).max(1) as u64;
        low + ((u128::from(self.bits()) * u128::from(span)) >> 64) as i64
    }

    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// True in the given share of cases, 0 to 1.
    pub(crate) fn share(&mut self, share: f64) -> bool {
        f64::from(self.0.next_u32()) < share * 4_294_967_296.0
    }

    /// One of the choices, which may not be empty.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len() as u32) as usize]
    }
}
