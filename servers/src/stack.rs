//! A Kafka and a Cassandra for a person, or for a whole run of tests.

use crate::{Cassandra, Error, Kafka};

/// One Kafka and one Cassandra node.
#[derive(Debug)]
pub struct Stack {
    /// The Kafka.
    pub kafka: Kafka,
    /// The Cassandra.
    pub cassandra: Cassandra,
}
impl Stack {
    /// Starts both.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn start() -> Result<Self, Error> {
        let (k,c)=(Kafka::start()?, Cassandra::start(1)?);
        Ok(Self{kafka:k,cassandra:c})
    }
}
