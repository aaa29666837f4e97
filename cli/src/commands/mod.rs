//! One module per command.

pub mod blame;
pub mod canary;
pub mod completions;
pub mod demo;
pub mod diff;
pub mod dlq;
pub mod events;
pub mod find;
mod following;
pub mod import;
pub mod log;
pub mod ls;
pub mod migrate;
mod questioner;
pub mod rules;
pub mod serve;
pub mod show;
pub mod token;

pub use questioner::Questioner;
pub(crate) use questioner::query_failure;
