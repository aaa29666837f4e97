//! Messages that can never be stored: sent to a topic of their own, whole, with the reason.
//!
//! | header | meaning |
//! |---|---|
//! | `statetrail-error` | why, for people; at most 1 KiB of it |
//! | `statetrail-error-kind` | why, in a word that never changes |
//! | `statetrail-topic`, `statetrail-partition`, `statetrail-offset` | where the message stands |
//! | `statetrail-timestamp` | the message's own time, milliseconds since 1970 |
//! | `statetrail-failed-at` | when it was found out, RFC 3339 |
//! | `statetrail-truncated` | only if the topic would not take all of the message: the full length of its value in bytes |
//! | `statetrail-replayed` | only if it was sent back before: how often |
//!
//! Key, value and all other headers are those of the message. If the topic does not take so much, 64 KiB of
//! the value are kept; if it does not take that either, no foreign headers and 1 KiB of the key.

use std::borrow::Cow;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message};

use crate::backoff::{Backoff, random};
use crate::exit::{Exit, Failure};
use crate::kafka::{QuietContext, producer_config};
use crate::offsets::Unit;
use crate::settings::KafkaSettings;
use crate::work::Done;

/// What the names of our headers begin with.
pub const HEADER_PREFIX: &str = "statetrail-";
/// How often a message was sent back to its topic.
pub const REPLAYED: &str = "statetrail-replayed";
/// The part of a value that is kept when a topic does not take all of it, in bytes.
pub const TRUNCATED_BYTES: usize = 64 << 10;

/// The part of an error's text that is told, in bytes: it may quote what the message holds.
const ERROR_BYTES: usize = 1 << 10;
/// The part of a key that is kept when a topic does not take a letter with a shortened value.
const KEY_BYTES: usize = 1 << 10;
const TRUNCATED: &str = "statetrail-truncated";

/// A dead letter on its way.
#[derive(Debug)]
pub struct DeadLetter {
    /// Its unit among the offsets.
    pub unit: Unit,
    /// What it counts for in the budget.
    pub bytes: usize,
    /// Where it goes.
    pub topic: String,
    /// Why, in a word.
    pub kind: &'static str,
    /// Its key, value and headers, ours included.
    pub message: OwnedMessage,
}

/// Why a message became a dead letter.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'a> {
    /// For people.
    pub error: &'a str,
    /// In a word.
    pub kind: &'a str,
    /// When it was found out, RFC 3339.
    pub failed_at: &'a str,
}

/// The message as a dead letter carries it: with our headers behind its own. Those of an earlier
/// failure are replaced.
pub fn with_cause(message: OwnedMessage, cause: &Cause<'_>) -> OwnedMessage {
    let mut headers = OwnedHeaders::new();
    for header in message.headers().map(|it| it.iter()).into_iter().flatten() {
        if !header.key.starts_with(HEADER_PREFIX) || header.key == REPLAYED {
            headers = headers.insert(header);
        }
    }
    let timestamp = message.timestamp().to_millis().unwrap_or_default();
    for (key, value) in [
        ("statetrail-error", &*shortened(cause.error)),
        ("statetrail-error-kind", cause.kind),
        ("statetrail-topic", message.topic()),
        ("statetrail-partition", &message.partition().to_string()),
        ("statetrail-offset", &message.offset().to_string()),
        ("statetrail-timestamp", &timestamp.to_string()),
        ("statetrail-failed-at", cause.failed_at),
    ] {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    message.replace_headers(Some(headers))
}

/// The beginning of an error's text: what a header and a log line take.
pub fn shortened(error: &str) -> Cow<'_, str> {
    if error.len() <= ERROR_BYTES {
        return Cow::Borrowed(error);
    }
    let end = error.floor_char_boundary(ERROR_BYTES);
    Cow::Owned(format!("{}… ({} bytes in all)", &error[..end], error.len()))
}

/// What is left of a message that a topic does not take: the beginning of its value; of one whose
/// value is short already, no headers but ours and the beginning of its key.
fn truncated(message: OwnedMessage) -> OwnedMessage {
    let length = message.payload().map_or(0, <[u8]>::len);
    if length <= TRUNCATED_BYTES {
        return without_foreign_headers(message, length);
    }
    let kept = message.payload().and_then(|value| value.get(..TRUNCATED_BYTES)).map(<[u8]>::to_vec);
    let mut message = message.set_payload(kept);
    let headers = message.detach_headers().unwrap_or_default();
    let length = length.to_string();
    let header = Header { key: TRUNCATED, value: Some(&length) };
    message.replace_headers(Some(headers.insert(header)))
}

