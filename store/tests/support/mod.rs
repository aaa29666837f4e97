//! Events for the tests of the SQLite store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use statetrail_event::{Change, EntityName, Event, EventId, Source, Time};
use statetrail_store::KnownEvent;

/// The `number`-th event of a trail, one millisecond after the one before.
pub(crate) fn event(entity: &EntityName, number: u64) -> KnownEvent {
    let time = Time::from_nanos(number as i64 * 1_000_000);
    let event = Event {
        id: EventId(u128::from(number).to_be_bytes()),
        entity: entity.clone(),
        name: "counted".into(),
        time,
        seq: 0,
        changes: vec![
            Change::set("number", number as i64),
            Change::set(format!("field-{}", number % 5), "x"),
        ],
        source: Source { uri: "/shop/stock-1/app".into(), ..Source::default() }.into(),
        offset: Some(number * 100),
        rule: Some("shop.yaml/counted".into()),
        line: Some(format!("line {number} of {entity}")),
    };
    KnownEvent { event, known_at: Time::from_nanos(time.nanos() + 1) }
}

/// The entity `shop/stock/sku-NUMBER`.
pub(crate) fn stock(number: u64) -> EntityName {
    EntityName::new("shop", "stock", &format!("sku-{number}")).unwrap()
}

/// The `number`-th batch of a stream: each has the next event of that many entities.
pub(crate) fn batch(number: u64, entities: u64) -> Vec<KnownEvent> {
    (0..entities).map(|entity| event(&stock(entity), number)).collect()
}
