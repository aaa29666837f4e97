//! The rule workshop: rules are suggested from lines, tried on them, and compared.
//!
//! Pure: lines and texts in, answers out. Lines are taken apart into words ([`suggest()`]), grouped by
//! their forms, and what comes back in several forms is taken for the id of an entity.

mod compare;
mod drain;
mod entity;
mod fields;
mod format;
mod forms;
mod message;
mod pattern;
mod sample;
mod schema;
mod suggest;
mod template;
mod token;
mod tree;
mod trial;
mod yaml;

pub use compare::{Difference, compare};
pub use format::format;
pub use forms::{Form, forms};
pub use sample::{NoSample, add_sample};
pub use schema::schema;
pub use suggest::{Suggestion, suggest};
pub use tree::FormatError;
pub use trial::{Capture, MatchedRule, Trial, Tried};
