//! What can go wrong.

use std::io;
use std::path::PathBuf;

use crate::config::ConfigError;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShopError {
    /// A setting makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Whoever took lines or truth could not keep them.
    #[error("could not keep what the shop wrote")]
    Sink(#[source] io::Error),
    /// A file or folder could not be written.
    #[error("could not write {path}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
