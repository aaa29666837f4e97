//! The sink: moves events from Kafka into a store, and nothing else.
//!
//! One thread reads ([`intake`]): it turns messages into events, fills batches and keeps the
//! offsets. Two threads write batches into the store ([`writer`]). Messages that can never be
//! stored go to a topic of their own ([`dead_letter`]). An offset is committed only when every
//! event at or below it is in the store, or its message in the dead-letter topic (invariant I4,
//! [`offsets`]); storing an event again changes nothing (I3). So whatever ends, however it ends,
//! nothing is lost and nothing is there twice.
//!
//! Nothing but this crate knows Kafka. It knows no rules, and no store but by its trait.

mod app;
pub mod args;
pub mod backoff;
pub mod batch;
pub mod commit;
pub mod dead_letter;
pub mod dlq;
pub mod exit;
pub mod health;
pub mod http;
pub mod intake;
pub mod kafka;
pub mod lag;
pub mod logging;
pub mod message;
pub mod metrics;
pub mod offsets;
pub mod settings;
pub mod store;
pub mod work;
pub mod writer;

pub use app::run_from_environment;
