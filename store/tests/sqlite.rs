//! What only the SQLite store has: its file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use pollster::block_on;
use statetrail_event::{Change, EntityName, Event, EventId, Source, Time};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{Appended, EventStore, KnownEvent};

fn paid(seconds: i64) -> KnownEvent {
    let event = Event {
        id: EventId([seconds as u8; 16]),
        entity: EntityName::new("shop", "order", "o-1042").unwrap(),
        name: "paid".into(),
        time: Time::from_seconds(seconds, 0).unwrap(),
        seq: 0,
        changes: vec![Change::set("status", "paid")],
        source: Source { uri: "/shop/checkout-1/app".into(), ..Source::default() },
        offset: Some(17),
        rule: Some("shop.yaml/paid".into()),
        line: Some("order o-1042 paid".into()),
    };
    KnownEvent { event, known_at: Time::from_seconds(seconds + 1, 0).unwrap() }
}

#[test]
fn what_was_appended_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let batch = [paid(1), paid(2)];
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(block_on(store.append(&batch)).unwrap(), Appended { new: 2, repeated: 0 });
    drop(store);

    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(block_on(store.append(&batch)).unwrap(), Appended { new: 0, repeated: 2 });
    let trail = block_on(store.trail(&batch[0].event.entity, &Default::default())).unwrap();
    assert_eq!(trail, batch);
}
