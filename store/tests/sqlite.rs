//! What only the SQLite store has: its file, and what can be wrong with it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::fs;
use std::path::Path;

use pollster::block_on;
use rusqlite::Connection;
use statetrail_event::{OrderKey, Time};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::suite::Model;
use statetrail_store::{
    Appended, EntityFilter, EventStore, KnownEvent, StoreError, TimelineQuery, TrailQuery,
};
use support::{batch, event, stock};

fn open_error(path: &Path) -> StoreError {
    SqliteStore::open(path).err().expect("it is not to be opened")
}

fn read_error(path: &Path) -> StoreError {
    SqliteStore::open_read_only(path).err().expect("it is not to be opened")
}

/// A store with a few events, which nobody has open.
fn stored(path: &Path) -> Vec<KnownEvent> {
    let store = SqliteStore::open(path).unwrap();
    let events: Vec<_> = (0..300).flat_map(|number| batch(number, 3)).collect();
    block_on(store.append(&events)).unwrap();
    events
}

#[test]
fn what_was_appended_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store 100%?#.db");
    let events = stored(&path);
    let store = SqliteStore::open(&path).unwrap();
    let again = block_on(store.append(&events)).unwrap();
    assert_eq!(again, Appended { new: 0, repeated: events.len() as u64 });
    let trail = block_on(store.trail(&stock(1), &TrailQuery::default())).unwrap();
    let expected: Vec<_> = (0..300).map(|number| event(&stock(1), number)).collect();
    assert_eq!(trail, expected);
}

#[test]
fn batches_that_are_appended_side_by_side_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    // Every batch is appended by two threads, so that each of its events is new to one of them.
    let new: u64 = std::thread::scope(|scope| {
        let append_all = || {
            let appended = |number| block_on(store.append(&batch(number, 20))).unwrap().new;
            (0..200).map(appended).sum::<u64>()
        };
        let threads = [scope.spawn(append_all), scope.spawn(append_all)];
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(new, 200 * 20);
    for entity in (0..20).map(stock) {
        let trail = block_on(store.trail(&entity, &TrailQuery::default())).unwrap();
        let expected: Vec<_> = (0..200).map(|number| event(&entity, number)).collect();
        assert_eq!(trail, expected);
        let known = block_on(store.entity(&entity)).unwrap().unwrap();
        let at = |key| block_on(store.state_at(&entity, key, None)).unwrap().unwrap();
        assert_eq!(at(OrderKey::MAX), known.state);
    }
}

/// Two threads append the same batches while a third one reads what arrives by a store of its own.
#[test]
fn what_threads_append_arrives_once() {
    const BATCHES: u64 = 200;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    let mut arrived = Vec::new();
    std::thread::scope(|scope| {
        let append_all = || {
            for number in 0..BATCHES {
                block_on(store.append(&batch(number, 20))).unwrap();
            }
        };
        let threads = [scope.spawn(append_all), scope.spawn(append_all)];
        let mut next = block_on(store.arrivals_end()).unwrap().to_string();
        while arrived.len() < BATCHES as usize * 20 || !threads.iter().all(|t| t.is_finished()) {
            let reader = SqliteStore::open_read_only(&path).unwrap();
            let page = block_on(reader.arrivals(&next.parse().unwrap(), 97)).unwrap();
            next = page.next.to_string();
            arrived.extend(page.events.into_iter().map(|arrived| arrived.known));
        }
    });
    assert_eq!(arrived.len(), BATCHES as usize * 20);
    for entity in (0..20).map(stock) {
        let of_entity = arrived.iter().filter(|known| known.event.entity == entity);
        let trail = block_on(store.trail(&entity, &TrailQuery::default())).unwrap();
        assert!(of_entity.eq(trail.iter()), "{entity} arrives in the order of its batches");
    }
}

/// A place further on than anything that arrived was given by another file.
#[test]
fn a_place_of_another_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    stored(&path);
    let store = SqliteStore::open_read_only(&path).unwrap();
    let error = block_on(store.arrivals(&"s901".parse().unwrap(), 1)).err();
    assert_eq!(error.map(|error| error.to_string()), None);
    let error = block_on(store.arrivals(&"s902".parse().unwrap(), 1)).unwrap_err();
    assert!(matches!(error, StoreError::OtherCursor { .. }), "{error}");
    assert!(error.to_string().contains("store.db: s902 is no place to go on from"), "{error}");
}

