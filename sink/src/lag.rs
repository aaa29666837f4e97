//! How far the group is behind, looked up in Kafka from time to time; whether it answers at all
//! is told to the sink's health.
//!
//! The client's own statistics know where a partition ends only while it is being fetched, so
//! they stand still just when the lag grows: while reading pauses because the store is away.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;

use crate::health::Health;
use crate::kafka::ConsumerEvents;
use crate::metrics::Metrics;
use crate::settings::Settings;

/// Longer answers are not waited for; the next look comes anyway.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// While Kafka is away, it is asked this often whether it is back.
const AWAY_INTERVAL: Duration = Duration::from_secs(1);

/// Looks every `lag_interval` until the other end of `stop` is dropped.
pub fn watch(
    consumer: &Arc<BaseConsumer<ConsumerEvents>>,
    settings: &Settings,
    health: &Health,
    metrics: &Metrics,
    stop: &Receiver<()>,
) {
    let interval = settings.lag_interval;
    let mut shown = HashSet::new();
    let mut looked = Instant::now();
    while stop.recv_timeout(interval.min(AWAY_INTERVAL)) == Err(RecvTimeoutError::Timeout) {
        let is_away = health.is_kafka_away();
        if !is_away && looked.elapsed() < interval {
            continue;
        }
        match look(consumer, &settings.kafka.topics, metrics, &mut shown) {
            Ok(()) => health.kafka_works(),
            // What was said first, or by the client itself, says more than that time is up.
            Err(_) if is_away => {}
            Err(error) => health.kafka_fails(&error),
        }
        looked = Instant::now();
    }
}

fn look(
    consumer: &BaseConsumer<ConsumerEvents>,
    topics: &[String],
    metrics: &Metrics,
    shown: &mut HashSet<(String, i32)>,
) -> KafkaResult<()> {
    let committed = consumer.committed(ANSWER_WITHIN)?;
    if committed.count() == 0 {
        // About no partitions nobody was asked.
        consumer.fetch_metadata(topics.first().map(String::as_str), ANSWER_WITHIN)?;
    }
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
