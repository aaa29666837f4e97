//! Reads a dead-letter topic from its beginning to where it ends now.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::{DeadLetterTopic, Letter, Place};
use crate::exit::{Exit, Failure};
use crate::kafka::{QuietContext, base_config, check_topics, failure_of};

/// A person waits.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// While letters come, the next one may take that long.
const NEXT_WITHIN: Duration = Duration::from_secs(20);

/// Which letters are meant; everything that is stated has to fit.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only these, if any are named.
    pub places: Vec<Place>,
    /// Only those of that kind.
    pub kind: Option<String>,
    /// Only those of that partition of the dead-letter topic.
    pub partition: Option<i32>,
}

impl Filter {
    /// Whether a letter is meant.
    pub fn fits(&self, letter: &Letter) -> bool {
        (self.places.is_empty() || self.places.contains(&letter.place))
            && self.kind.as_ref().is_none_or(|kind| *kind == letter.kind)
            && self.partition.is_none_or(|partition| partition == letter.place.partition)
    }
}

/// Hands every letter that is meant to `take`, by partition in the order of offsets, until it
/// breaks off or there are no more.
///
/// # Errors
/// When Kafka does not answer or has no such topic, and what `take` breaks off with.
pub fn read<E: From<Failure>>(
    place: &DeadLetterTopic,
    filter: &Filter,
    mut take: impl FnMut(Letter) -> ControlFlow<Result<(), E>>,
) -> Result<(), E> {
    let reader = Reader::open(place)?;
    let mut open = reader.begin(place, filter)?;
    let mut last = Instant::now();
    while !open.is_empty() {
        match reader.consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                last = Instant::now();
                let (partition, offset) = (message.partition(), message.offset());
                // What is written while we read is not for us, or a replay might never end.
                let Some(end) = open.iter().find(|it| it.0 == partition).map(|it| it.1) else {
                    continue;
                };
                if offset + 1 >= end {
                    open.remove(&(partition, end));
                }
                if offset < end {
                    let letter = Letter::of_message(message.detach());
                    if filter.fits(&letter)
                        && let ControlFlow::Break(result) = take(letter)
                    {
                        return result;
                    }
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                last = Instant::now();
                open.retain(|it| it.0 != partition);
            }
            Some(Err(error)) if last.elapsed() > NEXT_WITHIN => {
                return Err(reader.failure(place, &error).into());
            }
            None if last.elapsed() > NEXT_WITHIN => {
                let message = format!("{} at {} does not go on", place.topic, place.kafka.brokers);
                return Err(Failure::new(Exit::BrokersAway, message).into());
            }
            Some(Err(_)) | None => {}
        }
    }
    Ok(())
}

struct Reader {
    consumer: BaseConsumer<QuietContext>,
    context: QuietContext,
    partitions: usize,
}

impl Reader {
    fn open(place: &DeadLetterTopic) -> Result<Reader, Failure> {
        let mut kafka = place.kafka.clone();
        kafka.topics = vec![place.topic.clone()];
        let found = check_topics(&kafka, &[], ANSWER_WITHIN).map_err(|failure| {
            if failure.exit != Exit::TopicMissing {
                return failure;
            }
            let hint = "dead letters are in another topic, or there never were any";
            let message = format!("topic {} is missing at {}: {hint}", place.topic, kafka.brokers);
            Failure::new(Exit::TopicMissing, message)
        });
        let partitions = found?.partitions.first().copied().unwrap_or(0);
        let context = QuietContext::default();
        let mut config = base_config(&place.kafka);
        // A group is demanded of every consumer; this one neither joins nor commits.
        config.set("group.id", "statetrail-dlq").set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false").set("enable.partition.eof", "true");
        config.set("auto.offset.reset", "earliest").set("queued.max.messages.kbytes", "8192");
        let consumer = config
            .create_with_context(context.clone())
            .map_err(|error| Failure::new(Exit::Failed, format!("kafka consumer: {error}")))?;
        Ok(Reader { consumer, context, partitions })
    }

    /// Begins to read; returns each partition with letters and the offset at which it ends now.
    fn begin(
        &self,
        place: &DeadLetterTopic,
        filter: &Filter,
    ) -> Result<BTreeSet<(i32, i64)>, Failure> {
        let failed = |error: KafkaError| self.failure(place, &error);
        let mut open = BTreeSet::new();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..i32::try_from(self.partitions).unwrap_or(i32::MAX) {
            let places = filter.places.iter().filter(|it| it.partition == partition);
            let first = places.map(|it| it.offset).min();
            let is_meant = first.is_some() || filter.places.is_empty();
            if !is_meant || filter.partition.is_some_and(|it| it != partition) {
                continue;
            }
            let watermarks = self.consumer.fetch_watermarks(&place.topic, partition, ANSWER_WITHIN);
            let (low, high) = watermarks.map_err(failed)?;
            let from = first.unwrap_or(low).max(low);
            if from < high {
                open.insert((partition, high));
                assignment
                    .add_partition_offset(&place.topic, partition, Offset::Offset(from))
                    .map_err(failed)?;
            }
        }
        self.consumer.assign(&assignment).map_err(failed)?;
        Ok(open)
    }

    fn failure(&self, place: &DeadLetterTopic, error: &KafkaError) -> Failure {
        failure_of(&place.kafka, &self.context.errors, error)
    }
}
