//! What the model promises to everything that is built on it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cloudevents;
mod entity_name;
mod fold;
mod foreign;
mod generate;
mod identity;
mod independent_reader;
mod time;
mod versions;
