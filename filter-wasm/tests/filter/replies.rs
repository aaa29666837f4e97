//! What Fluent Bit gets back for an ordinary record.

use serde_json::{Value, json};
use statetrail_event::cloudevents;
use statetrail_rules::RuleText;

use crate::corpus::{Record, TIME, container_tag, folder};
use crate::guest::{ANNOTATE, EVENTS, Guest, Handover, Reply};
use crate::wasm;

const RULES: &str = r"
namespaces: [shop]
containers: [app]
rules:
  - name: paid
    match: 'order <order> paid <amount:number>'
    emit:
      - {entity: order/<order>, event: paid, set: {amount: <amount>}}
      - {entity: payment/<order>, event: accepted}
    samples:
      - line: 'order o-1 paid 5'
        events:
          - {entity: order/o-1, event: paid, set: {amount: 5}}
          - {entity: payment/o-1, event: accepted}
  - name: shipped
    match: 'order <order> shipped'
    emit: [{entity: order/<order>, event: shipped}]
    samples:
      - line: 'order o-1 shipped'
        events: [{entity: order/o-1, event: shipped}]
";

fn start() -> Guest {
    let rules = RuleText { name: "shop.yaml".to_owned(), text: RULES.to_owned() };
    let folder = folder(&[rules]);
    Guest::start(&wasm::module().wasm, Some(folder.path())).expect("the filter starts")
}

fn call(guest: &mut Guest, function: &str, record: &Record, handover: Handover) -> Reply {
    let bytes = match handover {
        Handover::MessagePack => &record.msgpack,
        Handover::Json | Handover::JsonCounted => &record.json,
    };
    guest.call(function, &record.tag, record.time, bytes, handover).expect("no record traps")
}

fn json(reply: &Reply) -> Value {
    let Reply::Text(text) = reply else { panic!("no text: {reply:?}") };
    serde_json::from_slice(text).expect("replies are JSON")
}

fn msgpack(reply: &Reply) -> Value {
    let Reply::Text(text) = reply else { panic!("no text: {reply:?}") };
    rmp_serde::from_slice(text).expect("replies are MessagePack")
}

fn subjects(events: &str) -> Vec<String> {
    let events = cloudevents::read(events.as_bytes()).expect("the events are CloudEvents");
    events.iter().map(|event| event.entity.to_string()).collect()
}

#[test]
fn the_dedicated_stream_gets_key_and_event() {
    let mut guest = start();
    let tag = container_tag("shop", "checkout-1", "app");
    for handover in [Handover::Json, Handover::JsonCounted, Handover::MessagePack] {
        for (line, expected) in [
            ("order o-7 shipped", vec!["shop/order/o-7"]),
            ("order o-7 paid 5", vec!["shop/order/o-7", "shop/payment/o-7"]),
            ("order \"\\\u{e9} shipped", vec!["shop/order/\"\\\u{e9}"]),
        ] {
            let record = Record::new(&tag, TIME, &json!({"log": line, "stream": "stdout"}));
            let reply = call(&mut guest, EVENTS, &record, handover);
            let reply =
                if handover == Handover::MessagePack { msgpack(&reply) } else { json(&reply) };
            let members = reply.as_object().expect("a record is a map");
            assert_eq!(members.len(), 2);
            assert_eq!(members["key"], expected[0]);
            let events = members["event"].as_str().expect("the event is a text");
            assert_eq!(subjects(events), expected);
        }
    }
}

#[test]
fn events_say_where_and_when() {
    let mut guest = start();
    let fields = json!({
        "log": "order o-7 shipped\n", "offset": 17, "file": "/var/log/x.log",
        "kubernetes": {
            "namespace_name": "shop", "pod_name": "checkout-1", "container_name": "app",
            "host": "node-3",
        },
    });
    let record = Record::new("kube.anything", TIME, &fields);
    let reply = json(&call(&mut guest, EVENTS, &record, Handover::Json));
    let events = cloudevents::read(reply["event"].as_str().expect("a text").as_bytes())
        .expect("the event is a CloudEvent");
    let [event] = events.as_slice() else { panic!("one event: {events:?}") };
    assert_eq!(event.source.uri, "/shop/checkout-1/app");
    assert_eq!(event.source.node.as_deref(), Some("node-3"));
    assert_eq!(event.source.file.as_deref(), Some("/var/log/x.log"));
    assert_eq!(event.offset, Some(17));
    assert_eq!(event.time.nanos(), i64::from(TIME.0) * 1_000_000_000 + i64::from(TIME.1));
    assert_eq!(event.line.as_deref(), Some("order o-7 shipped"));
    assert_eq!(event.rule.as_deref(), Some("shop.yaml/shipped"));
}

#[test]
fn annotated_records_keep_everything() {
    let mut guest = start();
    let tag = container_tag("shop", "checkout-1", "app");
    for (line, expected) in [("order o-7 shipped", 1), ("order o-7 paid 5", 2)] {
        let fields = json!({"n": [1, {"a": null}], "log": line, "z": "\u{1f600}\"\n", "f": 1.5});
        let record = Record::new(&tag, TIME, &fields);
        let Reply::Text(text) = call(&mut guest, ANNOTATE, &record, Handover::Json) else {
            panic!("{line} is annotated");
        };
        let before = &record.json[..record.json.len() - 1];
        assert!(text.starts_with(before), "the record stays as it is, byte by byte");
        let events = &json(&Reply::Text(text))["statetrail"];
        assert_eq!(events.as_array().map(Vec::len), Some(expected));
        assert_eq!(subjects(&events.to_string()).len(), expected);

        let fields = json!({"log": line, "n": [1, {"a": null}]});
        let record = Record::new(&tag, TIME, &fields);
        let reply = msgpack(&call(&mut guest, ANNOTATE, &record, Handover::MessagePack));
        assert_eq!(reply["n"], fields["n"]);
        assert_eq!(reply["log"], line);
        let events = reply["statetrail"].as_str().expect("in MessagePack the events are a text");
        assert_eq!(subjects(events).len(), expected);
    }
}

