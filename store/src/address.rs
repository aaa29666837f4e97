//! The address of a store: which kind it is, and where.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::cassandra::{self, CassandraStore};
use crate::sqlite::SqliteStore;
use crate::{EventStore, StoreError};

const SQLITE: &str = "sqlite:";

/// Where a store is: `sqlite:PATH`, or `cassandra://HOST:PORT/KEYSPACE` (see
/// [`cassandra::Address`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAddress {
    /// One file.
    Sqlite(PathBuf),
    /// A keyspace of a cluster.
    Cassandra(cassandra::Address),
}

/// Why a text is not the address of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreAddressError {
    /// There is nothing.
    #[error("the address of the store is empty")]
    Empty,
    /// No kind stands before the rest.
    #[error("{0}: the kind of store is missing")]
    KindMissing(String),
    /// There is no such kind.
    #[error("{text}: unknown kind of store {kind:?}")]
    UnknownKind {
        /// The whole text.
        text: String,
        /// The kind.
        kind: String,
    },
    /// Nothing stands behind the kind.
    #[error("sqlite: the path is missing")]
    PathMissing,
    /// The address of a cluster is wrong.
    #[error("{text}: {cause}")]
    Cassandra {
        /// The whole text, unless there may be a password in it.
        text: String,
        /// What is wrong.
        cause: cassandra::AddressError,
    },
}

impl FromStr for StoreAddress {
    type Err = StoreAddressError;

    fn from_str(text: &str) -> Result<StoreAddress, StoreAddressError> {
        match text.strip_prefix(SQLITE) {
            Some("") => return Err(StoreAddressError::PathMissing),
            Some(path) => return Ok(StoreAddress::Sqlite(path.into())),
            None => {}
        }
        if text.starts_with(cassandra::SCHEME) {
            return text.parse().map(StoreAddress::Cassandra).map_err(|cause| {
                let text = match cause {
                    cassandra::AddressError::Password => cassandra::SCHEME.to_owned() + "...",
                    _ => text.to_owned(),
                };
                StoreAddressError::Cassandra { text, cause }
            });
        }
        Err(match text.split_once(':') {
            _ if text.is_empty() => StoreAddressError::Empty,
            Some((kind, _)) => {
                StoreAddressError::UnknownKind { text: text.to_owned(), kind: kind.to_owned() }
            }
            None => StoreAddressError::KindMissing(text.to_owned()),
        })
    }
}

/// As it is told to people: without settings.
impl fmt::Display for StoreAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreAddress::Sqlite(path) => write!(formatter, "{SQLITE}{}", path.display()),
            StoreAddress::Cassandra(address) => formatter.pad(&address.place()),
        }
    }
}

impl StoreAddress {
    /// Whether both lead to the same store. Two names of a cluster that no node is known by twice are
    /// taken for two clusters.
    pub fn is_same_place(&self, other: &StoreAddress) -> bool {
        match (self, other) {
            (StoreAddress::Sqlite(a), StoreAddress::Sqlite(b)) => {
                // A file that does not exist yet has no other name.
                let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
                real(a) == real(b)
            }
            (StoreAddress::Cassandra(a), StoreAddress::Cassandra(b)) => a.is_same_place(b),
            _ => false,
        }
    }

    /// Opens the store for writing and reading. A file is created if need be, its folder has to
    /// exist; a keyspace is made by [`cassandra::migrate()`].
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn open(&self) -> Result<Box<dyn EventStore>, StoreError> {
        Ok(match self {
            StoreAddress::Sqlite(path) => Box::new(SqliteStore::open(path)?),
            StoreAddress::Cassandra(address) => Box::new(CassandraStore::connect(address).await?),
        })
    }

    /// Opens a store that exists for reading.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub async fn open_read_only(&self) -> Result<Box<dyn EventStore>, StoreError> {
        match self {
            StoreAddress::Sqlite(path) => Ok(Box::new(SqliteStore::open_read_only(path)?)),
            StoreAddress::Cassandra(_) => self.open().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_store_is_named() {
        for right in ["sqlite:a/b.db", "sqlite:C:\\b.db", "cassandra://db:9042/trail"] {
            assert_eq!(right.parse::<StoreAddress>().unwrap().to_string(), right);
        }
        for (wrong, said) in [
            ("", "the address of the store is empty"),
            ("sqlite:", "sqlite: the path is missing"),
            ("a/b.db", "a/b.db: the kind of store is missing"),
            ("postgres://x", "postgres://x: unknown kind of store \"postgres\""),
            ("cassandra:db", "cassandra:db: unknown kind of store \"cassandra\""),
        ] {
            assert_eq!(wrong.parse::<StoreAddress>().unwrap_err().to_string(), said);
        }
        let secret = "cassandra://u:secret@db/trail".parse::<StoreAddress>().unwrap_err();
        assert!(!secret.to_string().contains("secret"), "{secret}");
    }

    #[test]
    fn a_store_is_known_by_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("a.db"), folder.path().join("b.db"));
        std::fs::write(&here, "").unwrap();
        let sqlite = |path: &Path| StoreAddress::Sqlite(path.to_owned());
        assert!(sqlite(&here).is_same_place(&sqlite(&folder.path().join("./a.db"))));
        assert!(!sqlite(&here).is_same_place(&sqlite(&there)));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&here, &there).unwrap();
            assert!(sqlite(&here).is_same_place(&sqlite(&there)));
        }
        let cluster = "cassandra://127.0.0.1,127.0.0.2:9043/trail";
        let is_same = |other: &str| {
            let address: StoreAddress = cluster.parse().unwrap();
            address.is_same_place(&other.parse().unwrap())
        };
        assert!(is_same("cassandra://127.0.0.2:9043/trail?consistency=one"));
        assert!(is_same("cassandra://localhost:9042/trail"), "another name of a node");
        assert!(!is_same("cassandra://127.0.0.1/other"));
        assert!(!is_same("cassandra://127.0.0.1:9043/trail"));
        assert!(!is_same("sqlite:trail"));
    }
}
