//! What the threads of the sink tell each other.
//!
//! ```text
//! intake --Batch--> writers (2) --Done--> intake
//!   |                                       ^
//!   +--DeadLetter--> producer --Done--------+
//!   |                                       |
//!   +--positions--> committer --Done--------+
//! ```

use rdkafka::error::KafkaError;

use crate::dead_letter::DeadLetter;
use crate::offsets::{PartitionKey, Unit};

/// What became of work.
#[derive(Debug)]
pub enum Done {
    /// A batch is in the store, but for what the store refused.
    Stored {
        /// The batch's unit.
        unit: Unit,
        /// What it counted for in the budget.
        bytes: usize,
        /// Messages that the store refused; the unit waits for them.
        refused: Vec<DeadLetter>,
    },
    /// A dead letter is in its topic.
    Delivered {
        /// The letter's unit.
        unit: Unit,
        /// What it counted for in the budget.
        bytes: usize,
        /// Why it became one.
        kind: &'static str,
    },
    /// A dead letter is not.
    Undelivered {
        /// The letter.
        letter: Box<DeadLetter>,
        /// What Kafka said.
        error: KafkaError,
    },
    /// Kafka has these positions.
    Committed(Vec<(PartitionKey, i64)>),
    /// Kafka has not taken what was last sent to be committed.
    NotCommitted(KafkaError),
}
