//! The thread that commits positions to Kafka, one request after the other.
//!
//! A thread of its own, because only a commit that waits for its answer tells what became of it:
//! in the mode in which rdkafka runs the client, answers to others come nowhere.

use std::sync::mpsc::{Receiver, Sender};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::ConsumerEvents;
use crate::offsets::PartitionKey;
use crate::work::Done;

/// Commits what comes and tells the answer, until nothing more can come.
pub fn run(
    consumer: &BaseConsumer<ConsumerEvents>,
    topics: &[String],
    positions: &Receiver<Vec<(PartitionKey, i64)>>,
    done: &Sender<Done>,
) {
    while let Ok(positions) = positions.recv() {
        let answer = match commit(consumer, topics, &positions) {
            Ok(()) => Done::Committed(positions),
            Err(error) => Done::NotCommitted(error),
        };
        if done.send(answer).is_err() {
            return;
        }
    }
}

fn commit(
    consumer: &BaseConsumer<ConsumerEvents>,
    topics: &[String],
    positions: &[(PartitionKey, i64)],
) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (key, position) in positions {
        let topic = topics.get(usize::from(key.topic)).map_or("", String::as_str);
        list.add_partition_offset(topic, key.partition, Offset::Offset(*position))?;
    }
    consumer.commit(&list, CommitMode::Sync)
}
