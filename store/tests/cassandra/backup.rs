//! A backup as docs/operate.md describes it: snapshots of Cassandra's files, brought into a new store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use statetrail_event::Time;
use statetrail_servers::{Cassandra, CassandraOptions};
use statetrail_store::cassandra::{CassandraStore, migrate};
use statetrail_store::{Entity, EntityFilter, EventStore, KnownEvent, TimelineQuery};

use crate::cluster::{address_in, block_on, event, plan};

const EVENTS: i64 = 400;
/// Events that came after the backup.
const LATER: i64 = 40;
const ENTITIES: i64 = 20;
/// Seconds from event to event: far enough apart for several buckets.
const STEP: i64 = 3_600;

fn nth(number: i64) -> KnownEvent {
    let time = Time::from_seconds(1_790_000_000 + number * STEP, 0).unwrap();
    event(&format!("shop/order/o-{}", number % ENTITIES), time, "number", number)
}

/// Everything that a store answers of what was written.
async fn all(store: &CassandraStore) -> (Vec<KnownEvent>, Vec<Entity>) {
    let filter = EntityFilter::default();
    let query = TimelineQuery { to: Time::MAX, ..TimelineQuery::default() };
    let timeline = store.timeline(&query).await.unwrap();
    (timeline, store.entities(&filter, None, 1_000).await.unwrap())
}

fn start() -> Cassandra {
    let options = CassandraOptions { nodetool: true, ..CassandraOptions::default() };
    Cassandra::start_with(1, &options).unwrap()
}

/// Takes a snapshot, and copies its files to `to/KEYSPACE/TABLE`: Cassandra knows from the folders'
/// names what files are of. Returns the folder of each table.
fn back_up(cassandra: &Cassandra, keyspace: &str, to: &Path) -> BTreeMap<String, PathBuf> {
    cassandra.nodetool(&["snapshot", "--tag", "today", keyspace]).unwrap();
    let mut tables = cassandra.table_folders(0, keyspace).unwrap();
    for (table, folder) in &mut tables {
        let copy = to.join(keyspace).join(table);
        fs::create_dir_all(&copy).unwrap();
        let files = fs::read_dir(folder.join("snapshots/today")).unwrap();
        for file in files.map(|file| file.unwrap()).filter(|file| file.path().is_file()) {
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
        *folder = copy;
    }
    cassandra.nodetool(&["clearsnapshot", "--all"]).unwrap();
    tables
}

#[test]
fn a_store_is_brought_back_from_a_backup_and_goes_on() {
    let backup = tempfile::tempdir().unwrap();
    let lost = start();
    let address = address_in(&lost, "backup", "");
    let before = block_on(async {
        migrate(&address, &plan()).await.unwrap();
        let store = CassandraStore::connect(&address).await.unwrap();
        store.write(&(0..EVENTS).map(nth).collect::<Vec<_>>()).await.unwrap();
        all(&store).await
    });
    assert_eq!(before.0.len(), EVENTS as usize);
    let tables = back_up(&lost, &address.keyspace, backup.path());
    let after = block_on(async {
        let store = CassandraStore::connect(&address).await.unwrap();
        store.write(&(EVENTS..EVENTS + LATER).map(nth).collect::<Vec<_>>()).await.unwrap();
        all(&store).await
    });
    drop(lost);

    let new = start();
    let address = address_in(&new, "backup", "");
    block_on(migrate(&address, &plan())).unwrap();
    for (table, folder) in &tables {
        let folder = folder.to_str().unwrap();
        new.nodetool(&["import", "--copy-data", &address.keyspace, table, folder]).unwrap();
    }
    block_on(async {
        let store = CassandraStore::connect(&address).await.unwrap();
        assert_eq!(all(&store).await, before);
        // The sink reads again what came since, and some of what was there.
        let again: Vec<_> = (EVENTS - LATER..EVENTS + LATER).map(nth).collect();
        store.write(&again).await.unwrap();
        assert_eq!(all(&store).await, after);
    });
}
