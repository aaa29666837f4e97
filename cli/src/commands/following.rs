//! Going on with events as they arrive, after what was there is shown.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use statetrail_query::{EventFilter, Follow};
use statetrail_store::KnownEvent;

use super::questioner::{Questioner, wait};
use crate::failure::{Exit, Failure};
use crate::import::stop_on_interrupt;
use crate::output::{Output, OutputFormat};

/// How often the store is asked while nothing arrives.
const ASKED_EVERY: Duration = Duration::from_millis(200);

/// What arrives from a moment on.
pub(super) struct Following<'a> {
    follow: Follow<'a>,
    /// Hashes of the events that were shown already: they may have arrived after we began to
    /// listen and before they were read.
    shown: HashSet<u64>,
    random: RandomState,
    stop: Arc<AtomicBool>,
}

impl<'a> Following<'a> {
    /// Listens from now on. From now on, Ctrl-C ends the command in order.
    ///
    /// # Errors
    /// When the store does not answer, or the output has to have an end.
    pub(super) fn begin(
        filter: EventFilter,
        ask: &'a Questioner,
        output: &Output<'_>,
    ) -> Result<Following<'a>, Failure> {
        if output.format == OutputFormat::Json {
            let message = "--follow never ends, and a JSON document has to";
            return Err(Failure::new(Exit::Usage, message).hint("use --output jsonl"));
        }
        Ok(Following {
            follow: wait(Follow::starting_now(ask.store(), filter))?,
            shown: HashSet::new(),
            random: RandomState::new(),
            stop: stop_on_interrupt()?,
        })
    }

    /// Whether the user has had enough.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// An event that need not be shown again.
    pub(super) fn has_shown(&mut self, known: &KnownEvent) {
        self.shown.insert(self.hash(known));
    }

    fn hash(&self, known: &KnownEvent) -> u64 {
        self.random.hash_one((&known.event.entity, known.event.key()))
    }

    /// Shows what arrives, until so many are shown or the user has had enough. `show` says whether
    /// it has shown the event.
    ///
    /// # Errors
    /// When the store does not answer or the output fails.
    pub(super) fn go_on(
        mut self,
        mut left: usize,
        output: &mut Output<'_>,
        mut show: impl FnMut(&KnownEvent, &mut Output<'_>) -> Result<bool, Failure>,
    ) -> Result<Exit, Failure> {
        output.flush()?;
        while left > 0 && !self.is_stopped() {
            let page = wait(self.follow.next_page())?;
            for arrived in &page.events {
                if left > 0 && !self.shown.contains(&self.hash(&arrived.known)) {
                    left -= usize::from(show(&arrived.known, output)?);
                }
            }
            output.flush()?;
            if !page.more {
                sleep(ASKED_EVERY);
            }
        }
        Ok(if left == 0 { Exit::Done } else { Exit::Interrupted })
    }
}
