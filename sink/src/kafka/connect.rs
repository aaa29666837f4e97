//! Whether Kafka is there, lets us in and has our topics.

use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};

use super::config::{base_config, consumer_config, producer_config};
use super::context::{ClientErrors, QuietContext};
use crate::exit::{Exit, Failure};
use crate::settings::{KafkaSettings, Settings};

/// One question, so that a refusal is seen soon.
const ASK_WITHIN: Duration = Duration::from_secs(3);
/// How long to listen for what the client says about an answer that did not come.
const SAID_WITHIN: Duration = Duration::from_millis(50);
/// How long a broker that makes topics by itself may take.
const MADE_WITHIN: Duration = Duration::from_secs(5);

/// What was found of the topics.
pub struct Topics {
    /// The number of partitions of each topic that is read.
    pub partitions: Vec<usize>,
    /// The topics of dead letters that are missing.
    pub missing: Vec<String>,
}

/// Waits until brokers answer, and looks for topics: those to read, and those of dead letters.
///
/// # Errors
/// When no broker answers `within` that time, Kafka does not let us in, or a topic to read is
/// missing.
pub fn check_topics(
    kafka: &KafkaSettings,
    dead_letters: &[String],
    within: Duration,
) -> Result<Topics, Failure> {
    let context = QuietContext::default();
    let consumer: BaseConsumer<QuietContext> = base_config(kafka)
        .create_with_context(context.clone())
        .map_err(|error| Failure::new(Exit::Settings, format!("kafka client: {error}")))?;
    let deadline = Instant::now() + within;
    let mut partitions = Vec::new();
    for topic in &kafka.topics {
        let found = ask(kafka, &consumer, &context.errors, topic, deadline)?;
        partitions.push(found.ok_or_else(|| {
            let hint = "create it, or correct kafka.topics";
            Failure::new(
                Exit::TopicMissing,
                format!("topic {topic} is missing at {}: {hint}", kafka.brokers),
            )
        })?);
    }
    let mut missing = Vec::new();
    for topic in dead_letters {
        // Asked by a consumer, a broker makes no topics.
        if ask(kafka, &consumer, &context.errors, topic, deadline)?.is_none() {
            missing.push(topic.clone());
        }
    }
    Ok(Topics { partitions, missing })
}

/// Whether Kafka's client takes all settings together; no broker is asked.
///
/// # Errors
/// What the client says.
pub fn check_clients(settings: &Settings) -> Result<(), Failure> {
    let wrong = |client: &str, error: KafkaError| {
        Failure::new(Exit::Settings, format!("kafka {client}: {error}"))
    };
    let consumer: Result<BaseConsumer<QuietContext>, _> =
        consumer_config(settings).create_with_context(QuietContext::default());
    consumer.map_err(|error| wrong("consumer", error))?;
    let producer: Result<BaseProducer<DeadLetterCheck>, _> = producer_config(&settings.kafka)
        .create_with_context(DeadLetterCheck(QuietContext::default()));
    producer.map_err(|error| wrong("producer", error))?;
    Ok(())
}

/// Why the sink does not go on without a topic for dead letters.
pub fn dead_letters_missing(kafka: &KafkaSettings, topic: &str) -> Failure {
    let hint = "create it, or correct dead_letter.topic";
    let message = format!("dead-letter topic {topic} is missing at {}: {hint}", kafka.brokers);
    Failure::new(Exit::TopicMissing, message)
}

/// Asks for topics of dead letters as a producer, so that a broker makes them if it makes topics by
/// itself.
///
/// # Errors
/// When no broker answers `within` that time, or a topic is not made.
pub fn make_dead_letters(
    kafka: &KafkaSettings,
    topics: &[String],
    within: Duration,
) -> Result<(), Failure> {
    if topics.is_empty() {
        return Ok(());
    }
    let deadline = Instant::now() + within;
    let context = QuietContext::default();
    let producer: BaseProducer<DeadLetterCheck> = producer_config(kafka)
        .create_with_context(DeadLetterCheck(context.clone()))
        .map_err(|error| Failure::new(Exit::Settings, format!("kafka client: {error}")))?;
    for topic in topics {
        let made_by = Instant::now() + MADE_WITHIN;
        while ask_client(kafka, producer.client(), &context.errors, topic, deadline)?.is_none() {
            if Instant::now() >= made_by {
                return Err(dead_letters_missing(kafka, topic));
            }
            // Asking made it; it is there when its leader is.
            producer.poll(Duration::from_millis(100));
        }
        tracing::warn!(topic, "the dead-letter topic was missing: the broker made it when asked");
    }
    Ok(())
}

