//! The binary `statetrail`.

use std::process::ExitCode;

/// Events are made by one thread and stored by another; the system's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    statetrail_cli::run_from_environment().into()
}
