//! Where the store is: what `--store` means, and the place in the user's data folder.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use statetrail_store::StoreError;
use statetrail_store::sqlite::SqliteStore;

use crate::failure::{Exit, Failure};

const SCHEME: &str = "sqlite:";
const FOLDER: &str = "statetrail";
const FILE: &str = "trail.db";
const DEMO_FILE: &str = "demo.db";

/// The file of the store that was asked for, or the one in the user's data folder.
///
/// # Errors
/// When the store is of a kind that is unknown, or there is no data folder.
pub fn store_path(typed: Option<&str>) -> Result<PathBuf, Failure> {
    match typed {
        Some(typed) => path_of(typed),
        None => Ok(own_folder()?.join(FILE)),
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

/// Opens the store for writing; its folder and the store itself are created if need be.
///
/// # Errors
/// When that is not possible.
pub fn create_store(typed: Option<&str>) -> Result<SqliteStore, Failure> {
    let path = store_path(typed)?;
    create_store_at(&path)
}

/// The same for a path.
///
/// # Errors
/// When that is not possible.
pub fn create_store_at(path: &Path) -> Result<SqliteStore, Failure> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| {
            let message =
                format!("{}: the folder of the store cannot be created: {error}", folder.display());
            Failure::new(Exit::Store, message).hint("choose another place with --store sqlite:PATH")
        })?;
    }
    SqliteStore::open(path).map_err(|error| match error {
        StoreError::Open { place, reason } => {
            store_failure(StoreError::Open { place, reason: cause(path).unwrap_or(reason) })
        }
        error => store_failure(error),
    })
}

/// Why a file cannot be created, in the system's words: the database says only that.
fn cause(path: &Path) -> Option<String> {
    let created = std::fs::File::options().write(true).create_new(true).open(path);
    match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
        Err(error) => Some(error.to_string()),
        // It can be created after all, and nothing is in it.
        Ok(_) => std::fs::remove_file(path).err().map(|error| error.to_string()),
    }
}

/// Opens a store that exists for reading.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn open_store(typed: Option<&str>) -> Result<SqliteStore, Failure> {
    SqliteStore::open_read_only(&store_path(typed)?).map_err(store_failure)
}

/// What a store said, for the user.
pub fn store_failure(error: StoreError) -> Failure {
    let failure = Failure::new(Exit::Store, &error);
    match error {
        StoreError::Missing { .. } => failure
            .hint("statetrail import --rules RULES LOG...    creates it")
            .hint("statetrail demo                           creates one to play with"),
        StoreError::Open { .. } | StoreError::ReadOnly { .. } => {
            failure.hint("choose another place with --store sqlite:PATH")
        }
        _ => failure,
    }
}

fn path_of(typed: &str) -> Result<PathBuf, Failure> {
    let wrong = |message: String| {
        Failure::new(Exit::Usage, message).hint("a store is named like sqlite:trail.db")
    };
    match typed.strip_prefix(SCHEME) {
        Some("") => Err(wrong(format!("--store {typed}: the path is missing"))),
        Some(path) => Ok(PathBuf::from(path)),
        None => match typed.split_once(':') {
            Some((scheme, _)) => {
                Err(wrong(format!("--store {typed}: unknown kind of store {scheme:?}")))
            }
            None if typed.is_empty() => Err(wrong("--store: its value is empty".to_owned())),
            None => Err(Failure::new(
                Exit::Usage,
                format!("--store {typed}: the kind of store is missing"),
            )
            .hint(format!("write --store {SCHEME}{typed}"))),
        },
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
    fn the_kind_of_store_is_named() {
        assert_eq!(path_of("sqlite:a/b.db").ok(), Some(PathBuf::from("a/b.db")));
        for wrong in ["sqlite:", "a/b.db", "postgres://x", ""] {
            assert_eq!(path_of(wrong).unwrap_err().exit(), Exit::Usage, "{wrong}");
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
