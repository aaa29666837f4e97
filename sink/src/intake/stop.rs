//! How reading ends: what was read is stored and committed, within a deadline.

use std::sync::atomic::Ordering;
use std::time::Instant;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;

use super::Intake;

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was read is stored and committed.
    Drained,
    /// Time was up. What is told: each partition with what of it is not committed.
    TooLate(Vec<String>),
}

impl Intake {
    /// Begins to stop when that was asked for; tells when there is nothing left to wait for.
    pub(super) fn stop_if_asked(&mut self, now: Instant) -> Option<Ended> {
        if !self.parts.stop.load(Ordering::Acquire) {
            return None;
        }
        let since = match self.state.stopping_since {
            Some(since) => since,
            None => {
                self.begin_to_stop(now);
                now
            }
        };
        let unsettled = self.state.offsets.unsettled();
        let is_over = now.saturating_duration_since(since) >= self.parts.settings.drain_timeout;
        if !unsettled.is_empty() && !is_over {
            return None;
        }
        // From here on nobody acts on rebalances; the consumer leaves the group when it is dropped.
        self.parts.consumer.context().close();
        if unsettled.is_empty() {
            return Some(Ended::Drained);
        }
        let tell = |(key, committed, end): &(crate::offsets::PartitionKey, Option<i64>, i64)| {
            let topic = self.parts.settings.kafka.topics.get(usize::from(key.topic));
            let topic = topic.map_or("", String::as_str);
            match committed {
                Some(from) => format!("{topic}[{}] offsets {from} to {}", key.partition, end - 1),
                None => format!("{topic}[{}] offsets up to {}", key.partition, end - 1),
            }
        };
        Some(Ended::TooLate(unsettled.iter().map(tell).collect()))
    }

    fn begin_to_stop(&mut self, now: Instant) {
        self.state.stopping_since = Some(now);
        self.parts.health.draining();
        self.hurry(now);
        let mut partitions = TopicPartitionList::new();
        for key in self.state.offsets.assigned() {
            if let Some(topic) = self.parts.settings.kafka.topics.get(usize::from(key.topic)) {
                partitions.add_partition(topic, key.partition);
            }
        }
        if let Err(error) = self.parts.consumer.pause(&partitions) {
            tracing::warn!(%error, "partitions cannot be paused");
        }
        let bytes = self.state.budget.used();
        tracing::info!(bytes, "stopping: what was read is stored and committed first");
    }
}
