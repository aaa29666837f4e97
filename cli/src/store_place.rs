//! Where the store is: what `--store` means, and the place in the user's data folder.

use std::ffi::OsString;
use std::path::PathBuf;

use statetrail_store::{EventStore, StoreAddress, StoreAddressError, StoreError, cassandra};

use crate::failure::{Exit, Failure};
use crate::waiting::{block_on, start_runtime};

const FOLDER: &str = "statetrail";
const FILE: &str = "trail.db";
const DEMO_FILE: &str = "demo.db";

/// The address of the store that was asked for, or of the one in the user's data folder.
///
/// # Errors
/// When the address is wrong, or there is no data folder.
pub fn store_address(typed: Option<&str>) -> Result<StoreAddress, Failure> {
    match typed {
        Some(typed) => typed_address("--store", typed),
        None => Ok(StoreAddress::Sqlite(own_folder()?.join(FILE))),
    }
}

/// The address that was typed behind an option.
///
/// # Errors
/// When it is wrong.
pub fn typed_address(option: &str, typed: &str) -> Result<StoreAddress, Failure> {
    typed.parse().map_err(|error| wrong_address(option, &error))
}

fn wrong_address(option: &str, error: &StoreAddressError) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("{option} {error}"));
    match error {
        StoreAddressError::KindMissing(path) => {
            failure.hint(format!("write {option} sqlite:{path}"))
        }
        StoreAddressError::Cassandra { .. } => failure,
        _ => {
            failure.hint("a store is named like sqlite:trail.db or cassandra://host:9042/keyspace")
        }
    }
}

/// The file of the demo's own store.
///
/// # Errors
/// When there is no data folder.
pub fn demo_store_path() -> Result<PathBuf, Failure> {
    Ok(own_folder()?.join(DEMO_FILE))
}

fn own_folder() -> Result<PathBuf, Failure> {
    data_folder(|name| std::env::var_os(name)).map(|data| data.join(FOLDER)).ok_or_else(|| {
        Failure::new(Exit::Usage, "no data folder is known for this user")
            .hint("say where the store is: --store sqlite:PATH")
    })
}

/// Opens the store for writing; the file of a store and its folder are created if need be.
///
/// # Errors
/// When that is not possible.
pub fn create_store_at(address: &StoreAddress) -> Result<Box<dyn EventStore>, Failure> {
    if let StoreAddress::Sqlite(path) = address
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|error| {
            let message =
                format!("{}: the folder of the store cannot be created: {error}", folder.display());
            Failure::new(Exit::Store, message).hint("choose another place with --store sqlite:PATH")
        })?;
    }
    open(address, address.open())
}

/// Opens a store that exists for reading.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn open_store(typed: Option<&str>) -> Result<Box<dyn EventStore>, Failure> {
    let address = store_address(typed)?;
    open(&address, address.open_read_only())
}

/// Opens a store that exists, to read lines of it for another one.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn open_source(address: &StoreAddress) -> Result<Box<dyn EventStore>, Failure> {
    prepare_for(address)?;
    block_on(address.open_read_only()).map_err(|error| match error {
        StoreError::Missing { place } => {
            Failure::new(Exit::Store, format!("{place}: there is no store"))
                .hint("--from names the store that has the lines")
        }
        error => store_failure(error),
    })
}

fn open(
    address: &StoreAddress,
    opening: impl Future<Output = Result<Box<dyn EventStore>, StoreError>>,
) -> Result<Box<dyn EventStore>, Failure> {
    prepare_for(address)?;
    block_on(opening).map_err(store_failure)
}

/// Starts what a store of that kind needs.
///
/// # Errors
/// When the system gives no threads.
pub fn prepare_for(address: &StoreAddress) -> Result<(), Failure> {
    match address {
        StoreAddress::Sqlite(_) => Ok(()),
        StoreAddress::Cassandra(_) => start_runtime()
            .map_err(|error| Failure::new(Exit::Failed, format!("no threads: {error}"))),
    }
}

/// What a store said, for the user.
pub fn store_failure(error: StoreError) -> Failure {
    let failure = Failure::new(Exit::Store, &error);
    match error {
        // Nothing is gained by another place: the files of the address are wrong.
        StoreError::Open { place, .. } if place.starts_with(cassandra::SCHEME) => failure,
        StoreError::Missing { .. } => failure
            .hint("statetrail import --rules RULES LOG...    creates it")
            .hint("statetrail demo                           creates one to play with"),
        StoreError::Open { .. } | StoreError::ReadOnly { .. } => {
            failure.hint("choose another place with --store sqlite:PATH")
        }
        StoreError::Unavailable { .. } => {
            failure.hint("check its address, and that it runs and can be reached from here")
        }
        StoreError::OtherSettings { .. } => {
            failure.hint("state the same again, or make another store in a keyspace of its own")
        }
        _ => failure,
    }
}

/// The data folder as the system's conventions have it. `variable` reads the environment.
fn data_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        folder("XDG_DATA_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| folder("HOME").map(|home| home.join(".local/share")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_address_is_wrong_use() {
        for wrong in ["sqlite:", "a/b.db", "postgres://x", ""] {
            assert_eq!(store_address(Some(wrong)).unwrap_err().exit(), Exit::Usage, "{wrong}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_data_folder() {
        for (data, home, expected) in [
            ("/data", "/home/u", Some("/data")),
            ("", "/home/u", Some("/home/u/.local/share")),
            ("relative", "/home/u", Some("/home/u/.local/share")),
            ("", "", None),
        ] {
            let variable = |name: &str| match name {
                "XDG_DATA_HOME" => Some(OsString::from(data)),
                "HOME" => Some(OsString::from(home)),
                _ => None,
            };
            assert_eq!(data_folder(variable), expected.map(PathBuf::from));
        }
    }
}
