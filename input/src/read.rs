//! One log from its first line to its last: unwrapped, joined and with times.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use statetrail_event::Time;

use crate::format::{Decoded, Decoder, Format, LinePlace, Malformed};
use crate::lines::{LINE_BYTES_MAX, LineReader, RawLine};
use crate::log_time::{LogTimes, TimeFailure, TimeFormat};
use crate::open::{Compression, Input, OpenError, Place, open};

/// What is asked of every log that is read.
#[derive(Clone, Debug)]
pub struct ReadSettings {
    /// How lines are wrapped; found from the first lines if not given.
    pub format: Option<Format>,
    /// How plain lines write their time; found from the first lines if not given.
    pub time_format: Option<TimeFormat>,
    /// The zone of local times.
    pub zone: TimeZone,
    /// The present, for logs that do not say when they were written.
    pub now: Time,
}

/// A line as a service wrote it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogLine<'a> {
    /// Its bytes, without the line feed.
    pub bytes: &'a [u8],
    /// When it was written.
    pub time: Time,
    /// Its place among lines of the same time; see [`statetrail_event::seq_of`].
    pub position: u64,
    /// Where it starts in the text, in bytes.
    pub offset: u64,
}

/// What comes next in a log.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    /// A line.
    Line(LogLine<'a>),
    /// A piece of a line that a runtime split; the line comes with its last piece.
    Piece,
    /// A line that cannot be used.
    Failed {
        /// Why.
        failure: LineFailure,
        /// Its number, from 1; of a line that a runtime split, that of its first piece.
        line: u64,
    },
}

/// Why a line cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineFailure {
    /// It is longer than [`LINE_BYTES_MAX`].
    TooLong,
    /// It has no time, and no line before it to which it could belong has one.
    NoTime,
    /// What stands where its time should be is written like one, but there is no such moment.
    BadTime,
    /// It is not what the format promises.
    Malformed(Malformed),
}

impl LineFailure {
    /// The reason as a word for scripts.
    pub fn code(self) -> &'static str {
        match self {
            LineFailure::TooLong => "too_long",
            LineFailure::NoTime => "no_time",
            LineFailure::BadTime => "bad_time",
            LineFailure::Malformed(Malformed::NotCri) => "not_cri",
            LineFailure::Malformed(Malformed::NotDocker) => "not_docker",
            LineFailure::Malformed(Malformed::LastPieceMissing) => "last_piece_missing",
        }
    }
}

impl std::fmt::Display for LineFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LineFailure::TooLong => write!(formatter, "longer than {LINE_BYTES_MAX} bytes"),
            LineFailure::NoTime => formatter.write_str("no time in it or before it"),
            LineFailure::BadTime => formatter.write_str("its time does not exist"),
            LineFailure::Malformed(malformed) => malformed.fmt(formatter),
        }
    }
}

/// A log that could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("{place} {what} at byte {stored_offset}{text_offset}; every whole line before that was read{cut_off}",
    text_offset = self.text_offset_told(), cut_off = self.cut_off_told())]
pub struct ReadError {
    place: Place,
    what: String,
    stored_offset: u64,
    text_offset: Option<u64>,
    cut_off_bytes: usize,
}

impl ReadError {
    fn text_offset_told(&self) -> String {
        self.text_offset.map(|at| format!(" (byte {at} of the text)")).unwrap_or_default()
    }

    fn cut_off_told(&self) -> String {
        match self.cut_off_bytes {
            0 => String::new(),
            bytes => format!(", the unfinished one of {bytes} bytes was not"),
        }
    }
}

/// Reads one log.
pub struct LogReader {
    place: Place,
    compression: Compression,
    lines: LineReader<Box<dyn Read + Send>>,
    stored_bytes_read: Arc<AtomicU64>,
    decoder: Decoder,
    times: LogTimes,
    /// Lines read so far.
    lines_read: u64,
    /// Lines that were never finished, once the log has ended.
    unfinished: Option<Vec<LinePlace>>,
}

