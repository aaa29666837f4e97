//! Turns of writing between processes.
//!
//! SQLite lets whoever asks at the right moment write next. A writer with batches waiting asks
//! again a few microseconds after it was done, so another one, which looks now and then, would
//! hardly ever come in between. So a writer that has had its turn for some time leaves a gap, and
//! whoever waits looks often enough to find it.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

/// How long to wait for another process that writes.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);
/// How often somebody who waits looks.
const LOOK: Duration = Duration::from_millis(1);
/// Looks before the wait is over.
const LOOKS_MAX: i32 = (WAIT_MAX.as_millis() / LOOK.as_millis()) as i32;
/// How long a writer may go on without leaving a gap.
const TURN: Duration = Duration::from_millis(1_000);
/// A gap that somebody who waits cannot miss; it costs a writer half a percent of its time.
const GAP: Duration = Duration::from_millis(5);

/// Has a connection wait for others up to [`WAIT_MAX`].
pub(super) fn wait_for_others(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(|looks| {
        thread::sleep(LOOK);
        looks < LOOKS_MAX
    }))
}

/// When a writer left its last gap.
pub(super) struct Turn {
    since: Instant,
}

impl Turn {
    /// A turn that begins now.
    pub(super) fn begin() -> Turn {
        Turn { since: Instant::now() }
    }

    /// Lets others write if it is time. To be called where nothing is locked in the database.
    pub(super) fn give_way(&mut self) {
        if self.since.elapsed() >= TURN {
            thread::sleep(GAP);
            self.since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_leaves_a_gap_when_its_turn_is_over_and_then_has_another_turn() {
        const { assert!(GAP.as_micros() > 2 * LOOK.as_micros(), "who looks finds the gap") };
        let asked = Instant::now();
        let mut turn = Turn { since: asked.checked_sub(TURN).unwrap() };
        turn.give_way();
        assert!(asked.elapsed() >= GAP);
        assert!(turn.since >= asked + GAP);
    }
}
