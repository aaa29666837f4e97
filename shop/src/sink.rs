//! What a run hands out: log lines.

use std::io;

use statetrail_event::Time;

use crate::fleet::Pod;
use crate::kind::LineKind;

/// Where a container wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line that a container wrote.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    /// The pod that wrote it.
    pub pod: &'a Pod,
    /// The time that the node's clock gave it. No two lines of a run have the same one, except
    /// a line and its repetition.
    pub time: Time,
    /// Where it was written.
    pub stream: Stream,
    /// Which kind of line it is.
    pub kind: LineKind,
    /// Whether the very same line was handed out before.
    pub repeated: bool,
    /// The text without the line's end.
    pub text: &'a [u8],
}

/// Takes the lines of a run in the order in which they reach the log files.
pub trait LineSink {
    /// Takes one line.
    ///
    /// # Errors
    /// When it cannot be kept; the run ends with that error.
    fn line(&mut self, line: &LogLine<'_>) -> io::Result<()>;
}

impl<F: FnMut(&LogLine<'_>) -> io::Result<()>> LineSink for F {
    fn line(&mut self, line: &LogLine<'_>) -> io::Result<()> {
        self(line)
    }
}
