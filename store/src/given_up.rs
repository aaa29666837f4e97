//! Questions that nobody waits for any more.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// What is asked on this thread.
    static ASKING: RefCell<Option<GivenUp>> = const { RefCell::new(None) };
}

/// Tells a store that blocks the thread it is asked on that a question is given up. A store that
/// waits for its servers needs no telling: its futures are dropped.
#[derive(Clone, Debug, Default)]
pub struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    /// Gives the question up. What it asks the store from now on, and what it is asking, ends soon
    /// with [`StoreError::GivenUp`](crate::StoreError::GivenUp).
    pub fn give_up(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Asks on this thread, until it is given up.
    pub fn while_asking<T>(&self, ask: impl FnOnce() -> T) -> T {
        let before = ASKING.replace(Some(self.clone()));
        // Also after a panic, which must not end the next question of this thread.
        let _back = Back(before);
        ask()
    }
}

struct Back(Option<GivenUp>);

impl Drop for Back {
    fn drop(&mut self) {
        ASKING.set(self.0.take());
    }
}

/// Whether nobody waits for what is asked on this thread.
pub(crate) fn is_given_up() -> bool {
    ASKING.with_borrow(|asking| {
        asking.as_ref().is_some_and(|question| question.0.load(Ordering::Relaxed))
    })
}
