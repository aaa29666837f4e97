//! What rests longer than its kind usually does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::Arc;

use pollster::block_on;
use statetrail_event::{Change, Event, EventId, Source, Time};
use statetrail_query::resting;
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{EventStore, Kind, KnownEvent};

const SECOND: i64 = 1_000_000_000;

fn change(order: u64, seconds: i64, field: &str, value: &str) -> KnownEvent {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&order.to_be_bytes());
    id[8..].copy_from_slice(&seconds.to_be_bytes());
    let time = Time::from_nanos(seconds * SECOND);
    let event = Event {
        id: EventId(id),
        entity: format!("shop/order/o-{order:03}").parse().unwrap(),
        name: value.to_owned(),
        time,
        seq: 0,
        changes: vec![Change::set(field, value)],
        source: Arc::new(Source::default()),
        offset: None,
        rule: None,
        line: None,
    };
    KnownEvent { event, known_at: time }
}

/// Forty orders that are paid within 1 to 40 s and stay delivered for good, and those of the test.
fn stuck(others: &[KnownEvent], at: i64) -> Vec<(String, String, i64, i64)> {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("trail.db")).unwrap();
    for order in 0..40 {
        let paid = order as i64 + 1;
        let events = [
            change(order, 0, "status", "placed"),
            change(order, paid, "status", "paid"),
            change(order, paid + 100, "status", "delivered"),
        ];
        block_on(store.append(&events)).unwrap();
    }
    block_on(store.append(others)).unwrap();
    let kind = Kind { namespace: "shop".to_owned(), entity_type: "order".to_owned() };
    let found = block_on(resting(&store, &kind, Time::from_nanos(at * SECOND), 10)).unwrap();
    let told = found.into_iter().map(|resting| {
        let name = resting.name.id().to_owned();
        (name, resting.state, resting.rests / SECOND, resting.usual / SECOND)
    });
    told.collect()
}

#[test]
fn who_rests_longer_than_nineteen_of_twenty_is_told_and_who_is_at_the_end_is_not() {
    let placed = change(900, 500, "status", "placed");
    // 38 of 40 went on within 38 s.
    assert_eq!(stuck(std::slice::from_ref(&placed), 538), []);
    let told = [("o-900".to_owned(), "placed".to_owned(), 39, 38)];
    assert_eq!(stuck(std::slice::from_ref(&placed), 539), told);
    // The longest by what is usual first: paid orders go on within 100 s.
    let paid = [change(901, 100, "status", "placed"), change(901, 110, "status", "paid")];
    let both = [&[placed][..], &paid].concat();
    let names: Vec<String> = stuck(&both, 600).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["o-901", "o-900"]);
}

#[test]
fn who_has_just_done_something_else_is_not_stuck() {
    let events =
        [change(900, 500, "status", "placed"), change(900, 590, "note", "the customer called")];
    assert_eq!(stuck(&events, 600), []);
    assert_eq!(stuck(&events, 700).len(), 1);
}

#[test]
fn a_field_with_very_many_values_tells_no_state() {
    let many: Vec<KnownEvent> =
        (0..300).map(|order| change(1_000 + order, 50, "status", &format!("s{order}"))).collect();
    assert_eq!(stuck(&many, 10_000), []);
}
