//! The SQLite store passes the suite of all stores.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

use statetrail_store::EventStore;
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::suite::Subject;
use tempfile::TempDir;

#[derive(Default)]
struct Sqlite {
    folders: Mutex<Vec<TempDir>>,
}

impl Subject for Sqlite {
    fn opened_twice(&self) -> [Box<dyn EventStore>; 2] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("store.db");
        let store = SqliteStore::open(&path).expect("a new store");
        let reader = SqliteStore::open_read_only(&path).expect("it is there");
        self.folders.lock().expect("no test panicked before").push(folder);
        [Box::new(store), Box::new(reader)]
    }

    fn run(&self, test: Pin<Box<dyn Future<Output = ()> + '_>>) {
        pollster::block_on(test);
    }
}

statetrail_store::store_suite!(Sqlite::default());
