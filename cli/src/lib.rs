//! What the binary `statetrail` does, as a library, so that tests and other binaries can start
//! what a person starts.

mod app;
pub mod args;
pub mod clock;
pub mod commands;
pub mod failure;
pub mod import;
pub mod name;
pub mod output;
pub mod rule_files;
pub mod store_place;
pub mod waiting;

pub use app::run_from_environment;
