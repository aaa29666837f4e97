//! One message, read again by its offset.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::OwnedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::config::base_config;
use super::context::QuietContext;
use crate::settings::KafkaSettings;

const POLL: Duration = Duration::from_millis(100);

/// Reads the message at an offset, or `None` if the topic no longer holds it.
///
/// # Errors
/// When Kafka does not answer `within` that time.
pub fn read_one(
    kafka: &KafkaSettings,
    topic: &str,
    partition: i32,
    offset: i64,
    within: Duration,
) -> KafkaResult<Option<OwnedMessage>> {
    let mut config = base_config(kafka);
    // A group is demanded of every consumer; this one neither joins nor commits.
    config.set("group.id", &kafka.group).set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false").set("auto.offset.reset", "error");
    config.set("enable.partition.eof", "true");
    config.set("queued.min.messages", "1").set("queued.max.messages.kbytes", "1024");
    let consumer: BaseConsumer<QuietContext> =
        config.create_with_context(QuietContext::default())?;
    let (low, high) = match consumer.fetch_watermarks(topic, partition, within) {
        // Deleted meanwhile.
        Err(error) if is_missing(&error) => return Ok(None),
        marks => marks?,
    };
    if offset < low || offset >= high {
        return Ok(None);
    }
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    consumer.assign(&place)?;
    let deadline = Instant::now() + within;
    loop {
        match consumer.poll(POLL) {
            // A compacted topic goes on with a later one.
            Some(Ok(message)) => return Ok((message.offset() == offset).then(|| message.detach())),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
            Some(Err(error)) if Instant::now() >= deadline => return Err(error),
            None if Instant::now() >= deadline => {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            }
            Some(Err(_)) | None => {}
        }
    }
}

fn is_missing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    let code = error.rdkafka_error_code();
    code.is_some_and(|it| [UnknownPartition, UnknownTopic, UnknownTopicOrPartition].contains(&it))
}
