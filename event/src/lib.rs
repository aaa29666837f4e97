//! The model of statetrail: entities, events, the state fold and the CloudEvents codec.
//!
//! This crate is pure: it knows no file, no network, no clock and no random numbers. Everything
//! else in the workspace points here; it points at nothing of ours.
//!
//! An [`Event`] is one observed change of one entity. The events of an entity, in the order of
//! their [`OrderKey`], are its trail. The [`State`] at a moment is the last-writer-wins fold of
//! the trail up to that moment; because every field remembers the key of the event that wrote
//! it, the fold does not depend on arrival order, duplicates or batching (invariant I1).

pub mod cloudevents;
mod entity;
mod event;
mod positions;
mod state;
mod time;
mod value;

pub use entity::{EntityName, EntityNameError, MAX_ID_BYTES, MAX_NAMESPACE_BYTES, MAX_TYPE_BYTES};
pub use event::{
    Change, Event, EventId, EventRef, LineIdentity, MAX_SEQ, OrderKey, SEQ_INDEX_BITS, Source,
    seq_of,
};
pub use positions::Positions;
pub use state::{Cell, State};
pub use time::{Time, TimeError, TimeText};
pub use value::{Finite, Value, ValueRef};