/// Events of a line are found by its moment, so lines that are equal but for that have rows of
/// their own.
#[test]
fn equal_lines_of_several_moments_arrive_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    let from = block_on(store.arrivals_end()).unwrap();
    let mut events = Vec::new();
    for number in 0..1_000 {
        let mut known = event(&stock(1), number / 300);
        known.event.seq = number;
        (known.event.line, known.event.offset) = (None, None);
        events.push(known);
    }
    block_on(store.append(&events)).unwrap();
    for limit in [1, 250, 256, 257, 5_000] {
        let (mut next, mut found) = (from.clone(), Vec::new());
        while let page = block_on(store.arrivals(&next, limit)).unwrap()
            && !page.events.is_empty()
        {
            next = page.next;
            found.extend(page.events.into_iter().map(|arrived| arrived.known));
        }
        assert_eq!(found, events, "in pages of {limit}");
    }
}

#[test]
fn reading_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let error = read_error(&path);
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("store.db"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_store_opened_for_reading_takes_no_events() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    stored(&path);
    let store = SqliteStore::open_read_only(&path).unwrap();
    let error = block_on(store.append(&batch(1_000, 1))).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

#[test]
fn an_empty_file_becomes_a_store_by_writing_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    fs::write(&path, "").unwrap();
    let error = read_error(&path).to_string();
    assert!(error.contains("empty file"), "{error}");
    stored(&path);
    assert!(SqliteStore::open_read_only(&path).is_ok());
}

#[test]
fn other_things_than_a_store_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("app.log");
    fs::write(&text, "2026-11-22 10:00:00 order o-1042 paid\n".repeat(100)).unwrap();
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute("CREATE TABLE notes (text)", []).unwrap();

    let cases = [
        (text.as_path(), "a file of another kind"),
        (other.as_path(), "an SQLite database of another program"),
        (folder.path(), "a folder"),
    ];
    for (path, found) in cases {
        let before = fs::read(path).ok();
        for error in [open_error(path), read_error(path)] {
            assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
            let message = error.to_string();
            assert!(message.contains(found), "{message}");
            assert!(message.contains(&path.display().to_string()), "{message}");
        }
        assert_eq!(fs::read(path).ok(), before, "{}", path.display());
    }
}

#[test]
fn a_store_of_another_format_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    stored(&path);
    for (format, way_out) in [(0, "into a new store"), (99, "use a newer statetrail")] {
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", format).unwrap();
        drop(connection);
        for error in [open_error(&path), read_error(&path)] {
            assert!(matches!(error, StoreError::OtherFormat { .. }), "{error}");
            let message = error.to_string();
            assert!(message.contains(&format!("format {format}")), "{message}");
            assert!(message.contains(way_out), "{message}");
        }
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none").join("store.db");
    let error = open_error(&path);
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
    assert!(error.to_string().contains("none/store.db"), "{error}");
    assert!(matches!(read_error(&path), StoreError::Missing { .. }));
}

/// Asks everything that there is to ask.
fn read_everything(store: &SqliteStore) -> Result<(), StoreError> {
    block_on(async {
        store.counts().await?;
        for entity in store.entities(&EntityFilter::default(), None, usize::MAX).await? {
            store.trail(&entity.name, &TrailQuery::default()).await?;
            for time in [0, 50_000_000, 150_000_000, 299_000_000] {
                let key = OrderKey::end_of(Time::from_nanos(time));
                store.state_at(&entity.name, key, None).await?;
                store.state_at(&entity.name, key, Some(Time::from_nanos(time))).await?;
            }
        }
        store.timeline(&TimelineQuery::default()).await?;
        Ok(())
    })
}

/// Whatever is overwritten in the file, the answer is an answer or an error, never a panic.
#[test]
fn a_damaged_file_gives_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    stored(&path);
    let sound = fs::read(&path).unwrap();
    let mut errors = 0;
    for start in (0..sound.len()).step_by(sound.len() / 80) {
        let mut damaged = sound.clone();
        for byte in damaged.iter_mut().skip(start).take(64) {
            *byte ^= 0xa5;
        }
        fs::write(&path, &damaged).unwrap();
        let outcome = SqliteStore::open_read_only(&path).and_then(|store| read_everything(&store));
        errors += u32::from(outcome.is_err());
        let written = SqliteStore::open(&path)
            .and_then(|store| block_on(store.append(&batch(200, 5))).map(drop));
        errors += u32::from(written.is_err());
        for companion in ["store.db-wal", "store.db-shm"] {
            let _ = fs::remove_file(folder.path().join(companion));
        }
    }
    assert!(errors > 10, "only {errors} of the damages were noticed");
}