#[test]
fn records_without_events_are_dropped_or_passed() {
    let mut guest = start();
    let ours = container_tag("shop", "checkout-1", "app");
    let other_container = container_tag("shop", "checkout-1", "proxy");
    let other_namespace = container_tag("other", "checkout-1", "app");
    for (tag, fields) in [
        (&ours, json!({"log": "nothing of interest"})),
        (&ours, json!({"log": ""})),
        (&ours, json!({"log": 5})),
        (&ours, json!({})),
        (
            &ours,
            json!({"log": "order o-7 shipped", "kubernetes": {
            "namespace_name": "other", "pod_name": "p", "container_name": "app"}}),
        ),
        (&other_container, json!({"log": "order o-7 shipped"})),
        (&other_namespace, json!({"log": "order o-7 shipped"})),
    ] {
        let record = Record::new(tag, TIME, &fields);
        assert_eq!(call(&mut guest, EVENTS, &record, Handover::Json), Reply::Null, "{fields}");
        assert_eq!(call(&mut guest, ANNOTATE, &record, Handover::Json), Reply::Input, "{fields}");
        let dropped = msgpack(&call(&mut guest, EVENTS, &record, Handover::MessagePack));
        assert_eq!(dropped, json!({"statetrail": "drop"}));
        let passed = msgpack(&call(&mut guest, ANNOTATE, &record, Handover::MessagePack));
        assert_eq!(passed, fields);
    }
}

#[test]
fn what_messagepack_cannot_return_is_said_in_its_place() {
    let mut guest = start();
    let tag = container_tag("shop", "checkout-1", "app");
    let sixteen: Value =
        (0..16).map(|n| (format!("k{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    for (fields, line) in [
        (json!({"log": "order o-7 shipped", "zero": 0}), Some("order o-7 shipped")),
        (json!({"log": "a\u{0}b"}), None),
        (sixteen, None),
    ] {
        let record = Record::new(&tag, TIME, &fields);
        let reply = msgpack(&call(&mut guest, ANNOTATE, &record, Handover::MessagePack));
        let said = reply["statetrail_error"].as_str().expect("it is said");
        assert!(said.contains("event_format json"), "{said}");
        assert_eq!(reply["log"].as_str(), line);
        assert_eq!(reply["statetrail_events"].is_string(), line.is_some());
    }
}

#[test]
fn every_length_of_an_event_can_be_sent_in_messagepack() {
    let mut guest = start();
    let tag = container_tag("shop", "checkout-1", "app");
    for length in (0..600).chain(65_000..65_010) {
        let line = format!("order o-7 shipped{}", "x".repeat(length));
        let record = Record::new(&tag, TIME, &json!({"log": line}));
        let reply = msgpack(&call(&mut guest, EVENTS, &record, Handover::MessagePack));
        let events = reply["event"].as_str().expect("an event");
        assert_eq!(subjects(events), ["shop/order/o-7"], "{length}");
    }
    let line = format!("order o-7 shipped{}", "x".repeat(70_000));
    let record = Record::new(&tag, TIME, &json!({"log": line}));
    let reply = msgpack(&call(&mut guest, EVENTS, &record, Handover::MessagePack));
    assert_eq!(reply, json!({"statetrail": "drop"}), "no length beyond 65,535 is without zeros");
}

#[test]
fn messagepack_is_advised_against_once() {
    let mut guest = start();
    let record = Record::new("x", TIME, &json!({"log": "a"}));
    call(&mut guest, EVENTS, &record, Handover::Json);
    assert_eq!(guest.log(), "");
    for _ in 0..3 {
        call(&mut guest, EVENTS, &record, Handover::MessagePack);
    }
    assert_eq!(guest.log().matches("event_format json").count(), 1, "{}", guest.log());
}

#[test]
fn plain_files_take_the_namespace_of_the_rules() {
    let mut guest = start();
    let mut ids = Vec::new();
    for time in [TIME, TIME, (TIME.0 + 1, 0)] {
        let record = Record::new("host.app", time, &json!({"log": "order o-7 shipped"}));
        let reply = json(&call(&mut guest, EVENTS, &record, Handover::Json));
        assert_eq!(reply["key"], "shop/order/o-7");
        let events = cloudevents::read(reply["event"].as_str().expect("a text").as_bytes())
            .expect("the event is a CloudEvent");
        assert_eq!(events[0].source.uri, "/shop");
        ids.push(events[0].id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "equal lines of one moment are different events");
}

#[test]
fn memory_stays_as_it_is() {
    let mut guest = start();
    let big = Record::new("host.app", TIME, &json!({"log": "x".repeat(1_000_000)}));
    let mut after_first_round = None;
    for round in 0..5 {
        for number in 0..1_000 {
            let tag = container_tag("shop", &format!("pod-{}", number % 100), "app");
            let record = Record::new(&tag, TIME, &json!({"log": "order o-7 paid 5"}));
            call(&mut guest, EVENTS, &record, Handover::Json);
            call(&mut guest, ANNOTATE, &record, Handover::Json);
        }
        call(&mut guest, ANNOTATE, &big, Handover::Json);
        let bytes = guest.memory_bytes();
        assert_eq!(*after_first_round.get_or_insert(bytes), bytes, "round {round}");
    }
}
