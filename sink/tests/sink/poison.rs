//! Messages that can never be stored, among good ones.

use std::slice;

use rdkafka::Message;
use rdkafka::message::{Headers, OwnedMessage};
use statetrail_event::{EntityName, Event};
use statetrail_servers::Kafka;

use crate::support::{
    Produced, Sink, SinkSettings, Store, Topic, assert_contents, assert_stored, dead_letters,
    event, events, known_millis, message, wait_until,
};

const FIVE_MB: usize = 5_000_000;

/// What stands between slashes, percents and quotes in one place ends a name in another.
const ODD_IDS: [&str; 6] =
    ["a/b//c/", "100%25%", "\u{e4}/\u{f6}?#\u{1f980}\"'", " ", "..", "'; --"];

fn header(message: &OwnedMessage, name: &str) -> Option<String> {
    let headers = message.headers()?;
    let header = headers.iter().find(|header| header.key == name)?;
    Some(String::from_utf8_lossy(header.value?).into_owned())
}

/// The event with one attribute replaced.
fn with(key: &str, value: serde_json::Value) -> Vec<u8> {
    let mut json: serde_json::Value = serde_json::from_slice(&message(&[event(1)])).unwrap();
    json[key] = value;
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn poison_among_good_messages_goes_to_its_own_topic_and_the_rest_flows() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::with(kafka.brokers(), "poison", 2, &[("max.message.bytes", "6000000")]);
    let store = Store::cassandra();
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store));

    let poison: Vec<(Option<Vec<u8>>, &str)> = vec![
        (Some(b"no JSON at all".to_vec()), "form"),
        (Some(b"{\"some\": \"json\"}".to_vec()), "form"),
        (Some(vec![0xff, 0xfe, 0x00]), "form"),
        (Some(Vec::new()), "form"),
        (None, "no-value"),
        (Some(with("id", 5.into())), "form"),
        (Some(with("specversion", "0.3".into())), "version"),
        (Some(with("time", "noon".into())), "time"),
        (Some(with("time", "9999-01-01T00:00:00Z".into())), "time"),
        (Some(with("time", "1500-01-01T00:00:00Z".into())), "time"),
        (Some(with("time", "2026-02-30T00:00:00Z".into())), "time"),
        (Some(with("time", "".into())), "time"),
        (Some(with("time", 5.into())), "form"),
        (Some(with("subject", "no-slash".into())), "entity"),
        (Some(with("subject", "order/a\u{7}b".into())), "entity"),
        (Some(with("subject", "order/line\nbreak".into())), "entity"),
        (Some(with("subject", "order/".into())), "entity"),
        (Some(with("subject", "".into())), "entity"),
        (Some(with("subject", ("order/".to_owned() + &"x".repeat(1025)).into())), "entity"),
        (Some(with("namespace", "a/b".into())), "entity"),
        (Some(with("data", serde_json::json!({"set": {"a": [1]}}))), "form"),
        (Some(with("data", serde_json::json!({"other": 1}))), "data"),
        (Some(with("seq", "-1".into())), "form"),
        (Some(vec![b'x'; FIVE_MB]), "form"),
    ];
    let mut good = Produced::default();
    let send = |good: &mut Produced, events: &[Event]| {
        for event in events {
            good.send(&topic, None, slice::from_ref(event), known_millis(event.seq));
        }
    };
    for (index, (value, _)) in poison.iter().enumerate() {
        let first = index as u64 * 100;
        send(&mut good, &events(first..first + 100));
        let key = format!("key-{index}");
        topic.send(Some(key.as_bytes()), value.as_deref(), &[("trace", "t-1")]);
    }
    // Names of odd characters and a long line are no poison.
    for (number, id) in (5000..).zip(ODD_IDS) {
        let mut odd = event(number);
        odd.entity = EntityName::new("shop", "o r%d", id).unwrap();
        send(&mut good, &[odd]);
    }
    let mut long = event(6000);
    long.line = Some("y".repeat(FIVE_MB));
    send(&mut good, &[long]);
    topic.flush();

    topic.wait_until_committed();
    assert_contents(&store, &good);
    let letters = dead_letters(&topic, poison.len());
    for (index, (value, kind)) in poison.iter().enumerate() {
        let key = format!("key-{index}");
        let letter = letters.iter().find(|it| it.key() == Some(key.as_bytes())).unwrap();
        assert_eq!(letter.payload(), value.as_deref(), "{kind}");
        assert_eq!(header(letter, "statetrail-error-kind").as_deref(), Some(*kind), "{index}");
        assert_eq!(header(letter, "trace").as_deref(), Some("t-1"));
        assert_eq!(header(letter, "statetrail-topic").as_deref(), Some(&*topic.name));
        for name in ["error", "partition", "offset", "timestamp", "failed-at"] {
            let value = header(letter, &format!("statetrail-{name}"));
            assert!(value.is_some_and(|value| !value.is_empty()), "{name}");
        }
    }
    wait_until("they are counted", || {
        sink.metric("sink_dead_letters_total") == poison.len() as f64
    });
    assert_eq!(sink.stop().code, Some(0));
}

/// It is an event, but longer than a request to Cassandra may be.
#[test]
fn a_line_that_cassandra_refuses_becomes_a_dead_letter() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::with(kafka.brokers(), "longest", 1, &[("max.message.bytes", "20000000")]);
    let store = Store::cassandra();
    let mut longest = event(1);
    longest.line = Some("y".repeat(17_000_000));
    topic.produce(&[event(0), longest.clone(), event(2)]);
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store));
    topic.wait_until_committed();
    assert_stored(&store, &[event(0), event(2)]);
    let letters = dead_letters(&topic, 1);
    assert!(letters[0].payload() == Some(&message(&[longest])), "it is not whole");
    assert_eq!(header(&letters[0], "statetrail-error-kind").as_deref(), Some("store"));
    assert_eq!(sink.stop().code, Some(0));
}

