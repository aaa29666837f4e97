//! Settings: from a file, the environment and flags to values that are known to be right.
//!
//! [`definitions`] lists every setting; [`layers`] collects who says what; here the values are
//! checked, all of them, so that one run tells every fault.

pub mod definitions;
pub mod layers;
mod show;
#[cfg(test)]
mod tests;
pub mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use statetrail_store::{StoreAddress, StoreAddressError};

use crate::batch::BatchLimits;
use definitions::{definition, is_secret_property};
use layers::Layers;
pub use show::show;

const STORE: &str = "store";

/// Everything that the sink is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where events go.
    pub store: StoreAddress,
    /// Where they come from.
    pub kafka: KafkaSettings,
    /// The dead-letter topic; `{topic}` stands for the topic of the message.
    pub dead_letter_topic: String,
    /// When a batch is full.
    pub batch: BatchLimits,
    /// Bytes of messages that are read and not yet done.
    pub budget: usize,
    /// Bytes that Kafka's client fetches ahead.
    pub fetch_queue: usize,
    /// How often offsets are committed.
    pub commit_interval: Duration,
    /// How long to wait for servers at the start.
    pub startup_timeout: Duration,
    /// How long to finish what was read.
    pub drain_timeout: Duration,
    /// When what is away makes the sink unready.
    pub unready_after: Duration,
    /// How often the lag is looked up.
    pub lag_interval: Duration,
    /// Where HTTP answers, if anywhere.
    pub http: Option<SocketAddr>,
    /// How to log.
    pub log: LogSettings,
}

/// How to reach Kafka.
#[derive(Clone, Debug, Default)]
pub struct KafkaSettings {
    /// The brokers to ask first, with commas between them.
    pub brokers: String,
    /// The topics to read.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// TLS, if it is spoken.
    pub tls: Option<TlsSettings>,
    /// Who logs in, if anybody.
    pub sasl: Option<SaslSettings>,
    /// librdkafka's own properties.
    pub properties: BTreeMap<String, String>,
}

/// What TLS needs.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Certificates to trust; the system's if there is none.
    pub ca_file: Option<PathBuf>,
    /// The sink's own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The key's password.
    pub key_password: Option<Secret>,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub struct SaslSettings {
    /// `SCRAM-SHA-512`, `SCRAM-SHA-256` or `PLAIN`.
    pub mechanism: String,
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for the one who needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// What is logged.
    pub level: tracing::Level,
    /// As JSON, as text, or as the output is.
    pub json: Option<bool>,
}

impl Settings {
    /// Checks everything that was given; secret files are read.
    ///
    /// # Errors
    /// Every fault, a line each.
    pub fn check(layers: Layers) -> Result<Settings, Vec<String>> {
        let mut check = Check { layers };
        let settings = check.settings();
        let faults = check.layers.faults;
        match settings {
            Some(settings) if faults.is_empty() => Ok(settings),
            _ => Err(faults),
        }
    }

    /// Checks only what is needed to reach Kafka, for commands that need no more.
    ///
    /// # Errors
    /// Every fault, a line each.
    pub fn check_kafka(layers: Layers) -> Result<KafkaSettings, Vec<String>> {
        let mut check = Check { layers };
        let kafka = check.kafka();
        let faults = check.layers.faults;
        match kafka {
            Some(kafka) if faults.is_empty() => Ok(kafka),
            _ => Err(faults),
        }
    }

    /// The dead-letter topic for a topic.
    pub fn dead_letter_topic(&self, topic: &str) -> String {
        self.dead_letter_topic.replace("{topic}", topic)
    }
}

struct Check {
    layers: Layers,
}

