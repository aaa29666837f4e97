//! How a command ends when it does not end well.

use std::fmt;
use std::io;
use std::process::ExitCode;

use statetrail_input::TextsError;

/// What the exit code says. The numbers are a promise to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It went well.
    Done = 0,
    /// Something failed, such as an input that could not be read to its end.
    Failed = 1,
    /// The command was typed wrongly.
    Usage = 2,
    /// There is no such entity, or nothing matched.
    NotFound = 3,
    /// A part of a name fits several entities.
    Ambiguous = 4,
    /// The store cannot be opened, read or written.
    Store = 5,
    /// Kafka does not answer, refuses, or has no such topic.
    Kafka = 6,
    /// Ctrl-C or a termination signal.
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
  0    it went well
  1    something failed, such as an input that could not be read to its end
  2    the command was typed wrongly
  3    there is no such entity, or nothing matched
  4    a part of a name fits several entities
  5    the store cannot be opened, read or written
  6    Kafka does not answer, refuses, or has no such topic
  130  interrupted
A reader that closes the pipe is no failure.";

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// Nobody reads the output any more, which is no failure for the user.
    ClosedPipe,
    /// Something to tell the user.
    Told {
        /// What the exit code says.
        exit: Exit,
        /// What happened and where.
        message: String,
        /// What to do about it, a line each.
        hints: Vec<String>,
    },
}

impl Failure {
    /// A failure with a message.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Failure {
        Failure::Told { exit, message: message.to_string(), hints: Vec::new() }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        if let Failure::Told { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    /// What the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::ClosedPipe => Exit::Done,
            Failure::Told { exit, .. } => *exit,
        }
    }
}

/// Where the error is about the output, and nothing more is known.
impl From<TextsError> for Failure {
    fn from(error: TextsError) -> Failure {
        Failure::new(Exit::Failed, error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::new(Exit::Failed, format!("the output cannot be written: {error}")),
        }
    }
}