impl LogReader {
    /// Opens a log and finds out how it is written.
    ///
    /// # Errors
    /// When it cannot be opened or is not a text.
    pub fn open(place: &Place, settings: &ReadSettings) -> Result<LogReader, OpenError> {
        let Input { place, mut lines, live, compression, stored_bytes_read, modified } =
            open(place)?;
        let written = modified
            .and_then(|modified| Timestamp::try_from(modified).ok())
            .map_or(settings.now, |modified| Time::nearest(modified.as_nanosecond()));
        let mut times = LogTimes::new(settings.time_format.clone(), settings.zone.clone(), written);
        let sample = lines.sample(live);
        let decoder = match settings.format {
            Some(format) => Decoder::new(format, LINE_BYTES_MAX),
            None => Decoder::finding_out(&sample, LINE_BYTES_MAX),
        };
        if decoder.format() == Format::Plain {
            times.learn(&sample);
        }
        Ok(LogReader {
            place,
            compression,
            lines,
            stored_bytes_read,
            decoder,
            times,
            lines_read: 0,
            unfinished: None,
        })
    }

    /// How the log's lines are wrapped, as far as it is known.
    pub fn format(&self) -> Format {
        self.decoder.format()
    }

    /// Bytes read so far, as they are stored.
    pub fn stored_bytes_read(&self) -> u64 {
        self.stored_bytes_read.load(Ordering::Relaxed)
    }

    /// Whether the next step may have to wait for input.
    pub fn may_wait(&self) -> bool {
        self.unfinished.is_none() && !self.lines.holds_line()
    }

    /// What comes next, or `None` at the end.
    ///
    /// # Errors
    /// When the log cannot be read to its end; every whole line before was handed out then.
    pub fn next_step(&mut self) -> Result<Option<Step<'_>>, ReadError> {
        if let Some(unfinished) = &mut self.unfinished {
            return Ok(unfinished.pop().map(last_piece_missing));
        }
        // Asked first, because a borrow of the line would last into the other arms.
        if let Err(error) = self.lines.buffer_line() {
            return Err(self.read_error(&error));
        }
        match self.lines.take_buffered() {
            None => {
                let mut unfinished = self.decoder.finish();
                let next = unfinished.pop();
                self.unfinished = Some(unfinished);
                Ok(next.map(last_piece_missing))
            }
            Some(RawLine::TooLong) => {
                self.lines_read += 1;
                Ok(Some(Step::Failed { failure: LineFailure::TooLong, line: self.lines_read }))
            }
            Some(RawLine::Line { bytes, offset }) => {
                self.lines_read += 1;
                let place = LinePlace { offset, line: self.lines_read };
                let decoded = self.decoder.decode(bytes, place);
                Ok(Some(step_of(decoded, place.line, &mut self.times)))
            }
        }
    }

    fn read_error(&self, error: &io::Error) -> ReadError {
        let packed = match self.compression {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        };
        let what = match (packed, error.kind()) {
            (Some(packed), io::ErrorKind::UnexpectedEof) => {
                format!("ends in the middle of its {packed} data")
            }
            (Some(packed), _) => format!("has damaged {packed} data ({error})"),
            (None, _) => format!("cannot be read ({error})"),
        };
        ReadError {
            place: self.place.clone(),
            what,
            stored_offset: self.stored_bytes_read(),
            text_offset: packed.map(|_| self.lines.offset()),
            cut_off_bytes: self.lines.cut_off_bytes(),
        }
    }
}

fn last_piece_missing(first_piece: LinePlace) -> Step<'static> {
    let failure = LineFailure::Malformed(Malformed::LastPieceMissing);
    Step::Failed { failure, line: first_piece.line }
}

fn step_of<'a>(decoded: Decoded<'a>, line: u64, times: &mut LogTimes) -> Step<'a> {
    match decoded {
        Decoded::Held => Step::Piece,
        Decoded::TooLong { line } => Step::Failed { failure: LineFailure::TooLong, line },
        Decoded::Malformed(malformed) => {
            Step::Failed { failure: LineFailure::Malformed(malformed), line }
        }
        Decoded::Line { time: Some(time), bytes, offset } => {
            Step::Line(LogLine { bytes, time, position: 0, offset })
        }
        Decoded::Line { time: None, bytes, offset } => match times.next(bytes) {
            Err(TimeFailure::Missing) => Step::Failed { failure: LineFailure::NoTime, line },
            Err(TimeFailure::NoSuchMoment) => Step::Failed { failure: LineFailure::BadTime, line },
            Ok((time, position)) => Step::Line(LogLine { bytes, time, position, offset }),
        },
    }
}
