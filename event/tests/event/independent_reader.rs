//! The public CloudEvents SDK reads what we write, and we read what it writes.

use std::sync::Arc;

use cloudevents::{AttributesReader, Data, EventBuilder, EventBuilderV10};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use statetrail_event::cloudevents::{read, write_batch};
use statetrail_event::{Change, Event, Source};

use crate::generate;

/// An event as our own filter makes it: the SDK checks that the source is a URI reference and
/// that extensions are texts.
fn event() -> impl Strategy<Value = Event> {
    let source = (generate::name(), generate::name(), generate::name());
    (generate::event(), source).prop_map(|(mut event, (namespace, pod, container))| {
        Arc::make_mut(&mut event.source).uri = Source::container_uri(&namespace, &pod, &container);
        event
    })
}

fn same(theirs: &cloudevents::Event, ours: &Event) {
    assert_eq!(theirs.id(), ours.id.to_string());
    assert_eq!(theirs.source().as_str(), ours.source.uri);
    assert_eq!(theirs.ty(), format!("{}.{}", ours.entity.entity_type(), ours.name));
    assert_eq!(theirs.subject(), Some(ours.entity.subject()));
    assert_eq!(theirs.datacontenttype(), Some("application/json"));
    let time = theirs.time().unwrap();
    assert_eq!(
        i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos()),
        i128::from(ours.time.nanos())
    );
    let extension = |key: &str| theirs.extension(key).map(ToString::to_string);
    assert_eq!(extension("namespace").as_deref(), Some(ours.entity.namespace()));
    assert_eq!(extension("seq"), Some(ours.seq.to_string()));
    assert_eq!(extension("rule").as_deref(), ours.rule.as_deref());
    assert_eq!(extension("node"), ours.source.node);
    assert_eq!(extension("file"), ours.source.file);
    assert_eq!(extension("offset"), ours.offset.map(|offset| offset.to_string()));
    let data = match theirs.data() {
        Some(Data::Json(data)) => data.clone(),
        None => json!({}),
        Some(other) => panic!("data is not JSON: {other:?}"),
    };
    for Change { field, value } in &ours.changes {
        match value {
            Some(value) => {
                assert_eq!(data["set"][&**field], serde_json::to_value(value).unwrap());
            }
            None => assert!(data["unset"].as_array().unwrap().contains(&json!(field))),
        }
    }
    assert_eq!(data["line"].as_str(), ours.line.as_deref());
}

proptest! {
    #[test]
    fn the_sdk_reads_what_we_write(events in vec(event(), 1..4)) {
        let mut json = Vec::new();
        write_batch(&mut json, &events);
        let theirs: Vec<cloudevents::Event> = if events.len() == 1 {
            vec![serde_json::from_slice(&json).unwrap()]
        } else {
            serde_json::from_slice(&json).unwrap()
        };
        prop_assert_eq!(theirs.len(), events.len());
        for (theirs, ours) in theirs.iter().zip(&events) {
            same(theirs, ours);
        }
    }

    /// Through the SDK and back, nothing of an event changes.
    #[test]
    fn we_read_what_the_sdk_writes_of_ours(event in event()) {
        let mut json = Vec::new();
        write_batch(&mut json, std::slice::from_ref(&event));
        let theirs: cloudevents::Event = serde_json::from_slice(&json).unwrap();
        let mut again = read(&serde_json::to_vec(&theirs).unwrap()).unwrap().remove(0);
        again.changes.sort_by(|a, b| a.field.cmp(&b.field));
        let mut wanted = event;
        wanted.changes.sort_by(|a, b| a.field.cmp(&b.field));
        prop_assert_eq!(again, wanted);
    }
}

#[test]
fn we_read_an_event_that_the_sdk_built() {
    let theirs = EventBuilderV10::new()
        .id("0001")
        .source("https://example.com/billing")
        .ty("invoice.sent")
        .subject("invoice/2026-17")
        .time("2026-11-22T12:00:00+02:00")
        .extension("namespace", "shop")
        .extension("seq", 12)
        .data("application/json", json!({"set": {"status": "sent"}, "unset": ["draft"]}))
        .build()
        .unwrap();
    let events = read(&serde_json::to_vec(&theirs).unwrap()).unwrap();
    let [event] = events.as_slice() else { panic!("one event, not {events:?}") };
    assert_eq!(event.entity.as_str(), "shop/invoice/2026-17");
    assert_eq!(event.name, "sent");
    assert_eq!(event.time.to_string(), "2026-11-22T10:00:00Z");
    assert_eq!(event.seq, 12);
    assert_eq!(event.changes, [Change::set("status", "sent"), Change::unset("draft")]);
}
