//! Reaching the cluster, and what it means when that or a request fails.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openssl::ssl::{SslConnector, SslFiletype, SslMethod};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::{OpenSsl010Config, Session};
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{ExecutionError, PagerExecutionError, PrepareError};
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;

use super::address::{Address, PASSWORD_VARIABLE};
use super::reasons::{self, whole_text};
use crate::StoreError;

/// How long one node may take to accept a connection.
pub(super) const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// So often an idle connection is tried.
const TRIED_EVERY: Duration = Duration::from_secs(3);
/// A connection on which nothing comes back for so long, also while it is being set up, is given
/// up, and another node asked. Longer than Cassandra's collections of garbage.
pub(super) const SILENT_FOR: Duration = Duration::from_secs(5);
/// A node that does not answer for so long may be paused or cut off: another one is asked as
/// well. Every statement may be repeated, and a cluster of one node has no other one to ask.
const OTHER_NODE_AFTER: Duration = Duration::from_secs(2);
/// How long a request may take, repetitions by the driver included.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To make the keyspace and its tables. Nothing is known about them before.
    Migrate,
    /// To read and write. The driver is told how the keyspace is replicated, so that each request
    /// goes to a node that has its partition, and no node has to pass it on.
    Use,
}

/// Opens a session; to migrate, no keyspace need exist yet.
///
/// # Errors
/// When no node can be reached or lets us in, or a file of the address cannot be read.
pub(super) async fn connect(address: &Address, purpose: Purpose) -> Result<Session, StoreError> {
    let place = address.place();
    let mut policy = DefaultPolicy::builder().token_aware(true);
    if let Some(datacenter) = &address.local_dc {
        policy = policy.prefer_datacenter(datacenter.clone());
    }
    let profile = ExecutionProfile::builder()
        .consistency(address.consistency)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .load_balancing_policy(policy.build())
        .speculative_execution_policy(Some(Arc::new(SimpleSpeculativeExecutionPolicy {
            max_retry_count: 2,
            retry_interval: OTHER_NODE_AFTER,
        })))
        .build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&address.nodes)
        .connection_timeout(CONNECTION_TIMEOUT)
        .keepalive_interval(TRIED_EVERY)
        .keepalive_timeout(SILENT_FOR)
        .fetch_schema_metadata(purpose == Purpose::Use)
        .keyspaces_to_fetch([&address.keyspace])
        // Statements name their columns; those of the tables would be read for nothing.
        .fetch_full_schema_metadata(false)
        .default_execution_profile_handle(profile.into_handle());
    if let Some(user) = &address.user {
        builder = builder.user(user, password(address, &place)?);
    }
    if let Some(ca_file) = &address.ca_file {
        builder = builder.tls_context(Some(tls(address, ca_file, &place)?));
    }
    let tls = address.ca_file.as_deref();
    builder.build().await.map_err(|error| reasons::of_new_session(&error, tls).at(&place))
}

impl Address {
    /// Reads the files that the address names, and the password, as opening the store does.
    ///
    /// # Errors
    /// When one cannot be read or used, or there is no password for the user.
    pub fn check_files(&self) -> Result<(), StoreError> {
        let place = self.place();
        if self.user.is_some() {
            password(self, &place)?;
        }
        if let Some(ca_file) = &self.ca_file {
            tls(self, ca_file, &place)?;
        }
        Ok(())
    }
}

fn password(address: &Address, place: &str) -> Result<String, StoreError> {
    let denied = |reason| StoreError::Denied { place: place.to_owned(), reason };
    match &address.password_file {
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
            Err(error) => {
                Err(denied(format!("the password file {} cannot be read: {error}", path.display())))
            }
        },
        None => std::env::var(PASSWORD_VARIABLE).map_err(|_| {
            denied(format!("user needs a password: set password_file or {PASSWORD_VARIABLE}"))
        }),
    }
}

fn tls(address: &Address, ca_file: &Path, place: &str) -> Result<OpenSsl010Config, StoreError> {
    let failed = |file: &Path, error: openssl::error::ErrorStack| StoreError::Open {
        place: place.to_owned(),
        reason: format!("{} cannot be used for TLS: {error}", file.display()),
    };
    let mut builder =
        SslConnector::builder(SslMethod::tls_client()).map_err(|error| failed(ca_file, error))?;
    builder.set_ca_file(ca_file).map_err(|error| failed(ca_file, error))?;
    if let (Some(cert_file), Some(key_file)) = (&address.cert_file, &address.key_file) {
        builder.set_certificate_chain_file(cert_file).map_err(|error| failed(cert_file, error))?;
        builder
            .set_private_key_file(key_file, SslFiletype::PEM)
            .map_err(|error| failed(key_file, error))?;
    }
    Ok(OpenSsl010Config::new(builder))
}

/// Why a question or a write failed, before the store's place is known.
#[derive(Debug)]
pub(super) enum Failure {
    /// The cluster does not answer, or too few of its nodes.
    Unavailable(String),
    /// We may not do that.
    Denied(String),
    /// TLS comes to nothing.
    Tls(String),
    /// There is no such keyspace or table.
    Missing,
    /// What stands in a row does not fit.
    Damaged(String),
    /// The store cannot hold this event.
    Event(StoreError),
    /// Anything else.
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    /// The failure of the store at that place.
    pub(super) fn at(self, place: &str) -> StoreError {
        let place = place.to_owned();
        match self {
            Failure::Unavailable(reason) => StoreError::Unavailable { place, reason },
            Failure::Denied(reason) => StoreError::Denied { place, reason },
            Failure::Tls(reason) => StoreError::Open { place, reason },
            Failure::Missing => StoreError::NotMigrated { place },
            Failure::Damaged(detail) => StoreError::Damaged { place, detail },
            Failure::Event(error) => error,
            Failure::Other(source) => StoreError::Failed { place, source },
        }
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Failure {
        reasons::of_execution(error)
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Failure {
        Failure::from(ExecutionError::from(error))
    }
}

impl From<PagerExecutionError> for Failure {
    fn from(error: PagerExecutionError) -> Failure {
        Failure::Unavailable(whole_text(&error))
    }
}

impl From<crate::codec::Unreadable> for Failure {
    fn from(error: crate::codec::Unreadable) -> Failure {
        Failure::Damaged(error.0)
    }
}

/// A row that is not of the form that the tables have.
impl From<scylla::errors::DeserializationError> for Failure {
    fn from(error: scylla::errors::DeserializationError) -> Failure {
        Failure::Damaged(whole_text(&error))
    }
}

impl From<scylla::errors::TypeCheckError> for Failure {
    fn from(error: scylla::errors::TypeCheckError) -> Failure {
        Failure::Damaged(whole_text(&error))
    }
}

impl From<scylla::errors::IntoRowsResultError> for Failure {
    fn from(error: scylla::errors::IntoRowsResultError) -> Failure {
        Failure::Other(Box::new(error))
    }
}

impl From<scylla::errors::RowsError> for Failure {
    fn from(error: scylla::errors::RowsError) -> Failure {
        Failure::Damaged(whole_text(&error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Event(error)
    }
}
