//! What the binary `statetrail` does, as a library, so that tests and other binaries can start
//! what a person starts.

pub mod args;
pub mod clock;
pub mod commands;
pub mod failure;
pub mod import;
pub mod input;
pub mod log_time;
pub mod moment;
pub mod output;
pub mod rule_files;
pub mod store_place;
