//! Every setting, once: the names in the file, of flags and of variables, the defaults and the
//! help all come from this list.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its key in the file, dots between tables.
    pub key: &'static str,
    /// What holds when nobody says anything; `None` if there is no such value.
    pub default: Option<&'static str>,
    /// What its value is, for help.
    pub value: &'static str,
    /// What it does, for help.
    pub help: &'static str,
}

/// What the names of environment variables begin with.
pub const VARIABLE_PREFIX: &str = "STATETRAIL_SINK_";
/// The table whose keys are librdkafka's own.
pub const PROPERTIES: &str = "kafka.properties";

/// The settings, in the order of help.
pub const DEFINITIONS: [Definition; 26] = [
    needed("store", "ADDRESS", "Where events go: sqlite:PATH or cassandra://HOST[:PORT]/KEYSPACE"),
    needed("kafka.brokers", "HOST:PORT,...", "The brokers to ask first"),
    needed("kafka.topics", "NAME,...", "The topics to read"),
    with("kafka.group", "statetrail-sink", "NAME", "The consumer group"),
    with("kafka.security.tls.enabled", "false", "BOOL", "Speak TLS; a ca_file turns it on as well"),
    optional(
        "kafka.security.tls.ca_file",
        "PATH",
        "Certificates to trust, PEM [default: the system's]",
    ),
    optional("kafka.security.tls.cert_file", "PATH", "The sink's own certificate, PEM"),
    optional("kafka.security.tls.key_file", "PATH", "The key of its certificate, PEM"),
    optional("kafka.security.tls.key_password_file", "PATH", "A file with the key's password"),
    optional("kafka.security.sasl.mechanism", "NAME", "SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN"),
    optional("kafka.security.sasl.username", "NAME", "Who logs in"),
    optional("kafka.security.sasl.password_file", "PATH", "A file with the password"),
    with(
        "dead_letter.topic",
        "{topic}.dead-letter",
        "NAME",
        "Where messages go that cannot be stored; {topic} stands for theirs",
    ),
    with("batch.max_events", "12000", "NUMBER", "A batch is full with so many events"),
    with("batch.max_bytes", "6MiB", "SIZE", "A batch is full with so many bytes of messages"),
    with("batch.linger", "200ms", "DURATION", "A batch that is not full is stored after that time"),
    with(
        "memory.budget",
        "12MiB",
        "SIZE",
        "Bytes of messages read and not yet stored; above, reading pauses",
    ),
    with("commit_interval", "1s", "DURATION", "How often offsets are committed"),
    with(
        "startup_timeout",
        "60s",
        "DURATION",
        "How long to wait at the start for servers that do not answer",
    ),
    with(
        "drain_timeout",
        "20s",
        "DURATION",
        "How long to finish what was read when asked to stop, or when a partition is taken away",
    ),
    with(
        "unready_after",
        "10s",
        "DURATION",
        "Not ready once Kafka, the store or the dead-letter topic has been away for so long",
    ),
    with(
        "http.listen",
        "0.0.0.0:9464",
        "ADDRESS",
        "Where /metrics and /health answer; off for nowhere",
    ),
    with(
        "lag_interval",
        "10s",
        "DURATION",
        "How often Kafka is asked where its topics end, for the lag",
    ),
    with("log.level", "info", "LEVEL", "error, warn, info or debug"),
    with("log.format", "auto", "FORMAT", "text, json, or auto: text on a terminal, else json"),
    with(
        "memory.fetch_queue",
        "2MiB",
        "SIZE",
        "Bytes of messages that Kafka's client fetches ahead",
    ),
];

const fn needed(key: &'static str, value: &'static str, help: &'static str) -> Definition {
    optional(key, value, help)
}

const fn optional(key: &'static str, value: &'static str, help: &'static str) -> Definition {
    Definition { key, default: None, value, help }
}

const fn with(
    key: &'static str,
    default: &'static str,
    value: &'static str,
    help: &'static str,
) -> Definition {
    Definition { key, default: Some(default), value, help }
}

impl Definition {
    /// The name of its flag, without the hyphens before it.
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// The name of its environment variable.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.key.replace('.', "_").to_uppercase())
    }
}

/// The setting with that key.
pub fn definition(key: &str) -> Option<&'static Definition> {
    DEFINITIONS.iter().find(|definition| definition.key == key)
}

/// Properties of librdkafka that are not the user's to set, and why.
const REFUSED: [(&str, &str); 28] = [
    ("bootstrap.servers", "say it with kafka.brokers"),
    ("metadata.broker.list", "say it with kafka.brokers"),
    ("group.id", "say it with kafka.group"),
    ("security.protocol", "it follows from kafka.security"),
    ("sasl.mechanism", "say it with kafka.security.sasl.mechanism"),
    ("sasl.mechanisms", "say it with kafka.security.sasl.mechanism"),
    ("sasl.username", "say it with kafka.security.sasl.username"),
    ("sasl.password", "name a file with kafka.security.sasl.password_file"),
    ("ssl.ca.location", "say it with kafka.security.tls.ca_file"),
    ("ssl.certificate.location", "say it with kafka.security.tls.cert_file"),
    ("ssl.key.location", "say it with kafka.security.tls.key_file"),
    ("ssl.key.password", "name a file with kafka.security.tls.key_password_file"),
    ("enable.auto.commit", COMMITS),
    ("auto.commit.enable", COMMITS),
    ("auto.commit.interval.ms", "say it with commit_interval"),
    ("enable.auto.offset.store", COMMITS),
    ("offset.store.method", COMMITS),
    ("auto.offset.reset", "a new group begins with the first message, so that nothing is left out"),
    ("allow.auto.create.topics", "a missing topic is an error, not a new topic"),
    ("partition.assignment.strategy", "partitions are handed over one by one (cooperative-sticky)"),
    ("enable.idempotence", LETTERS),
    ("acks", LETTERS),
    ("request.required.acks", LETTERS),
    ("queued.max.messages.kbytes", "say it with memory.fetch_queue"),
    ("transactional.id", "dead letters are sent one by one"),
    ("batch.num.messages", "dead letters are sent one by one"),
    ("group.protocol", "the sink needs to know when partitions come and go (classic)"),
    ("max.in.flight.requests.per.connection", LETTERS),
];
const COMMITS: &str = "the sink itself commits an offset once its events are stored";
const LETTERS: &str = "a dead letter counts as delivered only when every replica has it";

/// Why a property of librdkafka is refused, if it is.
pub fn refused_property(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, reason)| *reason)
}

/// Whether a property of librdkafka is a secret, not to be shown.
pub fn is_secret_property(name: &str) -> bool {
    ["password", "secret", ".pem", "sasl.oauthbearer.config"].iter().any(|it| name.contains(it))
}

/// The word of a list that is nearest to a word that is in none, if any is near.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|it| (strsim::jaro_winkler(word, it), it));
    let best = near.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 > 0.8).then_some(best.1)
}
