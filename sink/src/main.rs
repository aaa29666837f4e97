//! The binary `statetrail-sink`.

use std::process::ExitCode;

/// Events are made by one thread and freed by another; the system's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    statetrail_sink::run_from_environment().into()
}
