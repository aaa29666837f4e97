//! Statetrail's filter for Fluent Bit: log lines in, events out, as a WASM module.
//!
//! The [`Filter`] is plain safe Rust and runs anywhere; on `wasm32` the module `abi` puts Fluent
//! Bit's interface around it. `README.md` beside this crate says how to configure Fluent Bit,
//! what each function replies, and which fields of a record are read.
//!
//! Two things shape everything here. Fluent Bit's interpreter has an operand stack of 8 KiB, so
//! nothing recurses, whatever the record holds, and the tests measure what is used of it. And a
//! trap loses records, so nothing panics on input: a record that cannot be read is passed or
//! dropped like one without a match, and counted.

#[cfg(target_arch = "wasm32")]
mod abi;
#[cfg(any(target_arch = "wasm32", test))]
mod arena;
mod counters;
mod filter;
mod json;
mod json_check;
mod loader;
mod msgpack;
mod record;
mod reply;
mod report;
mod rule_folders;
mod rule_totals;
mod shape;
mod sources;
mod watch;
mod words;

pub use counters::Counters;
pub use filter::{Filter, MAX_EVENTS_BYTES, MAX_LINE_BYTES, Mode, Reply};
pub use loader::Loader;
pub use rule_folders::{FileProblem, RuleFiles, read_node, read_rule_files};
pub use watch::{LOOK_EVERY, Watch};
