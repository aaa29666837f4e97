//! What the driver's errors say to people: one line, without what only its authors understand.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use scylla::errors::{
    BadQuery, BrokenConnectionError, BrokenConnectionErrorKind, ConnectionError,
    ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError, MetadataError,
    NewSessionError, PrepareError, RequestAttemptError, SchemaAgreementError,
};
use scylla::statement::Consistency;

use super::connect::{CONNECTION_TIMEOUT, Failure, SILENT_FOR};

/// Why no session came about; `ca_file` is what TLS trusts, if it is on.
pub(super) fn of_new_session(error: &NewSessionError, ca_file: Option<&Path>) -> Failure {
    let failure = match error {
        NewSessionError::FailedToResolveAnyHostname(_) => {
            Failure::Unavailable("none of its hosts has an address".into())
        }
        NewSessionError::MetadataError(MetadataError::ConnectionPoolError(pool)) => of_pool(pool),
        NewSessionError::IllegalConfig(_) => Failure::Tls(whole_text(error)),
        _ => Failure::Unavailable(whole_text(error)),
    };
    match (failure, ca_file) {
        (Failure::Tls(reason), Some(ca_file)) => {
            Failure::Tls(format!("{reason} (ca_file is {})", ca_file.display()))
        }
        // A server that waits for TLS takes what we say for nonsense, and hangs up.
        (Failure::Unavailable(reason), None) if reason == BROKEN => Failure::Unavailable(format!(
            "{reason}; if the cluster speaks TLS, add ?ca_file=FILE to its address"
        )),
        (failure, _) => failure,
    }
}

/// Why a request failed.
pub(super) fn of_execution(error: ExecutionError) -> Failure {
    match &error {
        ExecutionError::LastAttemptError(attempt) => of_attempt(attempt),
        ExecutionError::PrepareError(PrepareError::AllAttemptsFailed { first_attempt }) => {
            of_attempt(first_attempt)
        }
        ExecutionError::BadQuery(BadQuery::SerializationError(_)) => {
            Failure::Other(Box::new(error))
        }
        ExecutionError::ConnectionPoolError(pool)
        | ExecutionError::PrepareError(PrepareError::ConnectionPoolError(pool)) => of_pool(pool),
        ExecutionError::RequestTimeout(limit) => no_answer_within(*limit),
        ExecutionError::SchemaAgreementError(error) => of_disagreement(error),
        ExecutionError::EmptyPlan => Failure::Unavailable(
            "there is no node to ask; is local_dc the name of a datacenter?".into(),
        ),
        // All of it may pass.
        _ => Failure::Unavailable(whole_text(&error)),
    }
}

/// Why nodes were not found to have the same schema.
pub(super) fn of_disagreement(error: &SchemaAgreementError) -> Failure {
    Failure::Unavailable(match error {
        SchemaAgreementError::Timeout(limit) => format!(
            "its nodes have not agreed on their schema within {} s: look at nodetool \
             describecluster, and repeat this once they have; that completes what was begun",
            limit.as_secs()
        ),
        _ => format!("its nodes do not tell whether they agree: {}", whole_text(error)),
    })
}

const BROKEN: &str = "the connection broke";

fn no_answer_within(limit: Duration) -> Failure {
    Failure::Unavailable(format!("no answer within {} s", limit.as_secs()))
}

fn of_broken(error: &BrokenConnectionError) -> Failure {
    match error.downcast_ref() {
        Some(BrokenConnectionErrorKind::KeepaliveTimeout(_)) => no_answer_within(SILENT_FOR),
        _ => Failure::Unavailable(BROKEN.into()),
    }
}

fn of_pool(error: &ConnectionPoolError) -> Failure {
    match error {
        ConnectionPoolError::Broken { last_connection_error } => {
            of_connection(last_connection_error)
        }
        _ => Failure::Unavailable("no connection yet".into()),
    }
}

fn of_connection(error: &ConnectionError) -> Failure {
    match error {
        ConnectionError::ConnectTimeout => no_answer_within(CONNECTION_TIMEOUT),
        ConnectionError::IoError(error) => of_io(error),
        ConnectionError::BrokenConnection(error) => of_broken(error),
        ConnectionError::ConnectionSetupRequestError(error) => of_setup(&error.error),
        _ => Failure::Unavailable(whole_text(error)),
    }
}

