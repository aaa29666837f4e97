//! What a person types, and the one entity that it means.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use pollster::block_on;
use statetrail_event::{EntityName, Event, EventId, Source, Time};
use statetrail_query::{QueryError, resolve};
use statetrail_store::suite::Model;
use statetrail_store::{EventStore, KnownEvent};

const NAMES: [&str; 9] = [
    "shop/order/o-1",
    "shop/order/o-1042",
    "shop/order/o-1043",
    "shop/payment/p-77",
    "shop/refund/o-1043",
    "test/order/o-2000",
    "debian/package/libc6:amd64",
    "debian/file/usr/bin/ls",
    "a/package/libc6:amd64-dev",
];

fn store_with(names: &[String]) -> Model {
    let store = Model::default();
    let batch: Vec<KnownEvent> = names.iter().map(|name| known(name.parse().unwrap())).collect();
    block_on(store.append(&batch)).unwrap();
    store
}

fn known(entity: EntityName) -> KnownEvent {
    let event = Event {
        id: EventId([1; 16]),
        entity,
        name: "seen".into(),
        time: Time::from_nanos(1),
        seq: 0,
        changes: Vec::new(),
        source: Source::default().into(),
        offset: None,
        rule: None,
        line: None,
    };
    KnownEvent { event, known_at: Time::from_nanos(2) }
}

#[test]
fn a_part_that_fits_one_entity_means_it() {
    let store = store_with(&NAMES.map(str::to_owned));
    let cases = [
        ("shop/order/o-1042", "shop/order/o-1042"),
        ("order/o-1043", "shop/order/o-1043"),
        ("o-1", "shop/order/o-1"),
        ("o-1042", "shop/order/o-1042"),
        ("p-", "shop/payment/p-77"),
        ("o-2", "test/order/o-2000"),
        ("usr/bin/ls", "debian/file/usr/bin/ls"),
        ("file/usr/bin/ls", "debian/file/usr/bin/ls"),
        ("bin/ls", "debian/file/usr/bin/ls"),
        ("libc6:amd64", "debian/package/libc6:amd64"),
        ("test/", "test/order/o-2000"),
        ("77", "shop/payment/p-77"),
    ];
    for (text, name) in cases {
        let found = block_on(resolve(&store, text)).unwrap();
        assert_eq!(found.as_str(), name, "{text:?}");
    }
}

#[test]
fn a_part_that_fits_several_entities_names_them() {
    let store = store_with(&NAMES.map(str::to_owned));
    let cases: [(&str, &[&str]); 3] = [
        ("o-1043", &["shop/order/o-1043", "shop/refund/o-1043"]),
        ("o-104", &["shop/order/o-1042", "shop/order/o-1043", "shop/refund/o-1043"]),
        ("package", &["a/package/libc6:amd64-dev", "debian/package/libc6:amd64"]),
    ];
    for (text, names) in cases {
        let error = block_on(resolve(&store, text)).unwrap_err();
        let QueryError::Ambiguous { candidates, more, .. } = &error else {
            panic!("{text:?}: {error}");
        };
        let candidates: Vec<_> = candidates.iter().map(EntityName::as_str).collect();
        assert_eq!((candidates.as_slice(), *more), (names, false), "{text:?}");
        assert!(names.iter().all(|name| error.to_string().contains(name)), "{error}");
    }
}

#[test]
fn many_candidates_are_cut_short() {
    let names: Vec<String> = (0..40).map(|n| format!("shop/order/o-{n:02}")).collect();
    let store = store_with(&names);
    let error = block_on(resolve(&store, "o-")).unwrap_err();
    let QueryError::Ambiguous { candidates, more, .. } = &error else { panic!("{error}") };
    assert_eq!((candidates.len(), *more), (10, true));
    assert!(error.to_string().contains("more than 10"), "{error}");
}

#[test]
fn what_fits_nothing_is_an_error_that_repeats_it() {
    let store = store_with(&NAMES.map(str::to_owned));
    for text in ["o-9", "shop/order/o-9", "größe", "a//b", "/", "100%", "_"] {
        let error = block_on(resolve(&store, text)).unwrap_err();
        assert!(matches!(error, QueryError::NoSuchEntity { .. }) || text == "/", "{error}");
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
}
