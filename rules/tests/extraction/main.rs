//! What rule files cannot show by samples: which rules are in force where, and what events carry.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any_bytes;
mod events;
mod help;
mod json;
mod logfmt;
mod origins;
mod redaction;
mod reload;
mod scopes;
