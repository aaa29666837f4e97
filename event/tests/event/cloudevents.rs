//! CloudEvents: what is written is valid JSON without raw control characters, and is read back.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use statetrail_event::cloudevents::{
    Form, Prepared, read, write_batch, write_event, write_json_string, write_parts, write_parts_as,
};
use statetrail_event::{Change, Event, EventId, EventRef, Finite, Source, Time, TimeText, Value};

use crate::generate;

/// The event as it travels: what is set before what is unset.
fn in_wire_order(event: &Event) -> Event {
    let mut event = event.clone();
    event.changes.sort_by_key(|change| change.value.is_none());
    event
}

fn written(event: &Event) -> Vec<u8> {
    let mut out = Vec::new();
    write_event(&mut out, event);
    out
}

fn holds_control_character(json: &[u8]) -> bool {
    std::str::from_utf8(json).unwrap().bytes().any(|byte| byte < b' ')
}

proptest! {
    #[test]
    fn an_event_is_read_back_as_it_was_written(event in generate::event()) {
        let json = written(&event);
        prop_assert!(!holds_control_character(&json));
        let again = read(&json).unwrap();
        prop_assert_eq!(&again, &[in_wire_order(&event)]);
        // 0.0 and -0.0 are equal, but not the same.
        for (change, wanted) in again[0].changes.iter().zip(&in_wire_order(&event).changes) {
            if let (Some(Value::Number(number)), Some(Value::Number(wanted))) =
                (&change.value, &wanted.value)
            {
                prop_assert_eq!(number.get().to_bits(), wanted.get().to_bits());
            }
        }
    }

    #[test]
    fn a_batch_is_read_back_as_it_was_written(events in vec(generate::event(), 0..4)) {
        let mut json = Vec::new();
        write_batch(&mut json, &events);
        prop_assert!(!holds_control_character(&json));
        let parsed: Json = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(parsed.is_object(), events.len() == 1);
        let wanted: Vec<Event> = events.iter().map(in_wire_order).collect();
        prop_assert_eq!(read(&json).unwrap(), wanted);
    }

    /// Another reader of JSON sees the attributes that the documentation lists.
    #[test]
    fn the_attributes_are_where_the_documentation_says(event in generate::event()) {
        let json: Json = serde_json::from_slice(&written(&event)).unwrap();
        let mut wanted = json!({
            "specversion": "1.0",
            "id": event.id.to_string(),
            "source": event.source.uri,
            "type": format!("{}.{}", event.entity.entity_type(), event.name),
            "subject": format!("{}/{}", event.entity.entity_type(), event.entity.id()),
            "time": format!("{:.9}", jiff::Timestamp::from_nanosecond(i128::from(event.time.nanos())).unwrap()),
            "datacontenttype": "application/json",
            "namespace": event.entity.namespace(),
            "seq": event.seq.to_string(),
            "data": {},
        });
        let optional = [
            ("rule", event.rule.as_deref().map(str::to_owned)),
            ("node", event.source.node.clone()),
            ("file", event.source.file.clone()),
            ("offset", event.offset.map(|offset| offset.to_string())),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                wanted[key] = json!(value);
            }
        }
        for Change { field, value } in &event.changes {
            match value {
                Some(value) => wanted["data"]["set"][&**field] = serde_json::to_value(value).unwrap(),
                None => match &mut wanted["data"]["unset"] {
                    Json::Array(fields) => fields.push(json!(field)),
                    unset => *unset = json!([field]),
                },
            }
        }
        if let Some(line) = &event.line {
            wanted["data"]["line"] = json!(line);
        }
        if wanted["data"] == json!({}) {
            wanted.as_object_mut().unwrap().remove("data");
        }
        prop_assert_eq!(json, wanted);
    }

    /// However an event is written, another reader of JSON finds the same text.
    #[test]
    fn forms_and_prepared_parts_make_no_difference(
        events in vec(generate::event(), 1..4), nanos in vec(0..3_000_000_000_i64, 3),
    ) {
        let mut times = TimeText::default();
        for (event, nanos) in events.iter().zip(nanos) {
            let second = event.time.nanos() / 3_000_000_000 * 3_000_000_000;
            let time = Time::from_nanos(second.saturating_add(nanos));
            let event = Event { time, ..event.clone() };
            let (source, rule) = (Prepared::of_source(&event.as_ref()), Prepared::of_rule(&event.as_ref()));
            let time_text = *times.of(time);
            let prepared = EventRef {
                prepared_time: Some(&time_text),
                prepared_source: Some(&source),
                prepared_rule: Some(&rule),
                ..event.as_ref()
            };
            let plain = String::from_utf8(written(&event)).unwrap();
            for parts in [event.as_ref(), prepared] {
                for form in [Form::Plain, Form::Quoted] {
                    let mut out = Vec::new();
                    write_parts_as(form, &mut out, &parts, &mut |writer| {
                        for change in &event.changes {
                            writer(&change.field, change.value.as_ref().map(|value| value.as_ref()));
                        }
                    });
                    let text = String::from_utf8(out).unwrap();
                    let text = match form {
                        Form::Plain => text,
                        Form::Quoted => serde_json::from_str(&format!("\"{text}\"")).unwrap(),
                    };
                    prop_assert_eq!(&text, &plain);
                }
            }
        }
    }

    /// Lines of logs are bytes; what is not UTF-8 is replaced as Rust does it, nothing is lost.
    #[test]
    fn a_line_of_any_bytes_can_be_written(event in generate::event(), line in any::<Vec<u8>>()) {
        let mut json = Vec::new();
        let parts = statetrail_event::EventRef { line: Some(&line), ..event.as_ref() };
        write_parts(&mut json, &parts, &mut |_| {});
        prop_assert!(!holds_control_character(&json));
        let again = read(&json).unwrap();
        prop_assert_eq!(again[0].line.as_deref(), Some(&*String::from_utf8_lossy(&line)));
    }

    #[test]
    fn a_string_is_what_serde_json_reads(bytes in vec(prop_oneof![any::<u8>(), 0..b' ', Just(b'"'), Just(b'\\')], 0..40)) {
        let mut json = Vec::new();
        write_json_string(&mut json, &bytes);
        let text: String = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn an_event_has_this_form_on_the_wire() {
    let event = Event {
        id: EventId([0xab; 16]),
        entity: "shop/order/o-1042".parse().unwrap(),
        name: "paid".to_owned(),
        time: Time::parse_rfc3339("2026-11-22T10:00:00.5Z").unwrap(),
        seq: 257,
        changes: vec![
            Change::set("status", "paid"),
            Change::unset("reserved"),
            Change::set("amount", Value::Number(Finite::new(12.5).unwrap())),
            Change::set("items", 3),
            Change::set("gift", true),
        ],
        source: Source {
            uri: Source::container_uri("shop", "checkout-6f9c", "app"),
            node: Some("node-1".to_owned()),
            file: Some("/var/log/containers/a.log".to_owned()),
        }
        .into(),
        offset: Some(4096),
        rule: Some("shop.yaml/paid".into()),
        line: Some("order o-1042 \"paid\"\t\u{0}".to_owned()),
    };
    let expected = concat!(
        r#"{"specversion":"1.0","id":"abababababababababababababababab","#,
        r#""time":"2026-11-22T10:00:00.500000000Z","seq":"257","offset":"4096","#,
        r#""source":"/shop/checkout-6f9c/app","namespace":"shop","node":"node-1","#,
        r#""file":"/var/log/containers/a.log","rule":"shop.yaml/paid","#,
        r#""datacontenttype":"application/json","type":"order.paid","subject":"order/o-1042","#,
        r#""data":{"set":{"status":"paid","amount":12.5,"items":3,"gift":true},"#,
        r#""unset":["reserved"],"line":"order o-1042 \"paid\"\t\u0000"}}"#,
    );
    assert_eq!(String::from_utf8(written(&event)).unwrap(), expected);
}
