//! What one version writes another one reads: samples of every version that was ever on the wire are
//! kept in `wire/`, and what a later filter may add does not keep an event out.
//!
//! Whoever changes what is written adds the new version's samples there, and changes none of the old ones.

use serde_json::{Value as Json, json};
use statetrail_event::cloudevents::{ReadError, Reader, read, write_batch};
use statetrail_event::{Change, Event, EventId, Finite, Source, Time, Value};

/// As version 0.1 writes them: an event with all that an event may have, and two of one line.
const WIRE_0_1: [&str; 2] =
    [include_str!("wire/0.1-event.json"), include_str!("wire/0.1-batch.json")];

fn full() -> Event {
    Event {
        id: EventId([0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 1, 2, 3, 4, 5, 6, 7, 8]),
        entity: "shop/order/o-1042".parse().unwrap(),
        name: "paid".into(),
        time: Time::from_nanos(1_795_341_787_000_000_123),
        seq: 3,
        changes: vec![
            Change::set("status", "paid"),
            Change::set("amount", Value::Number(Finite::new(12.5).unwrap())),
            Change::set("items", 3),
            Change::set("gift", true),
            Change::unset("problem"),
        ],
        source: Source {
            uri: "/shop/checkout-1/app".into(),
            node: Some("node-1".into()),
            file: Some("/var/log/containers/checkout-1.log".into()),
        }
        .into(),
        offset: Some(4_096),
        rule: Some("shop.yaml/payment-accepted".into()),
        line: Some("order o-1042 paid \"in full\"\t✓".into()),
    }
}

/// The second event of the same line: of another entity, with nothing but its name.
fn second() -> Event {
    let first = full();
    Event {
        id: EventId([0xff; 16]),
        entity: "shop/payment/p-1".parse().unwrap(),
        name: "accepted".into(),
        changes: Vec::new(),
        source: Source { uri: "/shop/checkout-1/app".into(), ..Source::default() }.into(),
        offset: None,
        rule: None,
        line: None,
        ..first
    }
}

fn of_0_1() -> [Vec<Event>; 2] {
    [vec![full()], vec![full(), second()]]
}

#[test]
fn every_version_on_the_wire_is_read() {
    for (wire, events) in WIRE_0_1.into_iter().zip(of_0_1()) {
        assert_eq!(read(wire.as_bytes()).unwrap(), events);
    }
}

#[test]
fn what_is_written_is_the_last_version() {
    for (wire, events) in WIRE_0_1.into_iter().zip(of_0_1()) {
        let mut written = Vec::new();
        write_batch(&mut written, &events);
        assert_eq!(String::from_utf8(written).unwrap(), wire.trim_end());
    }
}

/// A later filter may say more of an event than this version knows.
#[test]
fn what_a_later_version_adds_is_passed_over() {
    let later = r#""cluster":"eu-1","revision":7,"nested":{"a":[1,null]},
        "data":{"labels":{"tier":"gold"},"trace":["x"],"#;
    let wire = WIRE_0_1[0].replacen("\"data\":{", later, 1);
    assert_ne!(wire, WIRE_0_1[0]);
    assert_eq!(read(wire.as_bytes()).unwrap(), [full()]);

    let mut events = Vec::new();
    let attributes = [
        ("specversion", "1.0"),
        ("id", "A-1"),
        ("source", "/shop/checkout-1/app"),
        ("type", "order.paid"),
        ("subject", "order/o-1042"),
        ("time", "2026-11-22T10:03:07Z"),
        ("cluster", "eu-1"),
        ("datacontenttype", "application/json"),
    ];
    let data = br#"{"set": {"status": "paid"}, "labels": {}}"#;
    Reader::default().read_binary(attributes, Some(data), &mut events).unwrap();
    assert_eq!(events[0].changes, [Change::set("status", "paid")]);
}

/// What would change the meaning of what is read is refused instead.
#[test]
fn another_form_is_refused_by_name() {
    let mut wire: Json = serde_json::from_str(WIRE_0_1[0]).unwrap();
    wire["specversion"] = json!("2.0");
    let refused = read(wire.to_string().as_bytes()).unwrap_err();
    assert!(matches!(refused, ReadError::Version(_)), "{refused}");
    wire["specversion"] = json!("1.0");
    wire["data"] = json!({"add": {"amount": 1}});
    let refused = read(wire.to_string().as_bytes()).unwrap_err();
    assert!(matches!(refused, ReadError::NoChanges), "{refused}");
}
