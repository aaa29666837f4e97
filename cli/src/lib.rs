//! What the binary `statetrail` does, as a library, so that tests and other binaries can start
//! what a person starts.

pub mod input;
pub mod log_time;
pub mod moment;