fn without_foreign_headers(message: OwnedMessage, length: usize) -> OwnedMessage {
    let mut ours = OwnedHeaders::new();
    let mut is_marked = false;
    for header in message.headers().map(|it| it.iter()).into_iter().flatten() {
        if header.key.starts_with(HEADER_PREFIX) {
            is_marked |= header.key == TRUNCATED;
            ours = ours.insert(header);
        }
    }
    if !is_marked {
        ours = ours.insert(Header { key: TRUNCATED, value: Some(&length.to_string()) });
    }
    let key = message.key().map(|key| key.get(..KEY_BYTES).unwrap_or(key).to_vec());
    let message = match key {
        Some(key) => message.set_key(Some(key)),
        None => message,
    };
    message.replace_headers(Some(ours))
}

/// Sends dead letters, and sends them again until they are delivered.
pub struct DeadLetters {
    producer: ThreadedProducer<LetterContext>,
    waiting: Vec<DeadLetter>,
    retry_at: Option<Instant>,
    backoff: Backoff,
}

impl DeadLetters {
    /// A sender that tells of deliveries and failures through `done`.
    ///
    /// # Errors
    /// When Kafka's client cannot be made.
    pub fn new(kafka: &KafkaSettings, done: Sender<Done>) -> Result<DeadLetters, Failure> {
        let context = LetterContext { client: QuietContext::default(), done };
        let producer = producer_config(kafka)
            .create_with_context(context)
            .map_err(|error| Failure::new(Exit::Failed, format!("kafka producer: {error}")))?;
        Ok(DeadLetters {
            producer,
            waiting: Vec::new(),
            retry_at: None,
            backoff: Backoff::default(),
        })
    }

    /// Sends a letter; [`Done::Delivered`] comes when every replica has it.
    pub fn send(&mut self, letter: DeadLetter) {
        if self.retry_at.is_some() {
            self.waiting.push(letter);
        } else if let Err(failed) = self.try_send(letter) {
            let (letter, error) = *failed;
            self.failed(letter, &error);
        }
    }

    /// A letter did not arrive: it is tried again later, shortened if it was too large.
    pub fn failed(&mut self, mut letter: DeadLetter, error: &KafkaError) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
            letter.message = truncated(letter.message);
        }
        self.waiting.push(letter);
        if self.retry_at.is_none() {
            self.retry_at = Some(Instant::now() + self.backoff.next(random()));
        }
    }

    /// A letter arrived.
    pub fn delivered(&mut self) {
        self.backoff = Backoff::default();
    }

    /// Tries again what did not arrive, if it is time.
    ///
    /// # Errors
    /// When the producer can never send again.
    pub fn retry(&mut self, now: Instant) -> Result<(), Failure> {
        if self.retry_at.is_none_or(|at| now < at) {
            return Ok(());
        }
        if let Some((code, reason)) = self.producer.client().fatal_error() {
            let hint = "start the sink again, nothing is lost";
            let message = format!(
                "the producer of dead letters has failed for good ({code}): {reason}: {hint}"
            );
            return Err(Failure::new(Exit::Failed, message));
        }
        self.retry_at = None;
        for letter in std::mem::take(&mut self.waiting) {
            self.send(letter);
        }
        Ok(())
    }

    /// How long until something is tried again.
    pub fn next_retry(&self, now: Instant) -> Option<Duration> {
        self.retry_at.map(|at| at.saturating_duration_since(now))
    }

    fn try_send(&self, letter: DeadLetter) -> Result<(), Box<(DeadLetter, KafkaError)>> {
        // The client copies what it sends, so letter and record need not live as long.
        let DeadLetter { unit, bytes, topic, kind, message } = letter;
        let ticket = Box::new(Ticket { unit, bytes, kind });
        let mut record = BaseRecord::with_opaque_to(&topic, ticket);
        record.key = message.key();
        record.payload = message.payload();
        record.headers = message.headers().cloned();
        match self.producer.send(record) {
            Ok(()) => Ok(()),
            Err((error, _)) => {
                let letter = DeadLetter { unit, bytes, topic, kind, message };
                Err(Box::new((letter, error)))
            }
        }
    }
}

