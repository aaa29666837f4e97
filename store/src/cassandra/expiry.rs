//! Forgetting the current states of entities whose last event is no longer kept.
//!
//! Cells of current states have no time to live: of two with the same timestamp Cassandra keeps the
//! one that goes later, before it looks at which one is greater, and so the later of two events of
//! the same moment would not always count (I1). Answers leave out what is too old in any case; what
//! is done here gives its room back.

use std::collections::VecDeque;
use std::time::Duration;

use scylla::response::PagingState;
use statetrail_event::{EntityName, Time};

use super::connect::Failure;
use super::directory::{Kind, name_range, read_names};
use super::rows::latest_counts;
use super::snapshots::{after, before};
use super::trail::more_pages;
use super::{CassandraStore, at_once};

/// From the begin of one walk over all names to that of the next one.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Pages of names that are looked at in one go.
const PAGES_AT_A_TIME: usize = 20;

/// How far a walk over all names is.
#[derive(Debug, Default)]
pub(super) struct Walk {
    begun: Option<Time>,
    kinds: VecDeque<Kind>,
    /// Stretches of names, each in one shard: from, up to.
    slices: VecDeque<(i32, String, String)>,
}

impl CassandraStore {
    /// Goes on forgetting, for some pages of names; begins anew once a day.
    pub(super) async fn forget_expired(&self) -> Result<(), Failure> {
        let Some(mut walk) = self.walk().try_lock() else { return Ok(()) };
        let now = self.now();
        if walk.kinds.is_empty() && walk.slices.is_empty() {
            if walk.begun.is_some_and(|begun| now < after(begun, EVERY)) {
                return Ok(());
            }
            walk.kinds = self.kinds().await?.into();
            walk.begun = Some(now);
        }
        for _ in 0..PAGES_AT_A_TIME {
            let Some(slice) = self.next_slice(&mut walk) else { return Ok(()) };
            // What fails stays where it is, and is tried again.
            let rest = self.forget_in(&slice).await;
            match rest {
                Ok(rest) => walk.slices.extend(rest),
                Err(failure) => {
                    walk.slices.push_back(slice);
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    fn next_slice(&self, walk: &mut Walk) -> Option<(i32, String, String)> {
        while walk.slices.is_empty() {
            let kind = walk.kinds.pop_front()?;
            if self.horizon(&kind.0) > Time::MIN {
                let (from, to) = name_range(&kind, "");
                let shards = self.settings().layout.shard_numbers();
                walk.slices.extend(shards.map(|shard| (shard, from.clone(), to.clone())));
            }
        }
        walk.slices.pop_front()
    }

    /// Forgets what is too old on the first page of a slice, and returns the rest of it.
    async fn forget_in(
        &self,
        (shard, from, to): &(i32, String, String),
    ) -> Result<Option<(i32, String, String)>, Failure> {
        let statement = &self.statements().entity_names;
        let values = (shard, from.as_str(), to.as_str());
        let (page, more) =
            self.session().execute_single_page(statement, values, PagingState::start()).await?;
        let page = page.into_rows_result()?;
        let has_expired = |(name, last): &&(EntityName, Time)| {
            *last < before(self.horizon(name.namespace()), self.patience().forgotten_after)
        };
        let names = read_names(&page)?;
        let forgotten = names.iter().filter(has_expired).map(async |(name, last)| {
            let values = (latest_counts(*last), shard, name.as_str());
            self.session().execute_unpaged(&self.statements().delete_state, values).await?;
            Ok(())
        });
        at_once::unordered(forgotten.collect()).await?;
        if more_pages(more).is_none() {
            return Ok(None);
        }
        // Also one whose state was forgotten already.
        let last = page.rows::<(&str, Option<i64>)>()?.last().transpose()?;
        // The least text after a text is the one with a NUL behind it.
        Ok(last.map(|(name, _)| (*shard, format!("{name}\0"), to.clone())))
    }
}