fn of_io(error: &io::Error) -> Failure {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<openssl::ssl::Error>());
    if let Some(tls) = tls {
        return Failure::Tls(tls_reason(tls));
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Failure::Unavailable("it refused the connection: nothing listens at this port".into())
        }
        _ => Failure::Unavailable(error.to_string()),
    }
}

fn tls_reason(error: &openssl::ssl::Error) -> String {
    let said: Vec<&str> = error
        .ssl_error()
        .map(|stack| stack.errors().iter().filter_map(|error| error.reason()).collect())
        .unwrap_or_default();
    match said.first() {
        Some(&"certificate verify failed") => {
            "TLS: its certificate is signed by nobody that we trust, or does not name the node's \
             IP address"
                .into()
        }
        Some(&("wrong version number" | "record layer failure")) => {
            "TLS: it does not speak it at this port".into()
        }
        Some(said) => format!("TLS: {said}"),
        None => "TLS: it hung up".into(),
    }
}

fn of_setup(error: &ConnectionSetupRequestErrorKind) -> Failure {
    let said = match error {
        ConnectionSetupRequestErrorKind::BrokenConnection(error) => return of_broken(error),
        ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, _) => {
            return Failure::Denied("user or password is wrong".into());
        }
        _ => whole_text(error),
    };
    // The driver says this one in words only.
    match said.to_lowercase().contains("authentication") {
        true => Failure::Denied("it asks for a user: add ?user=NAME to the address".into()),
        false => Failure::Unavailable(said),
    }
}

fn of_attempt(attempt: &RequestAttemptError) -> Failure {
    let (error, message) = match attempt {
        RequestAttemptError::DbError(error, message) => (error, message),
        RequestAttemptError::BrokenConnectionError(error) => return of_broken(error),
        _ => return Failure::Unavailable(whole_text(attempt)),
    };
    match error {
        DbError::Unauthorized | DbError::AuthenticationError => Failure::Denied(message.clone()),
        // Cassandra tells in words which keyspace or table it does not know.
        DbError::Invalid | DbError::ConfigError
            if message.contains("does not exist") || message.contains("nconfigured table") =>
        {
            Failure::Missing
        }
        // A guardrail: it blames the statement, but nodes are full, and there may be room later.
        DbError::Invalid if message.contains("disk usage") => Failure::Unavailable(message.clone()),
        DbError::Invalid
        | DbError::ConfigError
        | DbError::SyntaxError
        | DbError::ProtocolError
        | DbError::AlreadyExists { .. }
        | DbError::FunctionFailure { .. } => Failure::Other(Box::new(Arc::new(attempt.clone()))),
        // Nodes that are down, slow, overloaded or starting: the same may succeed later.
        _ => Failure::Unavailable(for_now(error).unwrap_or_else(|| whole_text(attempt))),
    }
}

/// What keeps nodes from answering for now.
fn for_now(error: &DbError) -> Option<String> {
    let of_those = |consistency: &Consistency, count: &i32, required: &i32, what: &str| {
        format!("{count} of the {required} nodes that {} asks for {what}", setting(*consistency))
    };
    Some(match error {
        DbError::Unavailable { consistency, required, alive } => {
            of_those(consistency, alive, required, "are up")
        }
        DbError::ReadTimeout { consistency, received, required, .. }
        | DbError::WriteTimeout { consistency, received, required, .. } => {
            of_those(consistency, received, required, "answered in time")
        }
        DbError::ReadFailure { consistency, received, required, .. }
        | DbError::WriteFailure { consistency, received, required, .. } => {
            of_those(consistency, received, required, "could do it; their logs say why")
        }
        DbError::Overloaded => "it is overloaded".into(),
        DbError::IsBootstrapping => "it is still starting".into(),
        _ => return None,
    })
}

/// A consistency as it stands in an address.
fn setting(consistency: Consistency) -> String {
    match consistency {
        Consistency::LocalQuorum => "local_quorum".into(),
        Consistency::Quorum => "quorum".into(),
        Consistency::LocalOne => "local_one".into(),
        Consistency::One => "one".into(),
        Consistency::All => "all".into(),
        other => other.to_string(),
    }
}

/// The error and its causes, each once.
pub(super) fn whole_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
