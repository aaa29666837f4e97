//! Events of other producers: what is taken, and what is refused with which words.

use serde_json::{Value as Json, json};
use statetrail_event::cloudevents::{Reader, read};
use statetrail_event::{Change, EventId, MAX_SEQ, Value};

/// An event of another producer with no more than it must have.
fn plain() -> Json {
    json!({
        "specversion": "1.0",
        "id": "A234-1234-1234",
        "source": "/shop/billing",
        "type": "com.example.order.paid",
        "subject": "order/o-1042",
        "time": "2026-11-22T10:00:00Z",
    })
}

/// The event with one attribute changed, or taken out where the value is `null`.
fn with(key: &str, value: Json) -> Json {
    let mut event = plain();
    match value {
        Json::Null => {
            event.as_object_mut().unwrap().remove(key);
        }
        value => event[key] = value,
    }
    event
}

fn refusal(event: &Json) -> String {
    read(&serde_json::to_vec(event).unwrap()).unwrap_err().to_string()
}

#[test]
fn the_least_that_an_event_must_have_is_taken() {
    let events = read(&serde_json::to_vec(&plain()).unwrap()).unwrap();
    let [event] = events.as_slice() else { panic!("one event, not {events:?}") };
    assert_eq!(event.entity.as_str(), "shop/order/o-1042");
    assert_eq!(event.name, "com.example.order.paid");
    assert_eq!(event.id, EventId::from_foreign("/shop/billing", "A234-1234-1234"));
    assert_eq!(event.time.to_string(), "2026-11-22T10:00:00Z");
    assert_eq!((event.seq, event.offset), (0, None));
    assert_eq!((event.changes.len(), &event.line, &event.rule), (0, &None, &None));
    assert_eq!(event.source.uri, "/shop/billing");
}

#[test]
fn everything_that_an_event_may_have_is_taken() {
    let mut event = plain();
    event["namespace"] = json!("other");
    event["type"] = json!("order.paid");
    event["seq"] = json!(7);
    event["offset"] = json!(MAX_SEQ.to_string());
    event["unknown"] = json!({"kept": "out"});
    event["data"] = json!({
        "set": {"a": "x", "b": 1, "c": 1.0, "d": true, "e": 18_446_744_073_709_551_615_u64},
        "unset": ["f"],
        "more": [1, 2],
    });
    let events = read(&serde_json::to_vec(&json!([event, plain()])).unwrap()).unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].entity.namespace(), "other");
    assert_eq!(events[0].name, "paid");
    assert_eq!((events[0].seq, events[0].offset), (7, Some(MAX_SEQ)));
    let number = |number: f64| Value::Number(statetrail_event::Finite::new(number).unwrap());
    assert_eq!(
        events[0].changes,
        [
            Change::set("a", "x"),
            Change::set("b", 1),
            Change::set("c", number(1.0)),
            Change::set("d", true),
            // Too large for a whole number of 64 bits with a sign.
            Change::set("e", number(18_446_744_073_709_551_615.0)),
            Change::unset("f"),
        ]
    );
}

#[test]
fn no_events_and_space_around_them_are_taken() {
    assert_eq!(read(b"[]").unwrap(), []);
    assert_eq!(read(b" \n\t[ ] \r\n").unwrap(), []);
    let spaced = format!("\n {} \n", serde_json::to_string_pretty(&plain()).unwrap());
    assert_eq!(read(spaced.as_bytes()).unwrap().len(), 1);
}

