//! Events that differ in everything that matters, from a number.

use std::sync::Arc;

use statetrail_event::cloudevents::write_batch;
use statetrail_event::{Change, EntityName, Event, LineIdentity, Source, Time, Value, seq_of};

/// 2026-11-22T10:00:00Z.
const START_NANOS: i64 = 1_795_341_600_000_000_000;

/// The event with that number: about 400 bytes as JSON. A quarter of them are about one entity,
/// the others about a few hundred of two kinds; ten thousand of them happen within an hour.
pub(crate) fn event(number: u64) -> Event {
    let uri = Source::container_uri("shop", &format!("checkout-{}", number % 7), "app");
    // Some events of an entity share their time, so that their order is a matter of seq and id.
    let time = Time::from_nanos(START_NANOS + (number / 12) as i64 * 4_000_000_007);
    let seq = seq_of(number, 0);
    let entity = match number % 8 {
        0 | 4 => EntityName::new("shop", "order", "o-busy"),
        1 => EntityName::new("depot", "parcel", &format!("p-{}", number % 50)),
        _ => EntityName::new("shop", "order", &format!("o-{}", number % 300)),
    };
    let entity = entity.unwrap();
    let line =
        format!("{entity} step {number} of a trail that is long enough to be like a log line");
    let identity = LineIdentity::new(LineIdentity::source_hash(&uri), time, line.as_bytes());
    let mut changes = vec![
        Change::set("status", format!("s{}", number % 5).as_str()),
        Change::set("step", i64::try_from(number).unwrap()),
        Change::set("even", number.is_multiple_of(2)),
        Change::set(format!("part-{}", number % 11), format!("by {number}").as_str()),
    ];
    if number % 4 == 1 {
        changes.push(Change::unset("method"));
    } else {
        changes.push(Change { field: "method".into(), value: Some(Value::text("card")) });
    }
    Event {
        id: identity.event_id(seq),
        entity,
        name: "moved".to_owned(),
        time,
        seq,
        changes,
        source: Arc::new(Source { uri, node: Some("node-1".to_owned()), file: None }),
        offset: Some(number * 100),
        rule: Some(Arc::from("shop.yaml/moved")),
        line: Some(line),
    }
}

/// The events with those numbers.
pub(crate) fn events(numbers: impl IntoIterator<Item = u64>) -> Vec<Event> {
    numbers.into_iter().map(event).collect()
}

/// The value of a message with these events.
pub(crate) fn message(events: &[Event]) -> Vec<u8> {
    let mut value = Vec::new();
    write_batch(&mut value, events);
    value
}

/// The numbers in an order that looks like none and is always the same.
pub(crate) fn shuffled(mut numbers: Vec<u64>) -> Vec<u64> {
    let mut state = 7_u64;
    for index in (1..numbers.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        numbers.swap(index, (state >> 33) as usize % (index + 1));
    }
    numbers
}