/// Each method notes what is wrong and goes on.
impl Check {
    fn settings(&mut self) -> Option<Settings> {
        let store = self.needed(STORE, store_address);
        let kafka = self.kafka();
        let dead_letter_topic = self.needed("dead_letter.topic", topic_template);
        let events = self.needed("batch.max_events", values::count);
        let bytes = self.needed("batch.max_bytes", values::size);
        let linger = self.needed("batch.linger", values::duration);
        let budget = self.needed("memory.budget", values::size);
        let fetch_queue = self.needed("memory.fetch_queue", values::size);
        let commit_interval = self.needed("commit_interval", values::duration);
        let startup_timeout = self.needed("startup_timeout", values::duration);
        let drain_timeout = self.needed("drain_timeout", values::duration);
        let unready_after = self.needed("unready_after", values::duration);
        let lag_interval = self.needed("lag_interval", values::duration);
        let http = self.needed("http.listen", listen);
        let level = self.needed("log.level", level);
        let json = self.needed("log.format", log_format);
        if let (Some(topics), Some(template)) =
            (kafka.as_ref().map(|it| &it.topics), &dead_letter_topic)
        {
            for topic in
                topics.iter().filter(|topic| topics.contains(&template.replace("{topic}", topic)))
            {
                let message = format!("the dead letters of {topic} would be read as events again");
                self.fault("dead_letter.topic", &message);
            }
        }
        if let (Some(bytes), Some(budget)) = (bytes, budget)
            && bytes.checked_mul(2).is_none_or(|two| two > budget)
        {
            self.fault(
                "memory.budget",
                "below two times batch.max_bytes: one batch fills while another is stored",
            );
        }
        Some(Settings {
            store: store?,
            kafka: kafka?,
            dead_letter_topic: dead_letter_topic?,
            batch: BatchLimits { events: events?, bytes: bytes?, linger: linger? },
            budget: budget?,
            fetch_queue: fetch_queue?,
            commit_interval: commit_interval?,
            startup_timeout: startup_timeout?,
            drain_timeout: drain_timeout?,
            unready_after: unready_after?,
            lag_interval: lag_interval?,
            http: http?,
            log: LogSettings { level: level?, json: json? },
        })
    }

    fn kafka(&mut self) -> Option<KafkaSettings> {
        let brokers = self.needed("kafka.brokers", values::list);
        let topics = self.needed("kafka.topics", topics);
        let group = self.needed("kafka.group", values::text);
        let tls = self.tls();
        let sasl = self.sasl();
        let given = std::mem::take(&mut self.layers.properties);
        let mut properties = BTreeMap::new();
        for (name, value) in given {
            if let Err(reason) = crate::kafka::check_property(&name, &value.text) {
                self.layers.faults.push(format!("{}: {reason}", value.origin));
            }
            properties.insert(name, value.text);
        }
        Some(KafkaSettings {
            brokers: brokers?.join(","),
            topics: topics?,
            group: group?,
            tls,
            sasl,
            properties,
        })
    }

    fn tls(&mut self) -> Option<TlsSettings> {
        let enabled = self.needed("kafka.security.tls.enabled", values::boolean)?;
        let ca_file = self.readable_file("kafka.security.tls.ca_file");
        let cert_file = self.readable_file("kafka.security.tls.cert_file");
        let key_file = self.readable_file("kafka.security.tls.key_file");
        let key_password = self.secret_file("kafka.security.tls.key_password_file");
        let identity = match (cert_file, key_file) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (Some(_), None) => {
                self.goes_with("kafka.security.tls.cert_file", "kafka.security.tls.key_file");
                None
            }
            (None, Some(_)) => {
                self.goes_with("kafka.security.tls.key_file", "kafka.security.tls.cert_file");
                None
            }
            (None, None) => None,
        };
        if identity.is_none() && key_password.is_some() {
            self.goes_with("kafka.security.tls.key_password_file", "kafka.security.tls.key_file");
        }
        let is_spoken = enabled || ca_file.is_some() || identity.is_some();
        is_spoken.then_some(TlsSettings { ca_file, identity, key_password })
    }

    fn sasl(&mut self) -> Option<SaslSettings> {
        let mechanism = self.optional("kafka.security.sasl.mechanism", mechanism);
        let username = self.optional("kafka.security.sasl.username", values::text);
        let password = self.secret_file("kafka.security.sasl.password_file");
        const KEYS: [&str; 3] = [
            "kafka.security.sasl.mechanism",
            "kafka.security.sasl.username",
            "kafka.security.sasl.password_file",
        ];
        let first = KEYS.iter().find(|key| self.layers.given.contains_key(*key))?;
        for key in KEYS
            .iter()
            .filter(|key| !self.layers.given.contains_key(*key))
            .copied()
            .collect::<Vec<_>>()
        {
            self.goes_with(first, key);
        }
        Some(SaslSettings { mechanism: mechanism?, username: username?, password: password? })
    }

    fn needed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.layers.given.contains_key(key) {
            if self.layers.lacks_file {
                return None;
            }
            let names = definition(key).map(|it| (it.flag(), it.variable())).unwrap_or_default();
            let message = format!(
                "{key} is missing: set it in the file, with --{} or with {}",
                names.0, names.1
            );
            self.layers.faults.push(message);
            return None;
        }
        self.optional(key, parse)
    }

    fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let given = self.layers.given.get(key)?;
        match parse(&given.text) {
            Ok(value) => Some(value),
            Err(reason) => {
                // The address of a store may hold a password, so its own message tells enough.
                let text =
                    if key == STORE { String::new() } else { format!(" is {:?}", given.text) };
                let fault = format!("{}{text}: {reason}", given.name(key));
                self.layers.faults.push(fault);
                None
            }
        }
    }

    fn readable_file(&mut self, key: &'static str) -> Option<PathBuf> {
        self.optional(key, |path| match std::fs::File::open(path) {
            Ok(_) => Ok(PathBuf::from(path)),
            Err(error) => Err(format!("the file cannot be read: {error}")),
        })
    }

    fn secret_file(&mut self, key: &'static str) -> Option<Secret> {
        self.optional(key, |path| match std::fs::read_to_string(path) {
            Ok(text) => match text.trim_end_matches(['\r', '\n']) {
                "" => Err("the file is empty".to_owned()),
                secret => Ok(Secret(secret.to_owned())),
            },
            Err(error) => Err(format!("the file cannot be read: {error}")),
        })
    }

    fn goes_with(&mut self, key: &str, other: &str) {
        let name = self.layers.given.get(key).map(|given| given.name(key)).unwrap_or_default();
        self.layers.faults.push(format!("{name} is set, so {other} has to be set too"));
    }

    fn fault(&mut self, key: &'static str, message: &str) {
        let name = self.layers.given.get(key).map(|given| given.name(key)).unwrap_or_default();
        self.layers.faults.push(format!("{name}: {message}"));
    }
}

