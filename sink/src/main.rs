//! The binary `statetrail-sink`.

use std::process::ExitCode;

fn main() -> ExitCode {
    statetrail_sink::run_from_environment().into()
}
