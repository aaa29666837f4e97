//! Events of all entities by time.

use statetrail_store::{EventStore, KnownEvent, Place, TimelineQuery};

use crate::{PAGE, QueryError};

/// Reads the timeline page by page.
pub struct Timeline<'a> {
    store: &'a dyn EventStore,
    query: TimelineQuery,
    finished: bool,
}

impl<'a> Timeline<'a> {
    /// The events that the query asks for. Its limit is the length of a page, 1 at least; the
    /// limit of [`TimelineQuery::default`] stands for a length of our choice.
    pub fn new(store: &'a dyn EventStore, query: TimelineQuery) -> Timeline<'a> {
        let limit = if query.limit == usize::MAX { PAGE } else { query.limit.max(1) };
        Timeline { store, query: TimelineQuery { limit, ..query }, finished: false }
    }

    /// The next events, or `None` at the end.
    ///
    /// # Errors
    /// When the store does not answer; the same page may be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<KnownEvent>>, QueryError> {
        if self.finished {
            return Ok(None);
        }
        let page = self.store.timeline(&self.query).await?;
        self.finished = page.len() < self.query.limit;
        if let Some(last) = page.last() {
            self.query.after = Some(Place::of(&last.event));
        }
        Ok((!page.is_empty()).then_some(page))
    }
}