/// The number of partitions of a topic, or `None` if there is no such topic.
fn ask(
    kafka: &KafkaSettings,
    consumer: &BaseConsumer<QuietContext>,
    errors: &ClientErrors,
    topic: &str,
    deadline: Instant,
) -> Result<Option<usize>, Failure> {
    loop {
        let answer = consumer.fetch_metadata(Some(topic), ask_within(deadline));
        if answer.is_err() {
            // Errors are told by polling, one after the other.
            let _ = consumer.poll(SAID_WITHIN);
        }
        if let Some(found) = understand(kafka, errors, topic, answer, deadline)? {
            return Ok(found.count());
        }
    }
}

fn ask_client<C: ClientContext>(
    kafka: &KafkaSettings,
    client: &rdkafka::client::Client<C>,
    errors: &ClientErrors,
    topic: &str,
    deadline: Instant,
) -> Result<Option<usize>, Failure> {
    loop {
        let answer = client.fetch_metadata(Some(topic), ask_within(deadline));
        if let Some(found) = understand(kafka, errors, topic, answer, deadline)? {
            return Ok(found.count());
        }
    }
}

enum Found {
    Missing,
    Partitions(usize),
}

impl Found {
    fn count(self) -> Option<usize> {
        match self {
            Found::Missing => None,
            Found::Partitions(count) => Some(count),
        }
    }
}

fn ask_within(deadline: Instant) -> Duration {
    let remaining = deadline.saturating_duration_since(Instant::now());
    remaining.clamp(Duration::from_millis(100), ASK_WITHIN)
}

/// What an answer means; `None` if it is worth asking again.
fn understand(
    kafka: &KafkaSettings,
    errors: &ClientErrors,
    topic: &str,
    answer: Result<rdkafka::metadata::Metadata, KafkaError>,
    deadline: Instant,
) -> Result<Option<Found>, Failure> {
    if let Some(reason) = errors.denied() {
        return Err(denied(kafka, &reason));
    }
    let metadata = match answer {
        Ok(metadata) => metadata,
        Err(error) if Instant::now() < deadline => {
            tracing::info!(brokers = kafka.brokers, %error, "waiting for kafka");
            return Ok(None);
        }
        Err(error) => return Err(failure_of(kafka, errors, &error)),
    };
    let Some(found) = metadata.topics().iter().find(|it| it.name() == topic) else {
        return Ok(Some(Found::Missing));
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None if found.partitions().is_empty() => Ok(Some(Found::Missing)),
        None => Ok(Some(Found::Partitions(found.partitions().len()))),
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
            let hint = "let the user read and describe it";
            let message =
                format!("Kafka at {} denies access to topic {topic}: {hint}", kafka.brokers);
            Err(Failure::new(Exit::KafkaDenied, message))
        }
        Some(RDKafkaErrorCode::LeaderNotAvailable) if Instant::now() < deadline => Ok(None),
        Some(_) => Ok(Some(Found::Missing)),
    }
}

fn denied(kafka: &KafkaSettings, reason: &str) -> Failure {
    let hint = "check kafka.security (user, password, certificates)";
    let message = format!("Kafka at {} does not let us in: {reason}: {hint}", kafka.brokers);
    Failure::new(Exit::KafkaDenied, message)
}

/// What an error of a client means for the process.
pub fn failure_of(kafka: &KafkaSettings, errors: &ClientErrors, error: &KafkaError) -> Failure {
    if let Some(reason) = errors.denied() {
        return denied(kafka, &reason);
    }
    let reason = errors.last().unwrap_or_else(|| error.to_string());
    let hint = "check kafka.brokers and that the brokers run";
    let message = format!("no broker of {} answers: {reason}: {hint}", kafka.brokers);
    Failure::new(Exit::BrokersAway, message)
}

/// Only there because a producer's context has to have an opinion on deliveries.
struct DeadLetterCheck(QuietContext);

impl ClientContext for DeadLetterCheck {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl rdkafka::producer::ProducerContext for DeadLetterCheck {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::producer::DeliveryResult<'_>, (): ()) {}
}
