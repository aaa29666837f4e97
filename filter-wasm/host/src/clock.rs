//! The time that a guest is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use wasmtime_wasi::HostWallClock;

/// The time of day, and how many seconds the guest's clock is ahead of it: tests need not wait.
#[derive(Clone, Default)]
pub(crate) struct Clock {
    ahead: Arc<AtomicU64>,
    /// The time of day that it stands still at, if it does.
    stopped: Arc<OnceLock<Duration>>,
}

impl Clock {
    pub(crate) fn pass(&self, seconds: u64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.stopped.get_or_init(time_of_day);
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        let now = self.stopped.get().copied().unwrap_or_else(time_of_day);
        now + Duration::from_secs(self.ahead.load(Ordering::Relaxed))
    }
}

fn time_of_day() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("it is later than 1970")
}
