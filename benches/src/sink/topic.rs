//! Events in a topic of Kafka.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use statetrail_event::Event;
use statetrail_event::cloudevents::{read, write_event};
use tokio::sync::mpsc::Sender;

const PARTITIONS: i32 = 4;
/// Nobody waits longer for Kafka than that.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a topic.
///
/// # Errors
/// When Kafka refuses.
pub async fn make(brokers: &str, topic: &str) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let topic = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
    for made in admin.create_topics([&topic], &AdminOptions::new()).await? {
        made.map_err(|(topic, code)| anyhow!("{topic}: {code}"))?;
    }
    Ok(())
}

/// Sends events as CloudEvents, as fast as they come, and returns their bytes.
///
/// # Errors
/// When Kafka refuses.
pub fn fill(brokers: &str, topic: &str, events: impl Iterator<Item = Event>) -> Result<u64> {
    fill_compressed(brokers, topic, "none", events)
}

/// The same with a compression that Kafka knows, such as `lz4`.
///
/// # Errors
/// When Kafka refuses.
pub fn fill_compressed(
    brokers: &str,
    topic: &str,
    codec: &str,
    events: impl Iterator<Item = Event>,
) -> Result<u64> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("compression.codec", codec)
        .set("linger.ms", "20")
        .set("queue.buffering.max.kbytes", "65536")
        .create()?;
    let (mut value, mut bytes) = (Vec::new(), 0);
    for event in events {
        value.clear();
        write_event(&mut value, &event);
        bytes += value.len() as u64;
        send(&producer, topic, event.entity.as_str(), &value)?;
    }
    producer.flush(PATIENCE)?;
    Ok(bytes)
}

/// Hands on so many a second, a hundred at a time, from now on.
pub fn paced(events: impl Iterator<Item = Event>, rate: f64) -> impl Iterator<Item = Event> {
    let start = Instant::now();
    events.enumerate().map(move |(number, event)| {
        let due = Duration::from_secs_f64(number as f64 / rate);
        if number.is_multiple_of(100)
            && let Some(wait) = due.checked_sub(start.elapsed())
        {
            thread::sleep(wait);
        }
        event
    })
}

fn send(producer: &BaseProducer, topic: &str, key: &str, value: &[u8]) -> Result<()> {
    let mut record = BaseRecord::to(topic).key(key).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => {
                producer.poll(Duration::ZERO);
                return Ok(());
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Reads `count` events of a topic into a channel, in batches of some hundred.
///
/// # Errors
/// When Kafka refuses, or a message is no event.
pub fn drain(brokers: &str, topic: &str, count: usize, into: &Sender<Vec<Event>>) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", format!("bare-{topic}"))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "10")
        .set("queued.max.messages.kbytes", "16384")
        .create()?;
    consumer.subscribe(&[topic])?;
    let (mut left, mut batch, mut since) = (count, Vec::new(), Instant::now());
    while left > 0 {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            if since.elapsed() > PATIENCE {
                bail!("no message of {topic} came for a minute, {left} are missing");
            }
            continue;
        };
        since = Instant::now();
        let events = read(message?.payload().unwrap_or_default())?;
        left = left.saturating_sub(events.len());
        batch.extend(events);
        if batch.len() >= 500 || left == 0 {
            into.blocking_send(std::mem::take(&mut batch))?;
        }
    }
    Ok(())
}
