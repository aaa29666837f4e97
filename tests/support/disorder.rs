//! Copies of log files whose lines come late and twice, as they do when a shipper retries.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How a copy differs from its original.
#[derive(Clone, Copy, Debug)]
pub struct Disorder {
    /// Decides which lines, and by how much.
    pub seed: u64,
    /// A line comes up to so much later than its time.
    pub late_within: Duration,
    /// The share of lines that come twice.
    pub repeat_share: f64,
}

/// Writes a copy of every file of `from`, which holds CRI logs without split lines, into `to`,
/// with the same names.
///
/// # Errors
/// When a file cannot be read or written.
pub fn disordered_copy(from: &Path, to: &Path, disorder: Disorder) -> Result<()> {
    let mut dice = ChaCha8Rng::seed_from_u64(disorder.seed);
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path:?}"))?;
        let name = path.file_name().context("a file without a name")?;
        fs::write(to.join(name), disordered(&text, disorder, &mut dice)?)?;
    }
    Ok(())
}

fn disordered(text: &str, disorder: Disorder, dice: &mut ChaCha8Rng) -> Result<String> {
    let late = disorder.late_within.as_nanos() as u64;
    let mut arrivals = Vec::new();
    for line in text.lines() {
        let is_repeated = f64::from(dice.next_u32()) < disorder.repeat_share * f64::from(u32::MAX);
        let copies = 1 + usize::from(is_repeated);
        for _ in 0..copies {
            let delay = (dice.next_u64() % (late + 1)) as i64;
            arrivals.push((nanos_of(line)? + delay, line));
        }
    }
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    let mut shuffled = String::with_capacity(text.len() * 2);
    for (_, line) in arrivals {
        shuffled.push_str(line);
        shuffled.push('\n');
    }
    Ok(shuffled)
}

/// The time of a CRI line, without the help of the code under test.
fn nanos_of(line: &str) -> Result<i64> {
    let stamp = line.split(' ').next().unwrap_or_default();
    let time: jiff::Timestamp = stamp.parse().with_context(|| format!("no time in {line:?}"))?;
    i64::try_from(time.as_nanosecond()).context("a time out of range")
}
