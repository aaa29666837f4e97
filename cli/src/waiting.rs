//! Waiting for answers of stores, whose calls are asynchronous.

use std::future::Future;
use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// The runtime that a store in a cluster needs. SQLite answers at once and needs none, which
/// spares every question the start of its threads.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Starts the runtime, unless it was started before.
///
/// # Errors
/// When the system gives no threads.
pub fn start_runtime() -> io::Result<()> {
    if RUNTIME.get().is_none() {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        // Another thread may have been first; its runtime is as good.
        let _ = RUNTIME.set(runtime);
    }
    Ok(())
}

/// Lets a task go on beside this thread, if the runtime was started.
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Some(runtime) = RUNTIME.get() {
        runtime.spawn(task);
    }
}

/// Waits for a future, on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match RUNTIME.get() {
        Some(runtime) => runtime.block_on(future),
        None => pollster::block_on(future),
    }
}