/// Buckets are closed while events arrive in any order; no answer changes by it.
#[test]
fn closing_buckets_changes_no_answer() {
    const EVENTS: u64 = 6_000;
    let entity_of = |number: u64| stock(number % 7);
    let in_order: Vec<_> = (0..EVENTS).map(|number| event(&entity_of(number), number)).collect();
    let mut old_days_last = in_order.clone();
    old_days_last.rotate_left(3_000);
    let mut wrong_clocks = in_order.clone();
    for known in wrong_clocks.iter_mut().step_by(500) {
        let far = if known.event.seq.is_multiple_of(2) { i64::MAX - 5 } else { i64::MIN + 5 };
        known.event.time = Time::from_nanos(far);
    }
    let newest_first: Vec<_> = in_order.iter().rev().cloned().collect();
    for events in [in_order, newest_first, old_days_last, wrong_clocks] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let (store, model) = (SqliteStore::open(&path).unwrap(), Model::default());
        let aside = Connection::open(&path).unwrap();
        for batch in events.chunks(1_500) {
            // As if every bucket were full.
            aside.execute("UPDATE buckets SET look_at = 0", []).unwrap();
            block_on(store.append(batch)).unwrap();
            block_on(model.append(batch)).unwrap();
            assert_eq!(block_on(store.append(batch)).unwrap().new, 0, "all are found again");
        }
        let buckets: i64 =
            aside.query_row("SELECT count(*) FROM buckets", [], |row| row.get(0)).unwrap();
        assert!(buckets > 1, "no bucket was closed");
        assert_counts_fit(&aside);
        for number in 0..7 {
            let query = TrailQuery::default();
            let found = block_on(store.trail(&stock(number), &query)).unwrap();
            assert_eq!(found, block_on(model.trail(&stock(number), &query)).unwrap());
            for nanos in (0..EVENTS as i64 * 1_000_000).step_by(97_000_000) {
                let key = OrderKey::end_of(Time::from_nanos(nanos));
                let found = block_on(store.state_at(&stock(number), key, None)).unwrap();
                let wanted = block_on(model.state_at(&stock(number), key, None)).unwrap();
                assert_eq!(found, wanted);
            }
        }
    }
}

/// Each event lies in the bucket of its time, and the buckets know how many they hold.
fn assert_counts_fit(connection: &Connection) {
    let misplaced: i64 = connection
        .query_row(
            "SELECT count(*) FROM events WHERE bucket != (
                 SELECT bucket FROM buckets WHERE start_time <= time
                 ORDER BY start_time DESC LIMIT 1)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let miscounted: i64 = connection
        .query_row(
            "SELECT count(*) FROM buckets WHERE events != (
                 SELECT count(*) FROM events WHERE events.bucket = buckets.bucket)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!((misplaced, miscounted), (0, 0));
}

/// Events of one line share its text.
#[test]
fn a_line_with_several_events_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    let mut events = batch(1, 4);
    for known in &mut events {
        known.event.line = Some("order o-1042 paid".into());
    }
    block_on(store.append(&events)).unwrap();
    let lines: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM lines", [], |row| row.get(0))
        .unwrap();
    assert_eq!(lines, 1);
    for known in &events {
        let query = TrailQuery::default();
        let trail = block_on(store.trail(&known.event.entity, &query)).unwrap();
        assert_eq!(trail, std::slice::from_ref(known));
    }
}

/// However events arrive, the snapshots of a trail cover it without a gap in stretches of a
/// bounded length, so that no state is folded from many events.
#[test]
fn snapshots_stay_short_however_events_arrive() {
    const EVENTS: u64 = 9_000;
    let in_order: Vec<_> = (0..EVENTS).map(|number| event(&stock(7), number)).collect();
    let newest_first: Vec<_> = in_order.iter().rev().cloned().collect();
    // A step that shares no factor with the length visits every event once.
    let scattered: Vec<_> =
        (0..EVENTS as usize).map(|n| in_order[n * 4_567 % EVENTS as usize].clone()).collect();
    for events in [in_order, newest_first, scattered] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = SqliteStore::open(&path).unwrap();
        for batch in events.chunks(700) {
            block_on(store.append(batch)).unwrap();
        }
        drop(store);
        let connection = Connection::open(&path).unwrap();
        let number =
            |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
        let covered = number("SELECT sum(parts) FROM snapshots WHERE level = 0");
        let tail = number("SELECT tail_events FROM entities");
        assert_eq!(covered + tail, EVENTS as i64);
        assert!(tail < 128, "{tail} events have no snapshot");
        let longest = number("SELECT max(parts) FROM snapshots WHERE level = 0");
        assert!(longest < 256, "a snapshot folds {longest} events");
        let levels = number("SELECT max(level) FROM snapshots");
        assert!(levels >= 1, "there are {levels} levels");
        let widest = number("SELECT max(parts) FROM snapshots WHERE level > 0");
        assert!(widest < 64, "a snapshot merges {widest} others");
        let gaps = number(
            "SELECT count(*) FROM snapshots AS a
             WHERE start_key != zeroblob(32) AND NOT EXISTS (
                 SELECT 1 FROM snapshots AS b WHERE b.level = a.level AND b.end_key = a.start_key)",
        );
        assert_eq!(gaps, 0);
    }
}
