//! The formats of log files, and how to tell them apart.

use std::fmt;

use statetrail_event::Time;

use super::cri::{CriDecoder, parse_cri};
use super::docker::{DockerDecoder, parse_docker};

/// Lines that are looked at to find the format.
const SAMPLE_LINES: usize = 32;

/// How each line of a file is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// As the service wrote it.
    Plain,
    /// As containerd and CRI-O write it: `<time> stdout F <line>`.
    Cri,
    /// As Docker's json-file driver writes it: `{"log":"<line>\n","stream":"stdout","time":"..."}`.
    Docker,
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
    TooLong,
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

    /// The format that most of the first lines have; plain if no other one fits.
    pub fn of_sample(sample: &[u8]) -> Format {
        let mut lines = sample.split(|byte| *byte == b'\n').take(SAMPLE_LINES).peekable();
        let (mut cri, mut docker, mut all) = (0, 0, 0);
        while let Some(line) = lines.next() {
            let cut_off = lines.peek().is_none() && all > 0;
            if line.is_empty() || cut_off {
                continue;
            }
            all += 1;
            cri += usize::from(parse_cri(line).is_some());
            docker += usize::from(parse_docker(line).is_some());
        }
        match all {
            _ if cri * 2 > all => Format::Cri,
            _ if docker * 2 > all => Format::Docker,
            _ => Format::Plain,
        }
    }
}

/// Unwraps the lines of one file.
pub enum Decoder {
    /// Nothing to unwrap.
    Plain,
    /// CRI lines.
    Cri(CriDecoder),
    /// Docker lines.
    Docker(DockerDecoder),
}

impl Decoder {
    /// A decoder for a file of that format, whose joined lines have at most `bytes_max` bytes.
    pub fn new(format: Format, bytes_max: usize) -> Decoder {
        match format {
            Format::Plain => Decoder::Plain,
            Format::Cri => Decoder::Cri(CriDecoder::new(bytes_max)),
            Format::Docker => Decoder::Docker(DockerDecoder::new(bytes_max)),
        }
    }

    /// Unwraps one line that starts at `offset`.
    pub fn decode<'a>(&'a mut self, bytes: &'a [u8], offset: u64) -> Decoded<'a> {
        match self {
            Decoder::Plain => Decoded::Line { time: None, bytes, offset },
            Decoder::Cri(cri) => cri.decode(bytes, offset),
            Decoder::Docker(docker) => docker.decode(bytes, offset),
        }
    }

    /// At the end of the file: one entry for each line whose last piece never came.
    pub fn finish(&mut self) -> Vec<Malformed> {
        match self {
            Decoder::Plain => Vec::new(),
            Decoder::Cri(cri) => cri.finish(),
            Decoder::Docker(docker) => docker.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_found_from_the_first_lines() {
        let cri = "2026-11-22T10:00:00.5Z stdout F hello";
        let docker = r#"{"log":"hello\n","stream":"stdout","time":"2026-11-22T10:00:00.5Z"}"#;
        let json = r#"{"log":"hello","level":"info"}"#;
        for (sample, format) in [
            (cri.to_owned(), Format::Cri),
            (format!("{cri}\n"), Format::Cri),
            (format!("the end of a line\n{cri}\n{cri}\n"), Format::Cri),
            (format!("{cri}\n{cri}\n2026-11-"), Format::Cri),
            (docker.to_owned(), Format::Docker),
            (format!("{docker}\n{docker}\n{{\"log"), Format::Docker),
            (json.to_owned(), Format::Plain),
            ("2026-11-22T10:00:00.5Z stdout is full".to_owned(), Format::Plain),
            (String::new(), Format::Plain),
            ("\n\n".to_owned(), Format::Plain),
        ] {
            assert_eq!(Format::of_sample(sample.as_bytes()), format, "{sample}");
        }
    }
}
