//! What the benches share: cases with a rival, measured in turns, shown as a table for people and
//! as JSON lines in `target/bench/NAME.jsonl` for programs.

pub mod bare_loop;
pub mod bare_reads;
pub mod cassandra_reads;
pub mod edge;
pub mod phrases;
pub mod process;
mod report;
mod rounds;
pub mod shop_logs;
pub mod sink;
pub mod tended;
pub mod workload;

pub use report::{Better, Case, Report};
pub use rounds::{Timing, alternate, median};
