//! What can go wrong, each in one line that says what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a server could not be started or handled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No Java of the version that both servers run on.
    #[error(
        "no Java 17 found: install a JRE 17 (Debian 12: apt-get install openjdk-17-jre-headless) \
         or name one with JAVA_HOME"
    )]
    NoJava,
    /// Maven is not there.
    #[error("mvn is missing: install Maven (Debian: apt-get install maven)")]
    NoMaven,
    /// A program that prepares a server failed.
    #[error("{what} failed: {output}")]
    Tool {
        /// What it was to do.
        what: String,
        /// What it printed.
        output: String,
    },
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A server ended before it was ready.
    #[error("{server} ended before it was ready ({reason}); its log: {}", log.display())]
    Ended {
        /// Which server.
        server: String,
        /// The line of its log that tells most.
        reason: String,
        /// The whole log.
        log: PathBuf,
    },
    /// A server took too long.
    #[error("{server}: {what} took longer than {limit:?}; its log: {}", log.display())]
    TooSlow {
        /// Which server.
        server: String,
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// Its log.
        log: PathBuf,
    },
    /// An operation that does not fit what the server is doing.
    #[error("{server} cannot {action}: it is {state}")]
    State {
        /// Which server.
        server: String,
        /// What was asked.
        action: &'static str,
        /// What it is.
        state: &'static str,
    },
    /// The servers are somebody else's, who would not like them killed.
    #[error(
        "the servers named by {variable} are not ours to stop or kill: unset it, or start one \
         for this test"
    )]
    NotOurs {
        /// The variable that names them.
        variable: &'static str,
    },
    /// There is no such node.
    #[error("there is no node {index}: the cluster has {nodes}, counted from 0")]
    NoNode {
        /// What was asked for.
        index: usize,
        /// How many there are.
        nodes: usize,
    },
}

impl Error {
    /// For `map_err` on what is done to a file.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { action, path, source }
    }
}
