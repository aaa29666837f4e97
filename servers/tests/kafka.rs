//! Kafka starts, keeps what it was given through faults, and speaks SCRAM and TLS.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use rdkafka::{Message, Offset, TopicPartitionList};
use statetrail_servers::{Kafka, KafkaOptions, Scram};

/// Long enough for a machine that is busy with other tests.
const WITHIN: Duration = Duration::from_secs(120);

fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "test");
    config
}

async fn produce(config: &ClientConfig, payload: &str) -> Result<(), KafkaError> {
    let producer: FutureProducer = config.create()?;
    let record = FutureRecord::<str, str>::to("topic").payload(payload);
    producer.send(record, Timeout::After(WITHIN)).await.map(drop).map_err(|(error, _)| error)
}

/// Every message of the topic's only partition, read anew.
fn consume(config: &ClientConfig, count: usize) -> Vec<String> {
    let consumer: BaseConsumer = config.create().unwrap();
    let mut from_start = TopicPartitionList::new();
    from_start.add_partition_offset("topic", 0, Offset::Beginning).unwrap();
    consumer.assign(&from_start).unwrap();
    let begun = Instant::now();
    let mut read = Vec::new();
    while read.len() < count && begun.elapsed() < WITHIN {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            read.push(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned());
        }
    }
    read
}

#[tokio::test]
async fn what_was_produced_is_there_after_a_kill_and_a_restart_on_the_same_ports() {
    let kafka = Kafka::start().unwrap();
    let config = config(kafka.brokers());
    produce(&config, "before").await.unwrap();
    let server = kafka.server().unwrap();

    server.kill().unwrap();
    assert!(server.process_id().is_err());
    server.restart().unwrap();
    produce(&config, "between").await.unwrap();
    server.restart().unwrap();
    produce(&config, "after").await.unwrap();

    assert_eq!(consume(&config, 3), ["before", "between", "after"]);
}

#[tokio::test]
async fn paused_it_answers_nobody_and_resumed_it_goes_on() {
    let kafka = Kafka::start().unwrap();
    let mut config = config(kafka.brokers());
    produce(&config, "before").await.unwrap();
    let server = kafka.server().unwrap();

    server.pause().unwrap();
    assert!(!server.is_running());
    config.set("message.timeout.ms", "1000");
    assert!(produce(&config, "lost").await.is_err());
    server.resume().unwrap();
    config.set("message.timeout.ms", "120000");
    produce(&config, "after").await.unwrap();

    assert!(server.cpu_time().unwrap() > Duration::ZERO);
    assert!(server.resident_bytes().unwrap() > 100 << 20);
    println!("{} MiB resident", server.resident_bytes().unwrap() >> 20);
}

#[tokio::test]
async fn it_lets_in_the_right_password_and_trusts_the_right_certificate() {
    let scram = Scram { user: "alice".to_owned(), password: "correct".to_owned() };
    let options = KafkaOptions { scram: Some(scram), tls: true, ..KafkaOptions::default() };
    let kafka = Kafka::start_with(&options).unwrap();
    let mut scram = config(&kafka.scram_brokers().unwrap());
    scram.set("security.protocol", "SASL_PLAINTEXT").set("sasl.mechanism", "SCRAM-SHA-512");
    scram.set("sasl.username", "alice");
    let mut tls = config(&kafka.tls_brokers().unwrap());
    tls.set("security.protocol", "SSL");
    // Nobody waits long for what cannot come.
    let soon = |config: &ClientConfig| config.clone().set("message.timeout.ms", "5000").clone();

    let wrong = soon(scram.set("sasl.password", "wrong"));
    assert!(produce(&wrong, "no").await.is_err());
    produce(scram.set("sasl.password", "correct"), "by password").await.unwrap();
    assert!(produce(&soon(&tls), "no").await.is_err());
    let ca_pem = kafka.ca_pem().unwrap().display().to_string();
    produce(tls.set("ssl.ca.location", ca_pem), "by TLS").await.unwrap();

    assert_eq!(consume(&config(kafka.brokers()), 2), ["by password", "by TLS"]);
}
