//! What `make bench-edge` is made of: a real Fluent Bit, and filters for it.

pub mod floor;
pub mod run;
pub mod shop;
pub mod workload;