/// What is known of a letter while Kafka's client has it.
#[derive(Debug)]
struct Ticket {
    unit: Unit,
    bytes: usize,
    kind: &'static str,
}

struct LetterContext {
    client: QuietContext,
    done: Sender<Done>,
}

impl ClientContext for LetterContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.client.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.client.error(error, reason);
    }
}

impl ProducerContext for LetterContext {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let Ticket { unit, bytes, kind } = *ticket;
        let done = match result {
            Ok(_) => Done::Delivered { unit, bytes, kind },
            Err((error, message)) => {
                let message = message.detach();
                let topic = message.topic().to_owned();
                let letter = Box::new(DeadLetter { unit, bytes, topic, kind, message });
                Done::Undelivered { letter, error: error.clone() }
            }
        };
        // Whoever ends has no more use for it.
        let _ = self.done.send(done);
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;

    use super::*;

    fn message(value: Vec<u8>, headers: &[(&str, &str)]) -> OwnedMessage {
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(*value) })
        });
        let timestamp = Timestamp::CreateTime(1_700_000_000_123);
        OwnedMessage::new(Some(value), None, "orders".to_owned(), timestamp, 3, 42, Some(headers))
    }

    fn headers(message: &OwnedMessage) -> Vec<(String, String)> {
        let headers = message.headers().unwrap();
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap()).into_owned();
        headers.iter().map(|it| (it.key.to_owned(), text(it.value))).collect()
    }

    #[test]
    fn a_letter_keeps_its_headers_and_says_why() {
        let first = message(vec![1], &[("a", "b"), (REPLAYED, "2"), ("statetrail-error", "old")]);
        let cause = Cause { error: "no time", kind: "time", failed_at: "2026-11-22T10:00:00Z" };
        let letter = with_cause(first, &cause);
        assert_eq!(letter.payload(), Some(&[1][..]));
        let expected = [
            ("a", "b"),
            (REPLAYED, "2"),
            ("statetrail-error", "no time"),
            ("statetrail-error-kind", "time"),
            ("statetrail-topic", "orders"),
            ("statetrail-partition", "3"),
            ("statetrail-offset", "42"),
            ("statetrail-timestamp", "1700000000123"),
            ("statetrail-failed-at", "2026-11-22T10:00:00Z"),
        ];
        assert_eq!(headers(&letter), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_letter_that_is_still_too_large_loses_what_is_not_needed() {
        let first = message(vec![1], &[("a", &"b".repeat(1 << 20)), ("statetrail-error", "old")]);
        let letter = truncated(first.set_key(Some(vec![b'k'; KEY_BYTES + 1])));
        assert_eq!(letter.key().map(<[u8]>::len), Some(KEY_BYTES));
        assert_eq!(letter.payload(), Some(&[1][..]));
        let expected = [("statetrail-error", "old"), ("statetrail-truncated", "1")];
        let expected = expected.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(headers(&letter), expected);
        assert_eq!(headers(&truncated(letter)), expected, "once is enough");
    }

    #[test]
    fn an_error_is_told_up_to_a_length() {
        assert_eq!(shortened("no time"), "no time");
        let long = shortened(&"ü".repeat(ERROR_BYTES)).into_owned();
        assert!(long.len() < ERROR_BYTES + 50 && long.ends_with("(2048 bytes in all)"), "{long}");
    }

    #[test]
    fn only_a_long_value_is_shortened_and_its_length_is_told() {
        let short = truncated(message(vec![7; TRUNCATED_BYTES], &[]));
        assert_eq!(short.payload().map(<[u8]>::len), Some(TRUNCATED_BYTES));
        assert_eq!(headers(&short), [("statetrail-truncated".to_owned(), "65536".to_owned())]);
        let long = truncated(message(vec![7; TRUNCATED_BYTES + 1], &[("a", "b")]));
        assert_eq!(long.payload().map(<[u8]>::len), Some(TRUNCATED_BYTES));
        let expected = [("a", "b"), ("statetrail-truncated", "65537")];
        assert_eq!(headers(&long), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
