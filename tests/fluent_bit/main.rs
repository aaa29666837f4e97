//! The filter in a real Fluent Bit, whose binary `FLUENT_BIT` names. Without it, nothing here is
//! tested, and every test says so.

mod canary;
#[allow(dead_code, reason = "the filter's own tests use more of it")]
#[path = "../../filter-wasm/tests/filter/corpus.rs"]
mod corpus;
mod cut_lines;
mod end_to_end;
mod kept;
mod limits;
mod multiline;
mod pipeline;
mod reload;
mod same_bytes;
mod shipped;
mod soak;
mod topic;
