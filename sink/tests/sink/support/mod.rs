//! What the tests have in common: topics, sinks as processes, and what has to be in the store.

mod contents;
mod events;
mod kafka;
mod process;
mod produced;
mod store;

pub(crate) use contents::{Contents, assert_contents};
pub(crate) use events::{event, events, message, shuffled};
pub(crate) use kafka::{Topic, dead_letters};
pub(crate) use process::{Sink, SinkSettings};
pub(crate) use produced::{Produced, known_millis, load};
pub(crate) use store::{Store, assert_stored, stored};

use std::time::{Duration, Instant};

/// Long enough for a machine that is busy with other tests.
pub(crate) const WITHIN: Duration = Duration::from_secs(120);

/// Looks until it is so. A test that waits for what never comes fails and says for what.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
