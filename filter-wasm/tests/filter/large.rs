//! Lines of which the events would be larger than a message of Kafka may be.

use serde_json::{Value, json};
use statetrail_filter::MAX_EVENTS_BYTES;
use statetrail_filter_host::check_readable;
use statetrail_rules::RuleText;

use crate::corpus::{Record, TIME, container_tag, folder};
use crate::guest::{ANNOTATE, EVENTS, Guest, Handover, Reply};
use crate::wasm;

/// What the shipped configurations set, with room for what Kafka's client writes around a message.
const MESSAGE_BYTES: usize = (8 << 20) - 1_024;

const RULES: &str = r"
namespaces: [shop]
rules:
  - name: said
    match: 'order <order> said <text:rest>'
    emit:
      - {entity: order/<order>, event: said, set: {text: <text>}}
      - {entity: word/<order>, event: said, set: {text: <text>, again: <text>, 'both': '<text>, <text>'}}
      - {entity: note/<order>, event: said, set: {a: <text>, b: <text>, c: <text>, d: '<text> <text>'}}
      - {entity: last/<order>, event: said}
    samples:
      - line: 'order o-1 said x'
        events:
          - {entity: order/o-1, event: said, set: {text: x}}
          - {entity: word/o-1, event: said, set: {text: x, again: x, both: 'x, x'}}
          - {entity: note/o-1, event: said, set: {a: x, b: x, c: x, d: 'x x'}}
          - {entity: last/o-1, event: said}
";

fn start() -> Guest {
    let folder = folder(&[RuleText { name: "shop.yaml".to_owned(), text: RULES.to_owned() }]);
    Guest::start(&wasm::module().wasm, Some(folder.path())).expect("the filter starts")
}

/// The events that an answer holds; none if the record was dropped or passed as it came.
fn events(function: &str, reply: &Reply) -> Vec<Value> {
    let Reply::Text(text) = reply else { return Vec::new() };
    let reply: Value = serde_json::from_slice(text).expect("replies are JSON");
    let events = match function {
        EVENTS => {
            let message = reply["event"].as_str().expect("a text");
            assert!(message.len() <= MESSAGE_BYTES, "{} bytes", message.len());
            serde_json::from_str(message).expect("events are JSON")
        }
        // As out_kafka writes it, at the worst.
        _ => {
            let text = reply.to_string();
            let written = text.chars().map(|c| if c.is_ascii() { 1 } else { c.len_utf16() * 6 });
            assert!(written.sum::<usize>() <= MESSAGE_BYTES);
            reply["statetrail"].clone()
        }
    };
    events.as_array().cloned().unwrap_or_else(|| vec![events])
}

#[test]
fn what_kafka_would_refuse_counts_as_failed() {
    let mut guest = start();
    let tag = container_tag("shop", "p", "app");
    let mut seen = [false; 5];
    for letter in ["x", "\"", "\\", "\n", "\u{1}", "\u{e9}", "\u{20ac}", "\u{1f600}"] {
        for bytes in [10, 60_000, 400_000, 1_048_000] {
            let text = letter.repeat(bytes / letter.len());
            let record =
                Record::new(&tag, TIME, &json!({"log": format!("order o-1 said {text}.")}));
            for function in [EVENTS, ANNOTATE] {
                let reply = guest
                    .call(function, &tag, TIME, &record.json, Handover::Json)
                    .expect("no record traps");
                check_readable(function, &record.json, &reply);
                let Reply::Text(text) = &reply else {
                    assert!(bytes > 10, "{function} {letter:?}");
                    continue;
                };
                assert!(text.len() <= MAX_EVENTS_BYTES + 1_024, "{function}: {}", text.len());
                let events = events(function, &reply);
                assert!(bytes > 10 || events.len() == 4, "{function} {letter:?}");
                seen[events.len()] = true;
            }
        }
    }
    assert!(seen[1..].iter().filter(|seen| **seen).count() > 1, "some events fit: {seen:?}");
    // What was exceptional leaves nothing behind.
    let record = Record::new(&tag, TIME, &json!({"log": "order o-1 said hello"}));
    let reply = guest.call(EVENTS, &tag, TIME, &record.json, Handover::Json);
    assert_eq!(events(EVENTS, &reply.expect("no record traps")).len(), 4);
}
