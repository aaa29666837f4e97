//! The binary `statetrail`.

use std::process::ExitCode;

fn main() -> ExitCode {
    statetrail_cli::run_from_environment().into()
}
