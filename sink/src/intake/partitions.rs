//! Which partitions are ours: joining, commits, and handing partitions over.
//!
//! A partition that is taken away stays ours until we unassign it. So that its next owner begins
//! where we end, what was read of it is stored and committed first, while everything else goes on:
//!
//! revoked -> no more of its messages are taken -> in the store -> committed -> unassigned
//!
//! If that takes longer than `drain_timeout`, it is unassigned all the same: the next owner reads
//! again what we have not committed, and storing it twice changes nothing (I3).

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::Intake;
use crate::exit::{Exit, Failure};
use crate::kafka::Incident;
use crate::offsets::PartitionKey;

/// How soon a commit is asked for again while somebody waits for it.
const HURRIED_COMMIT: Duration = Duration::from_millis(100);

/// Partitions on their way to another owner.
pub(super) struct Leaving {
    partitions: TopicPartitionList,
    deadline: Instant,
}

impl Intake {
    pub(super) fn key_of(&self, topic: &str, partition: i32) -> Option<PartitionKey> {
        let topic = *self.state.topics.get(topic)?;
        Some(PartitionKey { topic, partition })
    }

    fn keys_of(&self, partitions: &TopicPartitionList) -> Vec<PartitionKey> {
        let elements = partitions.elements();
        elements.iter().filter_map(|it| self.key_of(it.topic(), it.partition())).collect()
    }

    fn topic_of(&self, key: PartitionKey) -> &str {
        self.parts.settings.kafka.topics.get(usize::from(key.topic)).map_or("", String::as_str)
    }

    pub(super) fn take_incidents(&mut self, now: Instant) -> Result<(), Failure> {
        for incident in self.parts.consumer.context().take() {
            match incident {
                Incident::Assigned(partitions) => self.assigned(&partitions)?,
                Incident::Revoked(partitions) => self.revoked(partitions, now),
            }
        }
        Ok(())
    }

    fn assigned(&mut self, partitions: &TopicPartitionList) -> Result<(), Failure> {
        for key in self.keys_of(partitions) {
            self.state.offsets.assign(key);
        }
        self.parts.consumer.incremental_assign(partitions).map_err(|error| {
            let message = format!(
                "partitions of {} cannot be taken: {error}",
                self.parts.settings.kafka.brokers
            );
            Failure::new(Exit::Failed, message)
        })?;
        if self.state.budget.is_paused() || self.state.stopping_since.is_some() {
            self.pause(partitions, true);
        }
        tracing::info!(
            partitions = partitions.count(),
            total = self.assigned_count(),
            "partitions assigned"
        );
        self.parts.metrics.partitions.set(self.assigned_count() as i64);
        self.parts.health.group_joined();
        Ok(())
    }

    fn revoked(&mut self, partitions: TopicPartitionList, now: Instant) {
        for key in self.keys_of(&partitions) {
            self.state.offsets.leave(key);
        }
        let deadline = now + self.parts.settings.drain_timeout;
        self.state.leaving.push(Leaving { partitions, deadline });
        self.hurry(now);
    }

    /// Unassigns partitions of which everything is done, or whose time is up.
    pub(super) fn hand_partitions_over(&mut self, now: Instant) -> Result<(), Failure> {
        let is_lost = self.parts.consumer.assignment_lost();
        let mut waiting = Vec::new();
        for leaving in std::mem::take(&mut self.state.leaving) {
            let keys = self.keys_of(&leaving.partitions);
            let unsettled = keys.iter().filter(|key| !self.state.offsets.is_settled(**key)).count();
            if unsettled > 0 && now < leaving.deadline && !is_lost {
                waiting.push(leaving);
                continue;
            }
            for key in keys {
                self.state.offsets.revoke(key);
            }
            self.parts.consumer.incremental_unassign(&leaving.partitions).map_err(|error| {
                let message = format!(
                    "partitions of {} cannot be given back: {error}",
                    self.parts.settings.kafka.brokers
                );
                Failure::new(Exit::Failed, message)
            })?;
            let partitions = leaving.partitions.count();
            tracing::info!(
                partitions,
                unsettled,
                lost = is_lost,
                total = self.assigned_count(),
                "partitions given back"
            );
            self.parts.metrics.partitions.set(self.assigned_count() as i64);
        }
        self.state.leaving = waiting;
        Ok(())
    }

    pub(super) fn commit_if_due(&mut self, now: Instant) {
        let is_hurried = self.state.stopping_since.is_some() || !self.state.leaving.is_empty();
        if now < self.state.next_commit || self.state.commits {
            return;
        }
        let interval = self.parts.settings.commit_interval;
        self.state.next_commit =
            now + if is_hurried { interval.min(HURRIED_COMMIT) } else { interval };
        let uncommitted = self.state.offsets.uncommitted();
        if !uncommitted.is_empty() {
            // The answer comes among what the other threads have done. They end only when we do.
            self.state.commits = self.parts.positions.send(uncommitted).is_ok();
        }
    }

    /// Makes the next commit due at once, because somebody waits for it.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.state.next_commit = self.state.next_commit.min(now);
    }

    /// Nothing is lost: positions that are not confirmed are committed again.
    pub(super) fn commit_failed(&self, error: &KafkaError) {
        self.parts.metrics.failed_commits.inc();
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::RebalanceInProgress | RDKafkaErrorCode::NoOffset) => {
                tracing::debug!(%error, "a commit has to wait");
            }
            _ => tracing::warn!(%error, "a commit failed, it is repeated"),
        }
    }

    /// Pauses everything that is ours, or lets it go on.
    pub(super) fn pause_all(&mut self, pause: bool) {
        let mut partitions = TopicPartitionList::new();
        for key in self.state.offsets.assigned() {
            partitions.add_partition(self.topic_of(key), key.partition);
        }
        self.pause(&partitions, pause);
        self.parts.metrics.paused.set(i64::from(pause));
        let bytes = self.state.budget.used();
        tracing::info!(bytes, pause, "the budget of memory decides about reading");
    }

    pub(super) fn pause(&self, partitions: &TopicPartitionList, pause: bool) {
        let result = if pause {
            self.parts.consumer.pause(partitions)
        } else {
            self.parts.consumer.resume(partitions)
        };
        if let Err(error) = result {
            tracing::warn!(%error, pause, "partitions cannot be paused or resumed");
        }
    }

    fn assigned_count(&self) -> usize {
        self.state.offsets.assigned().count()
    }
}