fn topics(text: &str) -> Result<Vec<String>, String> {
    let topics = values::list(text)?;
    topics.iter().try_for_each(|topic| check_topic(topic))?;
    Ok(topics)
}

fn topic_template(text: &str) -> Result<String, String> {
    check_topic(&text.replace("{topic}", "topic"))?;
    Ok(text.to_owned())
}

/// Kafka's own rule for the names of topics. A `^` would make librdkafka take it for a pattern.
fn check_topic(topic: &str) -> Result<(), String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-');
    if topic.is_empty()
        || topic.len() > 249
        || !topic.chars().all(fits)
        || topic == "."
        || topic == ".."
    {
        return Err(format!(
            "{topic:?} is no topic: it has 1 to 249 letters, digits, dots, underscores and hyphens"
        ));
    }
    Ok(())
}

fn store_address(text: &str) -> Result<StoreAddress, String> {
    text.parse().map_err(|error: StoreAddressError| match error {
        StoreAddressError::Cassandra { .. } => error.to_string(),
        _ => format!("{error}; a store is sqlite:PATH or cassandra://HOST:PORT/KEYSPACE"),
    })
}

fn mechanism(text: &str) -> Result<String, String> {
    match text {
        "SCRAM-SHA-512" | "SCRAM-SHA-256" | "PLAIN" => Ok(text.to_owned()),
        _ => Err("none of SCRAM-SHA-512, SCRAM-SHA-256, PLAIN".to_owned()),
    }
}

fn listen(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    let address = text.parse().map_err(|_| "not an address such as 0.0.0.0:9464, nor off");
    Ok(Some(address?))
}

fn level(text: &str) -> Result<tracing::Level, String> {
    match text {
        "error" => Ok(tracing::Level::ERROR),
        "warn" => Ok(tracing::Level::WARN),
        "info" => Ok(tracing::Level::INFO),
        "debug" => Ok(tracing::Level::DEBUG),
        _ => Err("none of error, warn, info, debug".to_owned()),
    }
}

fn log_format(text: &str) -> Result<Option<bool>, String> {
    match text {
        "auto" => Ok(None),
        "text" => Ok(Some(false)),
        "json" => Ok(Some(true)),
        _ => Err("none of auto, text, json".to_owned()),
    }
}

/// The value of a property as it may be shown.
fn shown_property<'a>(name: &str, value: &'a str) -> &'a str {
    if is_secret_property(name) { "***" } else { value }
}
