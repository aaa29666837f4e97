//! The read side of statetrail: what was the case at any moment, and why.
//!
//! Everything is answered over [`EventStore`](statetrail_store::EventStore) alone, so that
//! every store gives the same answers. Long answers come in pages: what is not asked for is not
//! read, and nothing of a page before is kept.
//!
//! | question | answered by |
//! |---|---|
//! | which entity is meant? | [`resolve()`] |
//! | what was its state? | [`state`], [`blame()`] with the event behind each field |
//! | what happened to it? | [`Trail`] |
//! | what differs? | [`differences`] of two states |
//! | which entities were in that state? | [`Find`], with [`Condition`]s |
//! | what happened in that time? | [`Timeline`] |
//! | how many of which kind are in which state? | [`census()`] |
//! | how do states follow each other? | [`lifecycle()`] |
//! | what rests longer than usual? | [`resting()`] |
//! | what arrives now? | [`Follow`] |
//! | what do the filters count? | [`RuleCounter`] |
//!
//! [`parse_moment()`] reads moments as people type them; [`views`] are the shapes of answers as JSON.

mod blame;
mod census;
mod condition;
mod difference;
mod error;
mod filters;
mod find;
mod follow;
mod lifecycle;
mod moment;
mod resolve;
mod resting;
mod timeline;
mod trail;
mod typed_moment;
#[cfg(feature = "openapi")]
mod view_schemas;
pub mod views;

pub use blame::{Blame, blame};
pub use census::{KindCount, census, state_field};
pub use condition::{Comparison, Condition, ConditionError};
pub use difference::{Difference, differences};
pub use error::QueryError;
pub use filters::{RULES_ERROR, RuleCounter, fields_since_start, filter_kind};
pub use find::{Find, Found};
pub use follow::{EventFilter, Follow, Followed};
pub use lifecycle::{By, Lifecycle, LifecycleStep, Place, lifecycle};
pub use moment::{Moment, state};
pub use resolve::resolve;
pub use resting::{Resting, resting};
pub use timeline::Timeline;
pub use trail::{Step, Trail};
pub use typed_moment::{MomentError, parse_moment};

/// Items of a page, unless asked otherwise.
const PAGE: usize = 500;
