//! Two rivals in turns, so that a machine whose speed drifts treats both alike.

use std::time::{Duration, Instant};

/// The medians of both sides.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Ours, per round.
    pub ours: Duration,
    /// The rival's, per round.
    pub rival: Duration,
}

/// Runs both sides `rounds` times in turns, after one round that is not counted.
pub fn alternate(rounds: usize, mut ours: impl FnMut(), mut rival: impl FnMut()) -> Timing {
    let (mut our_times, mut rival_times) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let start = Instant::now();
        ours();
        let between = Instant::now();
        rival();
        if round > 0 {
            our_times.push(between - start);
            rival_times.push(between.elapsed());
        }
    }
    Timing { ours: median(&mut our_times), rival: median(&mut rival_times) }
}

/// The middle one of some durations; zero if there are none.
pub fn median(durations: &mut [Duration]) -> Duration {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}
