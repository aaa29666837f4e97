//! How far the group is behind, looked up in Kafka from time to time.
//!
//! The client's own statistics know where a partition ends only while it is being fetched, so
//! they stand still just when the lag grows: while reading pauses because the store is away.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;

use crate::kafka::ConsumerEvents;
use crate::metrics::Metrics;

/// Longer answers are not waited for; the next look comes anyway.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Looks every `interval` until the other end of `stop` is dropped.
pub fn watch(
    consumer: &Arc<BaseConsumer<ConsumerEvents>>,
    metrics: &Metrics,
    interval: Duration,
    stop: &Receiver<()>,
) {
    let mut shown = HashSet::new();
    while stop.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        if let Err(error) = look(consumer, metrics, &mut shown) {
            tracing::debug!(%error, "the lag is not known");
        }
    }
}

fn look(
    consumer: &BaseConsumer<ConsumerEvents>,
    metrics: &Metrics,
    shown: &mut HashSet<(String, i32)>,
) -> KafkaResult<()> {
    let committed = consumer.committed(ANSWER_WITHIN)?;
    let mut ours = HashSet::new();
    for element in committed.elements() {
        let (topic, partition) = (element.topic(), element.partition());
        let (low, high) = consumer.fetch_watermarks(topic, partition, ANSWER_WITHIN)?;
        let position = match element.offset() {
            Offset::Offset(offset) => offset.max(low),
            _ => low,
        };
        metrics.set_lag(topic, partition, Some((high - position).max(0)));
        ours.insert((topic.to_owned(), partition));
    }
    for (topic, partition) in shown.difference(&ours) {
        metrics.set_lag(topic, *partition, None);
    }
    *shown = ours;
    Ok(())
}
