//! What the benches share: cases with a rival, measured in turns, shown as a table for people and
//! as JSON lines in `target/bench/NAME.jsonl` for programs.

mod report;
mod rounds;

pub use report::{Better, Case, Report};
pub use rounds::{Timing, alternate, median};
