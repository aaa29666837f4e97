//! Real Kafka, real Cassandra and, where `FLUENT_BIT` names its binary, a real Fluent Bit for tests and
//! benches, without a container engine.
//!
//! Their jars come from Maven, once for all of the project; a server is a process of Java on free
//! ports of this machine, with its data in a temporary folder.
//!
//! ```no_run
//! # fn main() -> Result<(), statetrail_servers::Error> {
//! use statetrail_servers::{Cassandra, Kafka};
//!
//! let kafka = Kafka::start()?;
//! let cassandra = Cassandra::start(3)?;
//! println!("{} {:?}", kafka.brokers(), cassandra.contact_points());
//! cassandra.node(2)?.kill()?;
//! cassandra.restart(2)?;
//! kafka.server()?.pause()?;
//! # Ok(())
//! # }
//! ```
//!
//! Tests that break nothing share: [`Kafka::shared`] and [`Cassandra::shared`] are those named by
//! `KAFKA_BROKERS` and `CASSANDRA_NODES`, else one of this process. `make test` starts both and
//! names them, so that all tests share them. What is shared is never clean: use topics and
//! keyspaces of your own. Tests that stop or kill something start their own.
//!
//! Three things hold:
//! - No server outlives the process that started it, however that one ends: a watchdog beside each
//!   server sees it end (`server.rs`).
//! - Logs are kept in `target/server-logs` for a day. Each start prints where, and what a test prints
//!   is shown when it fails.
//! - Being ready is read from the server's own log, within a deadline, never guessed by sleeping.

mod cassandra;
mod error;
mod fluent_bit;
mod folders;
#[cfg(feature = "identities")]
mod identity;
mod jars;
mod java;
mod kafka;
mod ports;
mod released;
mod server;
mod stack;
mod tls;

pub use cassandra::{Cassandra, CassandraOptions};
pub use error::Error;
pub use fluent_bit::FluentBit;
#[cfg(feature = "identities")]
pub use identity::Identity;
pub use kafka::{Kafka, KafkaOptions, Scram};
pub use released::{filter_compiled_ahead, filter_module, released_copier, released_program};
pub use server::Server;
pub use stack::{Stack, StackFile};
