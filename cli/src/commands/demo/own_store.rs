//! The demo's own store, which every demo makes anew.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use statetrail_store::StoreAddress;

use crate::failure::{Exit, Failure};
use crate::store_place::demo_store_path;

/// The demo's own store as long as one demo uses it: nobody else removes it meanwhile. The system
/// lets go of it with the process, however that ends.
pub(super) struct OwnStore {
    path: PathBuf,
    _lock: File,
}

impl OwnStore {
    /// Takes the store if it is the one at that place; any other one is not the demo's.
    ///
    /// # Errors
    /// When another demo uses it, or there can be no file beside it.
    pub(super) fn take(place: &StoreAddress) -> Result<Option<OwnStore>, Failure> {
        match place {
            StoreAddress::Sqlite(path) if demo_store_path().is_ok_and(|own| own == *path) => {
                lock(path, place).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Removes what another demo has left there.
    pub(super) fn empty(&self) {
        for end in ["", "-wal", "-shm"] {
            // What cannot be removed is told when the store is opened or found not empty.
            let _ = std::fs::remove_file(beside(&self.path, end));
        }
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut file = path.as_os_str().to_owned();
    file.push(end);
    PathBuf::from(file)
}

fn lock(path: &Path, place: &StoreAddress) -> Result<OwnStore, Failure> {
    // Not the store itself: that one is removed, and whoever waits for it would have another file.
    let file = beside(path, "-lock");
    let unusable = |error: std::io::Error| {
        Failure::new(Exit::Store, format!("{}: cannot be used: {error}", file.display()))
            .hint("--store sqlite:PATH may name a file that does not exist yet")
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unusable)?;
    }
    let opened = File::options().create(true).truncate(false).write(true).open(&file);
    let lock = opened.map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(OwnStore { path: path.to_owned(), _lock: lock }),
        Err(TryLockError::WouldBlock) => {
            let message = format!("{place}: another demo is running on this store");
            Err(Failure::new(Exit::Store, message)
                .hint("end that one, or give this one a store: --store sqlite:PATH"))
        }
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}