#[test]
fn every_refusal_says_why() {
    let long = "x".repeat(257);
    let cases = [
        (with("specversion", json!("0.3")), r#"specversion is "0.3", statetrail reads 1.0"#.into()),
        (
            with("time", json!("yesterday")),
            r#"time "yesterday": not an RFC 3339 time such as 2026-11-22T10:00:00Z"#.into(),
        ),
        (
            with("time", json!("2026-02-30T10:00:00Z")),
            r#"time "2026-02-30T10:00:00Z": no such date or time of day"#.into(),
        ),
        (
            with("time", json!("1066-10-14T09:00:00Z")),
            r#"time "1066-10-14T09:00:00Z": outside the years 1678 to 2261"#.into(),
        ),
        (
            with("subject", json!("o-1042")),
            r#"an entity is named namespace/type/id, got "shop/o-1042""#.into(),
        ),
        (with("subject", json!("order/")), "the id of an entity's name is empty".into()),
        (with("namespace", json!("")), "the namespace of an entity's name is empty".into()),
        (with("namespace", json!("a/b")), "the namespace of an entity's name holds '/'".into()),
        (
            with("source", json!("https://example.com")),
            "no namespace: neither the extension `namespace` nor a source of the form \
             /namespace/..."
                .into(),
        ),
        (
            with("source", json!("//example.com/shop")),
            "no namespace: neither the extension `namespace` nor a source of the form \
             /namespace/..."
                .into(),
        ),
        (with("data", json!({"status": "paid"})), "data has none of set, unset and line".into()),
        (
            with("type", json!("order.")),
            r#"type "" is empty, longer than 256 bytes or holds a control character"#.into(),
        ),
        (
            with("type", json!(long)),
            format!(
                r#"type "{}" is empty, longer than 256 bytes or holds a control character"#,
                &long[..80]
            ),
        ),
        (
            with("data", json!({"set": {"a\nb": 1}})),
            r#"field "a\nb" is empty, longer than 256 bytes or holds a control character"#.into(),
        ),
        (
            with("data", json!({"unset": [""]})),
            r#"field "" is empty, longer than 256 bytes or holds a control character"#.into(),
        ),
        (
            with("data", json!({"set": {"a": 1}, "unset": ["a"]})),
            r#"field "a" stands twice in one event"#.into(),
        ),
    ];
    for (event, message) in cases {
        assert_eq!(refusal(&event), message, "{event}");
    }
}

/// What is no CloudEvent of a form that we know is refused with the place.
#[test]
fn every_fault_of_form_says_where() {
    let cases = [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("null", "invalid type: null, expected a CloudEvent as an object at line 1 column 4"),
        ("5", "invalid type: integer `5`, expected a CloudEvent as an object at line 1 column 1"),
        ("[5]", "invalid type: integer `5`, expected a CloudEvent as an object at line 1 column 2"),
        ("[[]]", "invalid length 0, expected a CloudEvent as an object at line 1 column 3"),
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("{}", "missing field `specversion` at line 1 column 2"),
        (r#"{"id":1}"#, "invalid type: integer `1`, expected a string at line 1 column 7"),
        (r#"{"id":"1","id":"2"}"#, "duplicate field `id` at line 1 column 14"),
        (
            r#"{"data":5}"#,
            "invalid type: integer `5`, expected an object with set, unset or line at line 1 column 9",
        ),
        (
            r#"{"data":{"set":5}}"#,
            "invalid type: integer `5`, expected an object of fields and their values at line 1 column 16",
        ),
        (
            r#"{"data":{"set":{"a":null}}}"#,
            "invalid type: null, expected a text, a number, true or false at line 1 column 24",
        ),
        (
            r#"{"data":{"set":{"a":[1]}}}"#,
            "invalid type: sequence, expected a text, a number, true or false at line 1 column 21",
        ),
        (r#"{"data":{"set":{"a":1e999}}}"#, "number out of range at line 1 column 25"),
        (
            r#"{"data":{"unset":"a"}}"#,
            r#"invalid type: string "a", expected a sequence at line 1 column 20"#,
        ),
        (
            r#"{"data":{"line":5}}"#,
            "invalid type: integer `5`, expected a string at line 1 column 17",
        ),
        (
            r#"{"seq":"-1"}"#,
            r#"invalid value: string "-1", expected a whole number from 0 to 9223372036854775807 at line 1 column 11"#,
        ),
        (
            r#"{"seq":-1}"#,
            r#"invalid type: integer `-1`, expected a whole number from 0 to 9223372036854775807 at line 1 column 9"#,
        ),
        (
            r#"{"seq":1.5}"#,
            r#"invalid type: floating point `1.5`, expected a whole number from 0 to 9223372036854775807 at line 1 column 10"#,
        ),
        (
            r#"{"seq":"9223372036854775808"}"#,
            r#"invalid value: string "9223372036854775808", expected a whole number from 0 to 9223372036854775807 at line 1 column 28"#,
        ),
        (
            r#"{"offset":9223372036854775808}"#,
            r#"invalid value: integer `9223372036854775808`, expected a whole number from 0 to 9223372036854775807 at line 1 column 29"#,
        ),
        (
            r#"{"offset":""}"#,
            r#"invalid value: string "", expected a whole number from 0 to 9223372036854775807 at line 1 column 12"#,
        ),
        (r#"{"id":"\ud800"}"#, "unexpected end of hex escape at line 1 column 14"),
    ];
    for (text, message) in cases {
        let refusal = read(text.as_bytes()).unwrap_err().to_string();
        let cause = refusal.strip_prefix("not a CloudEvent that statetrail can store: ");
        assert_eq!(cause, Some(message), "{text}");
    }
}

/// The same event in binary mode and in structured mode is the same event.
#[test]
fn attributes_and_data_give_the_event_that_one_object_gives() {
    let mut structured = plain();
    structured["namespace"] = json!("other");
    structured["seq"] = json!("7");
    structured["rule"] = json!("f/r");
    structured["node"] = json!("n1");
    structured["datacontenttype"] = json!("application/json");
    structured["traceparent"] = json!("00-1");
    let attributes = structured.as_object().unwrap().clone();
    let attributes =
        attributes.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    let data = json!({"set": {"a": 1}, "unset": ["b"], "line": "x"});
    structured["data"] = data.clone();

    let mut events = Vec::new();
    let data = serde_json::to_vec(&data).unwrap();
    Reader::default().read_binary(attributes, Some(&data), &mut events).unwrap();
    assert_eq!(events, read(&serde_json::to_vec(&structured).unwrap()).unwrap());
    assert_eq!((events[0].seq, events[0].changes.len()), (7, 2));
}

#[test]
fn a_reader_s_events_share_their_sources_and_rules() {
    let mut reader = Reader::default();
    let mut events = Vec::new();
    for source in ["/shop/a/b", "/shop/a/c", "/shop/a/b"] {
        let mut event = with("source", json!(source));
        event["rule"] = json!("f/r");
        reader.read(&serde_json::to_vec(&event).unwrap(), &mut events).unwrap();
    }
    assert!(std::sync::Arc::ptr_eq(&events[0].source, &events[2].source));
    assert_eq!(events[1].source.uri, "/shop/a/c");
    let rules: Vec<_> = events.iter().map(|event| event.rule.as_ref().unwrap().as_ptr()).collect();
    assert!(rules[0] == rules[1] && rules[1] == rules[2]);
}

#[test]
fn a_batch_with_a_fault_leaves_nothing_behind() {
    let batch = json!([plain(), with("time", json!("noon"))]);
    let mut events = Vec::new();
    let error = Reader::default().read(&serde_json::to_vec(&batch).unwrap(), &mut events);
    assert_eq!(error.unwrap_err().kind(), "time");
    assert!(events.is_empty());
}
