//! Ctrl-C and termination signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::progress::clear_line;
use crate::failure::{Exit, Failure};

/// From now on the first signal sets the returned flag, and the second ends the process at once.
/// The store is never left half-written: what is not committed is not there.
///
/// # Errors
/// When the handler cannot be set.
pub fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            clear_line();
            std::process::exit(Exit::Interrupted.code().into());
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::new(Exit::Failed, format!("no handler for Ctrl-C: {error}")))?;
    Ok(stop)
}
