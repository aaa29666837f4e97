//! What librdkafka tells outside of messages: errors, log lines and rebalances. It is
//! written down here and read by the one thread that acts on it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use crate::health::Health;

/// The last error that a client reported by itself, kept because the call that waits for the
/// answer only learns that time is up.
#[derive(Debug, Default)]
pub struct ClientErrors {
    last: Mutex<Option<(RDKafkaErrorCode, String)>>,
    denied: Mutex<Option<String>>,
}

impl ClientErrors {
    fn note(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        let reason = without_client(reason);
        if is_denial(code, reason) {
            *lock(&self.denied) = Some(reason.to_owned());
        }
        // That all are down follows from what each one said before, which says more.
        if code != RDKafkaErrorCode::AllBrokersDown {
            *lock(&self.last) = Some((code, reason.to_owned()));
        }
    }

    /// What Kafka refused, if it refused to let the client in.
    pub fn denied(&self) -> Option<String> {
        lock(&self.denied).clone()
    }

    /// The last error's text.
    pub fn last(&self) -> Option<String> {
        lock(&self.last).as_ref().map(|(_, reason)| reason.clone())
    }
}

/// Whether an error means that Kafka does not let us in, which waiting does not change. A broker
/// that goes away in the middle of a handshake is one that is away.
fn is_denial(code: RDKafkaErrorCode, reason: &str) -> bool {
    let is_cut_off = ["disconnect", "Disconnect", "reset by peer", "timed out"]
        .iter()
        .any(|words| reason.contains(words));
    !is_cut_off
        && matches!(
            code,
            RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::SSL
                | RDKafkaErrorCode::UnsupportedSASLMechanism
        )
}

/// librdkafka begins its reasons with the client's name and the broker's; the first says nothing.
fn without_client(reason: &str) -> &str {
    match reason.split_once("]: ") {
        Some((client, rest)) if client.starts_with('[') => rest,
        _ => reason,
    }
}

/// A client of which only errors matter: for looking things up and for producing.
#[derive(Clone, Debug, Default)]
pub struct QuietContext {
    /// Its errors.
    pub errors: Arc<ClientErrors>,
}

impl ClientContext for QuietContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client error");
        self.errors.note(&error, reason);
    }
}

impl ConsumerContext for QuietContext {}

/// Something that the consumer of the group has to act on.
#[derive(Debug)]
pub enum Incident {
    /// Partitions are given to us.
    Assigned(TopicPartitionList),
    /// Partitions are taken from us; they stay ours until they are unassigned.
    Revoked(TopicPartitionList),
}

/// The context of the group's consumer: a mailbox of incidents, and whether Kafka is there.
///
/// Librdkafka lets a rebalance take its time: partitions that are revoked stay with the consumer
/// until it unassigns them. So nothing is done in the callback but to write it down.
#[derive(Debug)]
pub struct ConsumerEvents {
    incidents: Mutex<Vec<Incident>>,
    closing: AtomicBool,
    errors: ClientErrors,
    health: Arc<Health>,
}

impl ConsumerEvents {
    /// Nothing has happened yet; `health` is told when no broker can be reached any more.
    pub fn new(health: Arc<Health>) -> ConsumerEvents {
        ConsumerEvents {
            incidents: Mutex::default(),
            closing: AtomicBool::new(false),
            errors: ClientErrors::default(),
            health,
        }
    }

    /// What happened since the last call, oldest first.
    pub fn take(&self) -> Vec<Incident> {
        std::mem::take(&mut *lock(&self.incidents))
    }

    /// From now on partitions are given back at once, because nobody acts on incidents any more.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

impl ClientContext for ConsumerEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    /// None of them ends the sink: the client tries again by itself, and what is refused today, say
    /// because a password changes, may be let in tomorrow.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(reason = without_client(reason), "kafka client error");
        self.errors.note(&error, reason);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            let reason = self.errors.last().unwrap_or_else(|| without_client(reason).to_owned());
            self.health.kafka_fails(&reason);
        }
    }
}

impl ConsumerContext for ConsumerEvents {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let is_assigned = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Acquire) {
            let result = if is_assigned {
                consumer.incremental_assign(partitions)
            } else {
                consumer.incremental_unassign(partitions)
            };
            if let Err(error) = result {
                tracing::warn!(%error, "the group could not be told about partitions while leaving");
            }
            return;
        }
        let partitions = partitions.clone();
        let incident = if is_assigned {
            Incident::Assigned(partitions)
        } else {
            Incident::Revoked(partitions)
        };
        lock(&self.incidents).push(incident);
    }
}

fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => tracing::warn!(facility, message, "kafka client"),
        // A property that only a consumer or only a producer has is given to both.
        RDKafkaLogLevel::Warning if facility == "CONFWARN" => {
            tracing::debug!(facility, message, "kafka client");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "kafka client"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(facility, message, "kafka client");
        }
    }
}

/// A panic elsewhere leaves these values whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
