//! Kafka's client: how it is set up, and what it says outside of messages.

mod config;
mod connect;
mod context;
mod source;

pub use config::{base_config, check_property, consumer_config, producer_config};
pub use connect::{
    check_clients, check_topics, dead_letters_missing, failure_of, make_dead_letters,
};
pub use context::{ClientErrors, ConsumerEvents, Incident, QuietContext};
pub use source::read_one;
