//! The formats of log files, and how to tell them apart.

use std::fmt;

use statetrail_event::Time;

use crate::cri::{CriDecoder, parse_cri};
use crate::docker::{DockerDecoder, parse_docker};
use crate::lines::Sample;
use crate::votes::Votes;

/// Lines that are looked at to find the format.
const SAMPLE_LINES: usize = 32;

/// How each line of a file is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As the service wrote it.
    Plain,
    /// As containerd and CRI-O write it: `<time> stdout F <line>`.
    Cri,
    /// As Docker's json-file driver writes it: `{"log":"<line>\n","stream":"stdout","time":"..."}`.
    Docker,
}

/// Where a line of a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinePlace {
    /// Where it starts, in bytes from the start of the text.
    pub offset: u64,
    /// Its number, from 1.
    pub line: u64,
}

/// What one line of a file is.
#[derive(Debug, PartialEq)]
pub enum Decoded<'a> {
    /// A whole line.
    Line {
        /// The runtime's time; a plain file has none.
        time: Option<Time>,
        /// The line as the service wrote it.
        bytes: &'a [u8],
        /// Where it starts in the file, in bytes.
        offset: u64,
    },
    /// A piece of a line, kept until the last piece comes.
    Held,
    /// The last piece of a line that is over the limit once it is put together.
    TooLong {
        /// The number of the line with its first piece.
        line: u64,
    },
    /// Not what the format promises.
    Malformed(Malformed),
}

/// Why a line is not in the format of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Malformed {
    /// Not `<time> stdout|stderr P|F <line>`.
    NotCri,
    /// Not an object with `log`, `stream` and `time`.
    NotDocker,
    /// The file ends in the middle of a line that the runtime split.
    LastPieceMissing,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Malformed::NotCri => "not a CRI line: <time> stdout|stderr P|F <text>",
            Malformed::NotDocker => {
                "not a Docker line: {\"log\":\"...\",\"stream\":\"...\",\"time\":\"...\"}"
            }
            Malformed::LastPieceMissing => "the last piece of a split line is missing",
        })
    }
}

impl Format {
    /// What a person types for it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Plain => "plain",
            Format::Cri => "cri",
            Format::Docker => "docker",
        }
    }

    /// The format that a line has, taken by itself; an empty one can be of any.
    fn of_line(line: &[u8]) -> Option<Format> {
        let format = match line {
            [] | [b'\r'] => return None,
            _ if parse_cri(line).is_some() => Format::Cri,
            _ if parse_docker(line).is_some() => Format::Docker,
            _ => Format::Plain,
        };
        Some(format)
    }
}

/// Unwraps the lines of one file.
pub struct Decoder {
    format: Format,
    /// While too few lines were seen to know the format.
    votes: Option<Votes<Format>>,
    cri: CriDecoder,
    docker: DockerDecoder,
}

impl Decoder {
    /// A decoder for a file of that format, whose joined lines have at most `bytes_max` bytes.
    pub fn new(format: Format, bytes_max: usize) -> Decoder {
        let (cri, docker) = (CriDecoder::new(bytes_max), DockerDecoder::new(bytes_max));
        Decoder { format, votes: None, cri, docker }
    }

    /// A decoder for a file of the format that most of its first lines have. Until enough of
    /// them are seen, a container's line is taken for one wherever it comes.
    pub fn finding_out(sample: &Sample<'_>, bytes_max: usize) -> Decoder {
        let votes = Votes::ahead(sample.lines().map(Format::of_line), SAMPLE_LINES);
        let mut decoder = Decoder::new(votes.leader().unwrap_or(Format::Plain), bytes_max);
        let settled = sample.complete || votes.is_settled();
        decoder.votes = Some(votes).filter(|_| !settled);
        decoder
    }

