//! The store: keeps events for good and answers what happened.
//!
//! [`EventStore`] is all that the rest of statetrail knows of a store. Behind it stand
//! [`sqlite`], one file on one machine, and [`cassandra`], for a cluster; [`StoreAddress`] opens
//! either. Nothing outside of this crate knows SQL or CQL, and this crate knows no rules.

mod address;
mod arrivals;
pub mod cassandra;
mod codec;
mod error;
mod given_up;
mod key_range;
mod prefix;
mod range;
pub mod sqlite;
mod store;
#[cfg(feature = "suite")]
pub mod suite;

pub use address::{StoreAddress, StoreAddressError};
pub use arrivals::{ArrivalCursor, ArrivalCursorError, Arrivals, Arrived};
pub use error::StoreError;
pub use given_up::GivenUp;
pub use store::{
    Appended, Counts, Entity, EntityFilter, EntityTest, EntityView, EventStore, Kind, KnownEvent,
    NamePart, Order, Place, Tally, TallyBudget, TallyCount, TimelineQuery, Traffic, TrailQuery,
};