#[test]
fn events_of_others_are_stored_in_every_mode() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "modes", 1);
    let store = Store::sqlite();
    let structured = message(&[event(1)]);
    topic.send(None, Some(&structured), &[("content-type", "application/cloudevents+json")]);
    let attributes = [
        ("ce_specversion", "1.0"),
        ("ce_id", "A-1"),
        ("ce_source", "/billing/invoices"),
        ("ce_type", "invoice.sent"),
        ("ce_subject", "invoice/7"),
        ("ce_time", "2026-11-22T10:00:00Z"),
        ("ce_tracestate", "x"),
        ("content-type", "application/json"),
    ];
    topic.send(None, Some(br#"{"set": {"status": "sent"}}"#), &attributes);
    topic.flush();

    let _sink = Sink::start_ready(&SinkSettings::new(&topic, &store));
    wait_until("both are stored", || crate::support::stored(&store).len() == 2);
    let stored = crate::support::stored(&store);
    assert_eq!(stored[&event(1).id.0].event, event(1));
    let other = stored.values().find(|it| it.event.entity.namespace() == "billing").unwrap();
    assert_eq!(other.event.entity.as_str(), "billing/invoice/7");
    assert_eq!(other.event.name, "sent");
}

#[test]
fn a_dead_letter_topic_that_takes_less_gets_the_beginning() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::with(kafka.brokers(), "large", 1, &[("max.message.bytes", "6000000")]);
    let small = Topic::with(kafka.brokers(), "small", 1, &[("max.message.bytes", "100000")]);
    let store = Store::sqlite();
    topic.send(Some(b"long"), Some(&vec![b'x'; FIVE_MB]), &[]);
    topic.produce(&[event(1)]);
    let settings =
        SinkSettings::new(&topic, &store).with(&["--dead-letter-topic", &small.dead_letter_name()]);
    let _sink = Sink::start_ready(&settings);
    assert_stored(&store, &[event(1)]);
    let letters = dead_letters(&small, 1);
    assert_eq!(letters[0].payload().map(<[u8]>::len), Some(64 << 10));
    assert_eq!(header(&letters[0], "statetrail-truncated").as_deref(), Some("5000000"));
    topic.wait_until_committed();
}

/// Errors may quote what they complain about.
#[test]
fn a_long_mistake_is_told_in_short_and_the_letter_is_whole() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "quoted", 1);
    let store = Store::sqlite();
    let text = String::from_utf8(message(&[event(1)])).unwrap();
    let mut poison: serde_json::Value = serde_json::from_str(&text).unwrap();
    let long = "x".repeat(600_000);
    poison["data"] = long.as_str().into();
    topic.send(None, Some(poison.to_string().as_bytes()), &[]);
    topic.flush();
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store));
    topic.wait_until_committed();
    let letters = dead_letters(&topic, 1);
    assert!(letters[0].payload() == Some(poison.to_string().as_bytes()), "it is not whole");
    let error = header(&letters[0], "statetrail-error").unwrap();
    assert!(error.contains("not a CloudEvent") && error.len() < 1_100, "{} bytes", error.len());
    let stopped = sink.stop();
    assert!(!stopped.log.contains(&long[..2_000]), "the log quotes the message");
}

#[test]
fn many_small_letters_go_into_a_topic_that_takes_no_large_batch() {
    const LETTERS: usize = 300;
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "burst", 1);
    let narrow = Topic::with(kafka.brokers(), "narrow", 1, &[("max.message.bytes", "2000")]);
    let store = Store::sqlite();
    for _ in 0..LETTERS {
        topic.send(None, Some(b"poison"), &[]);
    }
    topic.flush();
    let settings = SinkSettings::new(&topic, &store)
        .with(&["--dead-letter-topic", &narrow.dead_letter_name()]);
    let _sink = Sink::start_ready(&settings);
    topic.wait_until_committed();
    assert_eq!(dead_letters(&narrow, LETTERS).len(), LETTERS);
}

#[test]
fn a_dead_letter_topic_that_is_away_holds_the_offset_back() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "held", 1);
    // No message is small enough for it.
    let closed = Topic::with(kafka.brokers(), "closed", 1, &[("max.message.bytes", "50")]);
    let store = Store::sqlite();
    let settings = SinkSettings::new(&topic, &store).with(&[
        "--dead-letter-topic",
        &closed.dead_letter_name(),
        "--unready-after=100ms",
        "--drain-timeout=1s",
    ]);
    topic.produce(&[event(1)]);
    topic.send(None, Some(b"poison"), &[]);
    topic.produce(&[event(2)]);
    let sink = Sink::start_ready(&settings);
    assert_stored(&store, &[event(1), event(2)]);
    wait_until("it tells", || sink.get("/health/readyz").is_some_and(|(status, _)| status == 503));
    wait_until("the first is committed", || topic.committed()[0].0 == 1);
    assert_eq!(sink.stop().code, Some(17));
    assert_eq!(topic.committed()[0].0, 1, "nothing behind the poison");

    let open = SinkSettings::new(&topic, &store);
    let sink = Sink::start_ready(&open);
    assert_eq!(dead_letters(&topic, 1)[0].payload(), Some(&b"poison"[..]));
    topic.wait_until_committed();
    assert_eq!(sink.stop().code, Some(0));
}
