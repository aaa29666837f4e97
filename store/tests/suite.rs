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
    fn fresh(&self) -> Box<dyn EventStore> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteStore::open(&folder.path().join("store.db")).expect("a new store");
        self.folders.lock().expect("no test panicked before").push(folder);
        Box::new(store)
    }

    fn run(&self, test: Pin<Box<dyn Future<Output = ()> + '_>>) {
        pollster::block_on(test);
    }
}

statetrail_store::store_suite!(Sqlite::default());