    /// The format of the file, as far as it is known.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The format in which to read a line.
    fn format_for(&mut self, line: &[u8]) -> Format {
        let Some(votes) = &mut self.votes else { return self.format };
        let own = Format::of_line(line);
        votes.add(own);
        self.format = votes.leader().unwrap_or(Format::Plain);
        if votes.is_settled() {
            self.votes = None;
        }
        own.filter(|own| *own != Format::Plain).unwrap_or(self.format)
    }

    /// Unwraps one line that stands at `place`.
    pub fn decode<'a>(&'a mut self, bytes: &'a [u8], place: LinePlace) -> Decoded<'a> {
        match self.format_for(bytes) {
            Format::Plain => Decoded::Line { time: None, bytes, offset: place.offset },
            Format::Cri => self.cri.decode(bytes, place),
            Format::Docker => self.docker.decode(bytes, place),
        }
    }

    /// At the end of the file: where each line began whose last piece never came.
    pub fn finish(&mut self) -> Vec<LinePlace> {
        let mut unfinished = self.cri.finish();
        unfinished.extend(self.docker.finish());
        unfinished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRI: &str = "2026-11-22T10:00:00.5Z stdout F hello";
    const DOCKER: &str = r#"{"log":"hello\n","stream":"stdout","time":"2026-11-22T10:00:00.5Z"}"#;

    #[test]
    fn the_format_is_found_from_the_first_lines() {
        let json = r#"{"log":"hello","level":"info"}"#;
        for (text, format) in [
            (CRI.to_owned(), Format::Cri),
            (format!("{CRI}\n"), Format::Cri),
            (format!("the end of a line\n{CRI}\n{CRI}\n"), Format::Cri),
            (format!("{CRI}\n\n\n2026-11-"), Format::Cri),
            (DOCKER.to_owned(), Format::Docker),
            (format!("{DOCKER}\n{DOCKER}\n{{\"log"), Format::Docker),
            (json.to_owned(), Format::Plain),
            ("2026-11-22T10:00:00.5Z stdout is full".to_owned(), Format::Plain),
            (String::new(), Format::Plain),
            ("\n\r\n".to_owned(), Format::Plain),
        ] {
            let sample = Sample { text: text.as_bytes(), complete: true };
            assert_eq!(Decoder::finding_out(&sample, 100).format(), format, "{text}");
        }
    }

    /// What each line of a pipe comes out as that brings them one by one.
    fn formats(first: &str, lines: &[&str]) -> Vec<&'static str> {
        let sample = Sample { text: first.as_bytes(), complete: false };
        let mut decoder = Decoder::finding_out(&sample, 100);
        let mut seen = Vec::new();
        for line in sample.lines().chain(lines.iter().map(|line| line.as_bytes())) {
            seen.push(match decoder.decode(line, LinePlace { offset: 0, line: 1 }) {
                Decoded::Line { time: None, .. } => "plain",
                Decoded::Line { bytes: b"hello", .. } => "unwrapped",
                _ => "failed",
            });
        }
        seen.push(decoder.format().name());
        seen
    }

    #[test]
    fn the_format_is_judged_again_while_few_lines_are_there() {
        let banner = "Attaching to the log";
        for (first, lines, expected) in [
            (
                banner,
                &[CRI, CRI, CRI, banner][..],
                &["plain", "unwrapped", "unwrapped", "unwrapped", "failed", "cri"][..],
            ),
            (banner, &[DOCKER, DOCKER], &["plain", "unwrapped", "unwrapped", "docker"]),
            (CRI, &[banner, banner, banner], &["unwrapped", "failed", "plain", "plain", "plain"]),
            ("banner\nx\n2026", &[CRI], &["plain", "plain", "plain", "unwrapped", "plain"]),
        ] {
            assert_eq!(formats(first, lines), expected, "{first}");
        }
        let many = vec![banner; SAMPLE_LINES];
        let seen = formats(banner, &[&many[..], &[CRI]].concat());
        assert!(seen.iter().all(|format| *format == "plain"), "it stays what it is: {seen:?}");
    }
}
