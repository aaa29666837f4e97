//! How the process ends, and with which code.

use std::fmt;
use std::process::ExitCode;

use statetrail_store::StoreError;

/// What the exit code says. The numbers are a promise to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to stop, and finished.
    Done = 0,
    /// Anything that has no code of its own.
    Failed = 1,
    /// A setting is wrong.
    Settings = 2,
    /// No broker answers.
    BrokersAway = 10,
    /// A topic is missing.
    TopicMissing = 11,
    /// Kafka refuses the user, or TLS fails.
    KafkaDenied = 12,
    /// The store does not answer.
    StoreAway = 13,
    /// The store refuses the user, or cannot be written.
    StoreDenied = 14,
    /// There is no such keyspace or file, or no store in it.
    StoreMissing = 15,
    /// The store was made by another version or with other settings.
    StoreOther = 16,
    /// What was read could not be stored in the time that there was.
    DrainDeadline = 17,
    /// The address for `/health` and `/metrics` cannot be listened at.
    AddressTaken = 18,
    /// The second signal came.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// The table of exit codes, as the help shows it.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    it was asked to stop, and everything that was read is stored and committed
  1    something else failed
  2    a setting is wrong
  10   no broker answers
  11   a topic is missing
  12   Kafka refuses the user, or TLS fails
  13   the store does not answer
  14   the store refuses the user, or cannot be written
  15   there is no such keyspace or file, or no store in it
  16   the store was made by another version or with other settings
  17   not everything that was read could be stored before the drain deadline
  18   the address for /health and /metrics is taken, or none of this machine
  130  interrupted by a second signal";

/// Why the sink cannot go on: one line that says what, where and what to do.
#[derive(Debug)]
pub struct Failure {
    /// What the exit code says.
    pub exit: Exit,
    /// What happened.
    pub message: String,
}

impl Failure {
    /// A failure with a message.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Failure {
        Failure { exit, message: message.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What a store said when it was opened.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let exit = match &error {
            StoreError::Busy { .. } | StoreError::Unavailable { .. } => Exit::StoreAway,
            StoreError::Denied { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::Open { .. }
            | StoreError::Full { .. } => Exit::StoreDenied,
            StoreError::Missing { .. } | StoreError::NotMigrated { .. } => Exit::StoreMissing,
            StoreError::OtherFormat { .. }
            | StoreError::Outdated { .. }
            | StoreError::OtherSettings { .. }
            | StoreError::NotAStore { .. }
            | StoreError::Damaged { .. } => Exit::StoreOther,
            _ => Exit::Failed,
        };
        match way_out(&error) {
            Some(way_out) => Failure::new(exit, format!("{error}: {way_out}")),
            None => Failure::new(exit, error),
        }
    }
}

/// What to do about it, where the store itself does not say.
fn way_out(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Unavailable { .. } => {
            Some("check the address in store, and that it runs and can be reached from here")
        }
        StoreError::Denied { .. } => Some("check the user and the password of store"),
        StoreError::Open { .. } | StoreError::ReadOnly { .. } | StoreError::NotAStore { .. } => {
            Some("name another place with store, or mend this one")
        }
        StoreError::OtherSettings { .. } => {
            Some("give the keyspace its copies back, or make another store")
        }
        _ => None,
    }
}
