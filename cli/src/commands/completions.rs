//! `statetrail completions`.

use clap::CommandFactory;

use crate::args::{CommandLine, CompletionsArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Runs the command.
///
/// # Errors
/// When the output fails.
pub fn run(args: &CompletionsArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    // The generator panics where its writer fails, so it writes to memory.
    let mut script = Vec::new();
    let mut command = CommandLine::command();
    clap_complete::generate(args.shell, &mut command, "statetrail", &mut script);
    std::io::Write::write_all(output, &script)?;
    Ok(Exit::Done)
}
