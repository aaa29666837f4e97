//! Sends letters back to the topic that their messages came from.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, ProducerContext};
use rdkafka::{ClientContext, Message};

use super::{DeadLetterTopic, Letter};
use crate::dead_letter::{HEADER_PREFIX, REPLAYED};
use crate::exit::{Exit, Failure};
use crate::kafka::{QuietContext, producer_config, read_one};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What became of letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Sent back, and taken by every replica.
    pub sent: u64,
    /// Not sent: each with its place and the reason.
    pub skipped: Vec<(String, String)>,
}

/// Sends letters back one by one; see [`replay`].
pub struct Replay<'a> {
    place: &'a DeadLetterTopic,
    producer: BaseProducer<ReplayContext>,
    deliveries: Arc<Deliveries>,
    handed: u64,
    skipped: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Deliveries {
    delivered: AtomicU64,
    failed: Mutex<Option<KafkaError>>,
}

/// Begins to send letters back to the topics that they came from.
///
/// # Errors
/// When Kafka's client cannot be made.
pub fn replay(place: &DeadLetterTopic) -> Result<Replay<'_>, Failure> {
    let deliveries = Arc::new(Deliveries::default());
    let context =
        ReplayContext { client: QuietContext::default(), deliveries: Arc::clone(&deliveries) };
    let mut config = producer_config(&place.kafka);
    // A topic that is gone is not made again.
    config.set("allow.auto.create.topics", "false");
    let producer = config
        .create_with_context(context)
        .map_err(|error| Failure::new(Exit::Failed, format!("kafka producer: {error}")))?;
    Ok(Replay { place, producer, deliveries, handed: 0, skipped: Vec::new() })
}

impl Replay<'_> {
    /// Sends a letter back, as its message was, with one header that counts how often that was
    /// done. Its time is now: only now does it become known.
    ///
    /// # Errors
    /// When Kafka does not take it.
    pub fn send(&mut self, letter: Letter) -> Result<(), Failure> {
        let place = letter.place.to_string();
        let Some(origin) = letter.origin.clone() else {
            self.skipped.push((place, "its headers do not say where it came from".to_owned()));
            return Ok(());
        };
        let replayed = letter.replayed + 1;
        let message = if letter.truncated.is_some() {
            let read = read_one(
                &self.place.kafka,
                &origin.topic,
                origin.partition,
                origin.offset,
                ANSWER_WITHIN,
            );
            match read {
                Ok(Some(message)) => message,
                Ok(None) => {
                    let reason = "its value is cut off, and its topic no longer has the whole one";
                    self.skipped.push((place, reason.to_owned()));
                    return Ok(());
                }
                Err(error) => return Err(self.failure(&error)),
            }
        } else {
            letter.message
        };
        self.produce(&origin.topic, &message, replayed)
    }

    fn produce(
        &mut self,
        topic: &str,
        message: &OwnedMessage,
        replayed: u32,
    ) -> Result<(), Failure> {
        let headers = own_headers(message, replayed);
        loop {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
            record.key = message.key();
            record.payload = message.payload();
            record.headers = Some(headers.clone());
            match self.producer.send(record) {
                Ok(()) => {
                    self.handed += 1;
                    self.producer.poll(Duration::ZERO);
                    return self.check();
                }
                Err((error, _))
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
                {
                    self.producer.poll(Duration::from_millis(100));
                    self.check()?;
                }
                Err((error, _)) => return Err(self.failure(&error)),
            }
        }
    }

    /// How many letters are sent back for sure.
    pub fn sent(&self) -> u64 {
        self.deliveries.delivered.load(Ordering::Relaxed)
    }

    /// Waits until every letter is sent back.
    ///
    /// # Errors
    /// When Kafka does not take one.
    pub fn finish(self) -> Result<Replayed, Failure> {
        // It ends: Kafka's client gives up on a letter after its `message.timeout.ms`.
        while self.sent() < self.handed {
            self.producer.poll(Duration::from_millis(100));
            self.check()?;
        }
        Ok(Replayed { sent: self.sent(), skipped: self.skipped })
    }

    fn check(&self) -> Result<(), Failure> {
        let failed = self.deliveries.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().map_or(Ok(()), |error| Err(self.failure(error)))
    }

    fn failure(&self, error: &KafkaError) -> Failure {
        let sent = self.sent();
        let brokers = &self.place.kafka.brokers;
        let hint = "send the rest again, repeating does no harm";
        let message = format!(
            "Kafka at {brokers} did not take a letter: {error}; {sent} are sent back: {hint}"
        );
        let exit = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                Exit::TopicMissing
            }
            _ => Exit::Failed,
        };
        Failure::new(exit, message)
    }
}

/// The headers that the message had, and how often it was sent back.
fn own_headers(message: &OwnedMessage, replayed: u32) -> OwnedHeaders {
    let headers = message.headers().map(|it| it.iter()).into_iter().flatten();
    let own = headers.filter(|header| !header.key.starts_with(HEADER_PREFIX));
    let kept = own.fold(OwnedHeaders::new(), OwnedHeaders::insert);
    let count = replayed.to_string();
    kept.insert(Header { key: REPLAYED, value: Some(&count) })
}

struct ReplayContext {
    client: QuietContext,
    deliveries: Arc<Deliveries>,
}

impl ClientContext for ReplayContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.client.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.client.error(error, reason);
    }
}

impl ProducerContext for ReplayContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.deliveries.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                let mut failed =
                    self.deliveries.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert_with(|| error.clone());
            }
        }
    }
}
