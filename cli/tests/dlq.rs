//! `statetrail dlq` against a real Kafka.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, Timestamp, TopicPartitionList};
use statetrail_servers::Kafka;
use statetrail_sink::dead_letter::{Cause, with_cause};

/// Long enough for a machine that is busy with other tests.
const WITHIN: Duration = Duration::from_secs(120);

fn statetrail(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_statetrail")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "test");
    config
}

/// Topics of this test's own.
fn topics(brokers: &str, test: &str) -> (String, String) {
    let name = format!("{test}-{}", std::process::id());
    let letters = format!("{name}.dead-letter");
    let admin: AdminClient<DefaultClientContext> = config(brokers).create().unwrap();
    let new = |name| NewTopic::new(name, 1, TopicReplication::Fixed(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(WITHIN));
    let made = [new(&name), new(&letters)];
    let made = runtime.block_on(admin.create_topics(&made, &options)).unwrap();
    made.into_iter().for_each(|result| drop(result.unwrap()));
    (name, letters)
}

/// The letter that the sink would send for a message of that topic.
fn letter(topic: &str, offset: i64, key: &str, value: Option<&str>, kind: &str) -> OwnedMessage {
    let own = OwnedHeaders::new().insert(Header { key: "trace", value: Some("t-1") });
    let value = value.map(|value| value.as_bytes().to_vec());
    let time = Timestamp::CreateTime(0);
    let key = Some(key.as_bytes().to_vec());
    let message = OwnedMessage::new(value, key, topic.to_owned(), time, 0, offset, Some(own));
    let error = format!("no good: {kind}");
    let cause = Cause { error: &error, kind, failed_at: "2026-11-22T10:00:00Z" };
    with_cause(message, &cause)
}

fn produce(brokers: &str, topic: &str, messages: &[OwnedMessage]) {
    let producer: BaseProducer = config(brokers).create().unwrap();
    for message in messages {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
        (record.key, record.payload) = (message.key(), message.payload());
        record.headers = message.headers().cloned();
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(WITHIN).unwrap();
}

fn consume(brokers: &str, topic: &str, count: usize) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = config(brokers).create().unwrap();
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&place).unwrap();
    let deadline = Instant::now() + WITHIN;
    let mut messages = Vec::new();
    while messages.len() < count {
        assert!(Instant::now() < deadline, "only {} of {count}", messages.len());
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            messages.push(message.detach());
        }
    }
    messages
}

#[test]
fn letters_are_listed_shown_and_sent_back() {
    let kafka = Kafka::shared().unwrap();
    let (topic, letters) = topics(kafka.brokers(), "dlq");
    let sent = [
        letter(&topic, 4, "shop/order/o-1", Some("{\"a\": 1}"), "time"),
        letter(&topic, 5, "shop/order/o-2", None, "no-value"),
        letter(&topic, 9, "shop/order/o-3", Some("third"), "time"),
    ];
    produce(kafka.brokers(), &letters, &sent);
    let ask = |arguments: &[&str]| {
        let place = ["--brokers", kafka.brokers(), "--topic", &letters];
        statetrail(&[&["dlq"], arguments, &place].concat())
    };

    let listed = ask(&["ls", "--output", "jsonl"]);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let views: Vec<serde_json::Value> =
        text(&listed.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(views.len(), 3);
    assert_eq!(views[1]["letter"], "0:1");
    assert_eq!(views[1]["kind"], "no-value");
    assert_eq!(views[1]["key"], "shop/order/o-2");
    assert_eq!(views[1]["error"], "no good: no-value");
    assert_eq!(views[1]["failed_at"], "2026-11-22T10:00:00Z");
    assert_eq!(views[1]["origin"]["topic"], *topic);
    assert_eq!(views[1]["origin"]["offset"], 5);
    let by_kind = text(&ask(&["ls", "--kind", "time"]).stdout);
    assert!(by_kind.contains("o-3") && !by_kind.contains("o-2"), "{by_kind}");
    assert_eq!(ask(&["ls", "--kind", "nothing"]).status.code(), Some(3));

    let shown = text(&ask(&["show", "0:0"]).stdout);
    for part in ["{\"a\": 1}", "trace: t-1", "no good: time", "offset 4"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(ask(&["show", "0:77"]).status.code(), Some(3));

    let none = ask(&["replay"]);
    assert_eq!(none.status.code(), Some(2), "nothing is sent back by accident");
    let replayed = ask(&["replay", "--kind", "time", "--output", "json"]);
    let view: serde_json::Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!((view["sent"].as_u64(), replayed.status.code()), (Some(2), Some(0)));
    let some = ask(&["replay", "0:1", "0:77"]);
    assert_eq!(some.status.code(), Some(1));
    let told = text(&some.stdout);
    assert!(told.starts_with("1 sent back\n0:77 not sent: there is no such letter"), "{told}");
    let back = consume(kafka.brokers(), &topic, 3);
    let values: Vec<_> = back.iter().map(|it| it.payload().map(text)).collect();
    assert_eq!(values, [Some("{\"a\": 1}".to_owned()), Some("third".to_owned()), None]);
    let headers: Vec<_> = back[0]
        .headers()
        .unwrap()
        .iter()
        .map(|it| (it.key.to_owned(), text(it.value.unwrap())))
        .collect();
    let expected = [("trace", "t-1"), ("statetrail-replayed", "1")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn what_is_not_there_is_told_in_one_line() {
    let kafka = Kafka::shared().unwrap();
    for (brokers, topic, code, told) in [
        ("127.0.0.1:1", "x", 6, "no broker of 127.0.0.1:1 answers"),
        (kafka.brokers(), "nowhere", 6, "topic nowhere is missing"),
        (kafka.brokers(), "no topic", 2, "is no topic"),
    ] {
        let output = statetrail(&["dlq", "ls", "--brokers", brokers, "--topic", topic]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(told) && error.lines().count() == 1, "{error}");
    }
    let missing = statetrail(&["dlq", "ls", "--brokers", "b:1"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("--topic is missing"));
}
