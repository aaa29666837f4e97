//! From settings to librdkafka's properties.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::settings::{KafkaSettings, Settings};

/// What a client needs that only looks things up.
pub fn base_config(kafka: &KafkaSettings) -> ClientConfig {
    with_properties(own_config(kafka), kafka)
}

/// What every client needs: where Kafka is, and who asks.
fn own_config(kafka: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &kafka.brokers)
        .set("client.id", "statetrail-sink")
        .set("allow.auto.create.topics", "false")
        // A broker that is away for long is asked again this often.
        .set("reconnect.backoff.max.ms", "2000")
        .set("socket.keepalive.enable", "true");
    let protocol = match (&kafka.tls, &kafka.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(tls) = &kafka.tls {
        if let Some(ca_file) = &tls.ca_file {
            config.set("ssl.ca.location", ca_file.to_string_lossy());
        }
        if let Some((cert, key)) = &tls.identity {
            config.set("ssl.certificate.location", cert.to_string_lossy());
            config.set("ssl.key.location", key.to_string_lossy());
        }
        if let Some(password) = &tls.key_password {
            config.set("ssl.key.password", password.reveal());
        }
    }
    if let Some(sasl) = &kafka.sasl {
        config.set("sasl.mechanism", &sasl.mechanism);
        config.set("sasl.username", &sasl.username);
        config.set("sasl.password", sasl.password.reveal());
    }
    config
}

/// The consumer of the group.
pub fn consumer_config(settings: &Settings) -> ClientConfig {
    let mut config = own_config(&settings.kafka);
    let queue_kib = (settings.fetch_queue / 1024).max(1);
    // No answer is much larger than the queue, or the queue would not bound the memory. A single
    // larger message still comes: brokers send at least one batch.
    let fetch_bytes = settings.fetch_queue.clamp(1024, 64 << 20);
    config
        .set("group.id", &settings.kafka.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("queued.max.messages.kbytes", queue_kib.to_string())
        .set("queued.min.messages", "10000")
        // With the default of 1,000 a full queue is looked at again only after a second, and a
        // small queue is empty long before.
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.message.max.bytes", (fetch_bytes / 2).to_string())
        .set("fetch.max.bytes", fetch_bytes.to_string())
        // New partitions are found within that time.
        .set("topic.metadata.refresh.interval.ms", "30000");
    with_properties(config, &settings.kafka)
}

/// The producer of dead letters, and of replays.
pub fn producer_config(kafka: &KafkaSettings) -> ClientConfig {
    let mut config = own_config(kafka);
    config
        // Brokers that make topics by themselves may make the dead-letter topic.
        .set("allow.auto.create.topics", "true")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        // Each letter by itself: a batch of small ones may be larger than their topic takes.
        .set("batch.num.messages", "1")
        .set("linger.ms", "0")
        // Messages as large as the broker lets them be; it has the last word.
        .set("message.max.bytes", "1000000000")
        // After that time the sink is told, and tries again itself.
        .set("message.timeout.ms", "30000")
        .set("compression.type", "none");
    with_properties(config, kafka)
}

fn with_properties(mut config: ClientConfig, kafka: &KafkaSettings) -> ClientConfig {
    for (name, value) in &kafka.properties {
        config.set(name, value);
    }
    config
}

/// Whether librdkafka knows a property and takes the value.
///
/// # Errors
/// What librdkafka says.
pub fn check_property(name: &str, value: &str) -> Result<(), String> {
    let mut config = ClientConfig::new();
    config.set(name, value);
    match config.create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(_, reason, _, _)) => Err(reason),
        Err(error) => Err(error.to_string()),
    }
}
