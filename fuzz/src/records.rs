//! Records that Fluent Bit hands to the filter.

use serde::de::IgnoredAny;
use statetrail_event::cloudevents::read;
use statetrail_filter::{Filter, Mode, Reply};
use statetrail_rules::RuleText;

const RULES: &str = "
namespaces: [shop]
redact: ['card=<_>', {json: secret}]
rules:
  - name: text
    match: 'order <order> <what>'
    continue: true
    emit:
      - {entity: order/<order>, event: <what>, set: {line: '<what:quoted>'}}
  - name: again
    match: 'order <order> <what:rest>'
    emit: [{entity: order/<order>, event: again, set: {rest: <what>}}]
  - name: json
    match: {json: {msg: <msg>, n: <n>}}
    emit: [{entity: message/<n>, event: sent, set: {text: <msg>, n: <n>}, unset: [old]}]
";

const TAG: &[u8] = b"kube.var.log.containers.checkout-6f9c_shop_app-\
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";

fn filter() -> Filter {
    let mut filter = Filter::default();
    let file = RuleText { name: "shop.yaml".to_owned(), text: RULES.to_owned() };
    let faults = filter.reload(&[file]);
    assert!(faults.is_empty(), "{}", faults[0]);
    filter
}

/// A record as it comes with `event_format json`.
pub fn json_records(record: &[u8]) {
    if first_byte_of_map(record) {
        return;
    }
    let mut filter = filter();
    if let Some(reply) = filter.process(Mode::Events, TAG, 7, 8, record).text() {
        check_sent(reply);
    }
    let reply = filter.process(Mode::Annotate, TAG, 7, 8, record);
    assert_ne!(reply, Reply::Drop, "annotate drops a record");
    if let Some(reply) = reply.text() {
        let text = std::str::from_utf8(reply).expect("a reply is UTF-8");
        assert!(text.trim_start().starts_with('{') && !text.contains('\0'), "{text}");
        read_json(text);
    }
    check_counters(&filter);
}

/// A record as it comes with `event_format msgpack`.
pub fn msgpack_records(record: &[u8]) {
    // As in JSON, the first byte tells; any other byte is a matter of the JSON target.
    let record = &[&[0x80 | (record.len() % 16) as u8], record].concat();
    let mut filter = filter();
    for mode in [Mode::Events, Mode::Annotate] {
        let reply = filter.process(mode, TAG, 7, 8, record).text();
        let reply = reply.expect("nothing else is to be said in MessagePack");
        assert!(first_byte_of_map(reply) && !reply.contains(&0), "{}", reply.escape_ascii());
        let mut rest = reply;
        let read: Result<IgnoredAny, _> = rmp_serde::from_read(&mut rest);
        assert!(read.is_ok() || is_too_deep(reply), "{}", reply.escape_ascii());
        assert!(rest.is_empty() || read.is_err(), "{}", reply.escape_ascii());
    }
    check_counters(&filter);
}

/// The dedicated stream: an entity's full name as the key, and its events.
fn check_sent(reply: &[u8]) {
    let reply: serde_json::Value = serde_json::from_slice(reply).expect("a reply is JSON");
    let events = reply["event"].as_str().expect("the events are a text");
    let events = read(events.as_bytes()).expect("the events are CloudEvents");
    assert_eq!(reply["key"].as_str(), Some(events[0].entity.as_str()));
    assert_eq!(reply.as_object().map(serde_json::Map::len), Some(2));
}

/// Deep nesting is JSON, only not for serde_json.
fn read_json(text: &str) {
    if let Err(fault) = serde_json::from_str::<IgnoredAny>(text) {
        assert!(fault.to_string().contains("recursion limit"), "{fault}: {text}");
    }
}

/// Deep nesting is MessagePack, only not for rmp-serde.
fn is_too_deep(reply: &[u8]) -> bool {
    reply.len() > 500
}

fn first_byte_of_map(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf))
}

/// Every record is counted once.
fn check_counters(filter: &Filter) {
    let counters = filter.counters();
    let told = counters.matched
        + counters.unmatched
        + counters.out_of_scope
        + counters.failed
        + counters.oversized
        + counters.without_line
        + counters.unreadable;
    assert_eq!(counters.records, told, "{counters:?}");
    assert_eq!(counters.records, 2);
}
