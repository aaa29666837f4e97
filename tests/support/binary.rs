//! The programs that users run, built in release as they build them.

use std::path::Path;
use std::process::Command;

use statetrail_servers::{Error, released_program};

/// The project's own folder.
pub fn project_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// A command that runs `statetrail`.
///
/// # Errors
/// When it cannot be built.
pub fn statetrail() -> Result<Command, Error> {
    released_program("statetrail").map(Command::new)
}

/// A command that runs `statetrail-sink`.
///
/// # Errors
/// When it cannot be built.
pub fn statetrail_sink() -> Result<Command, Error> {
    released_program("statetrail-sink").map(Command::new)
}
