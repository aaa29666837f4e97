//! The sink as it is started, between a real Kafka and a real store: nothing is lost, nothing is
//! there twice, whatever happens on the way.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod connections;
mod faults;
mod flow;
mod kafka_faults;
mod poison;
mod refused;
mod reset_offsets;
mod store_faults;
mod support;
mod upgrade;
