//! What really happened, written by the simulation itself: never through the rules and never
//! through the text of a line.
//!
//! The clocks of the nodes differ, and the state at a moment is the last-writer-wins fold over
//! the times *as logged*. So the simulation's changes are first brought into the order of their
//! logged times ([`settle`]); whoever takes them then sees every entity's history in order, with
//! the state that holds from each change on.

mod history;
mod jsonl;
pub(crate) mod settle;

use std::collections::BTreeMap;
use std::io;

use statetrail_event::{Time, Value};

use crate::entity::ShopEntity;

pub use history::{Truth, TruthRecorder};
pub use jsonl::TruthJsonl;

/// Fields with their values.
pub type Fields = BTreeMap<&'static str, Value>;

/// One change of one entity.
#[derive(Clone, Copy, Debug)]
pub struct TruthChange<'a> {
    /// The time that the clock of the logging pod's node gave it.
    pub time: Time,
    /// What changed.
    pub entity: ShopEntity,
    /// The fields that were set, or unset where there is no value.
    pub changes: &'a [(&'static str, Option<Value>)],
    /// The complete state from this moment on.
    pub state: &'a Fields,
}

/// Takes every change of every entity, in the order of the logged times.
pub trait TruthSink {
    /// Takes one change. No two changes of an entity have the same time.
    ///
    /// # Errors
    /// When it cannot be kept; the run ends with that error.
    fn change(&mut self, change: &TruthChange<'_>) -> io::Result<()>;
}

impl<F: FnMut(&TruthChange<'_>) -> io::Result<()>> TruthSink for F {
    fn change(&mut self, change: &TruthChange<'_>) -> io::Result<()> {
        self(change)
    }
}
