//! What can only be provoked from inside: a full disk and a writer that does not give way.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pollster::block_on;
use statetrail_event::{Change, EntityName, Event, EventId, Source, Time};

use super::SqliteStore;
use super::append::Writer;
use super::batch::Batch;
use super::failure::Failure;
use super::schema::open_writer;
use crate::{
    Appended, Counts, EntityFilter, EntityView, EventStore, GivenUp, KnownEvent, StoreError,
};

fn events(count: u64) -> Vec<KnownEvent> {
    let entity = EntityName::new("shop", "stock", "sku-7").unwrap();
    let event = |number: u64| Event {
        id: EventId(u128::from(number).to_be_bytes()),
        entity: entity.clone(),
        name: "counted".into(),
        time: Time::from_nanos(number as i64),
        seq: 0,
        changes: vec![Change::set("number", number as i64)],
        source: Source { uri: "/shop".into(), ..Source::default() }.into(),
        offset: None,
        rule: Some(format!("shop.yaml/rule-{}", number % 10).into()),
        line: Some("x".repeat(500)),
    };
    let known = |event| KnownEvent { event, known_at: Time::from_nanos(1) };
    (0..count).map(event).map(known).collect()
}

fn append(writer: &mut Writer, events: &[KnownEvent]) -> Result<Appended, Failure> {
    writer.append(Batch::arrange(events)?)
}

fn counts(path: &Path) -> Counts {
    block_on(SqliteStore::open_read_only(path).unwrap().counts()).unwrap()
}

#[test]
fn a_full_disk_loses_nothing_and_the_batch_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let connection = open_writer(&path, "store.db").unwrap();
    let mut writer = Writer::new(connection);
    let all = events(2_000);
    let (first, second) = all.split_at(500);
    append(&mut writer, first).unwrap();

    writer.connection().pragma_update(None, "max_page_count", 60).unwrap();
    let error = append(&mut writer, second).unwrap_err().at("store.db");
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(error.to_string().split(':').next(), Some("store.db"));
    assert_eq!(counts(&path), Counts { entities: 1, events: 500 });

    writer.connection().pragma_update(None, "max_page_count", 1_000_000).unwrap();
    let appended = append(&mut writer, second).unwrap();
    assert_eq!(appended, Appended { new: 1_500, repeated: 0 });
    assert_eq!(counts(&path), Counts { entities: 1, events: 2_000 });
}

#[test]
fn a_question_that_is_given_up_ends_in_the_middle() {
    const ENTITIES: u64 = 5_000;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    let mut all = events(ENTITIES);
    for (number, known) in all.iter_mut().enumerate() {
        known.event.entity = format!("shop/stock/sku-{number}").parse().unwrap();
    }
    block_on(store.append(&all)).unwrap();
    let given_up = GivenUp::default();
    let seen = AtomicU64::new(0);
    let nothing = |_: &EntityView<'_>| {
        if seen.fetch_add(1, Ordering::Relaxed) == 100 {
            given_up.give_up();
        }
        false
    };
    let scan = || block_on(store.entities_passing(&EntityFilter::default(), None, 1, &nothing));
    let ended = given_up.while_asking(scan);
    assert!(matches!(ended, Err(StoreError::GivenUp { .. })), "{ended:?}");
    assert!(seen.load(Ordering::Relaxed) < ENTITIES / 2, "{seen:?} were looked at");
    let more = given_up.while_asking(|| block_on(store.counts()));
    assert!(matches!(more, Err(StoreError::GivenUp { .. })), "{more:?}");
    // Whoever asks next on the same thread gets an answer.
    assert_eq!(block_on(store.counts()).unwrap().entities, ENTITIES);
    assert_eq!(scan().unwrap(), []);
}

#[test]
fn a_writer_that_does_not_give_way_is_reported_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let connection = open_writer(&path, "store.db").unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    let mut writer = Writer::new(connection);
    let other = open_writer(&path, "store.db").unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = append(&mut writer, &events(10)).unwrap_err().at("store.db");
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert!(error.is_retryable());
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(append(&mut writer, &events(10)).unwrap().new, 10);
}
