//! Lines as containerd and CRI-O write them: `<time> stdout|stderr P|F <text>`.

use memchr::memchr;
use statetrail_event::Time;

use crate::format::{Decoded, LinePlace, Malformed};
use crate::partial::{Piece, Streams};

/// Unwraps CRI lines and joins those that the runtime split, per stream.
pub struct CriDecoder {
    streams: Streams,
    bytes_max: usize,
}

impl CriDecoder {
    /// A decoder whose joined lines have at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> CriDecoder {
        CriDecoder { streams: Streams::default(), bytes_max }
    }

    /// Unwraps one line that stands at `place`.
    pub fn decode<'a>(&'a mut self, line: &'a [u8], place: LinePlace) -> Decoded<'a> {
        let Some(cri) = parse_cri(line) else {
            return Decoded::Malformed(Malformed::NotCri);
        };
        let piece = Piece { time: cri.time, bytes: cri.text, place, last: cri.last };
        self.streams.of(cri.stderr).push(piece, self.bytes_max)
    }

    /// At the end of the file: where each line began whose last piece never came.
    pub fn finish(&mut self) -> Vec<LinePlace> {
        self.streams.finish()
    }
}

pub(super) struct Cri<'a> {
    time: Time,
    stderr: bool,
    last: bool,
    text: &'a [u8],
}

pub(super) fn parse_cri(line: &[u8]) -> Option<Cri<'_>> {
    let (time, rest) = line.split_at_checked(memchr(b' ', line)?)?;
    let time = Time::parse_rfc3339(std::str::from_utf8(time).ok()?).ok()?;
    let (stderr, rest) = match rest.strip_prefix(b" stdout ") {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix(b" stderr ")?),
    };
    // Tags follow each other with colons; P and F is the only one that is in use.
    let (last, rest) = match rest {
        [b'F', rest @ ..] => (true, rest),
        [b'P', rest @ ..] => (false, rest),
        _ => return None,
    };
    let text = match rest {
        [] => rest,
        [b' ', text @ ..] => text,
        [b':', ..] => rest.split_at_checked(memchr(b' ', rest)? + 1)?.1,
        _ => return None,
    };
    Some(Cri { time, stderr, last, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place whose offset is as good as its number.
    fn place_of(number: usize) -> LinePlace {
        LinePlace { offset: number as u64, line: number as u64 + 1 }
    }

    /// Every line as `<stream's first letter><P|F> text`; gives what comes out.
    fn decode(lines: &[&str], bytes_max: usize) -> Vec<String> {
        let mut decoder = CriDecoder::new(bytes_max);
        let mut seen = Vec::new();
        for (number, line) in lines.iter().enumerate() {
            match decoder.decode(line.as_bytes(), place_of(number)) {
                Decoded::Line { time, bytes, offset } => seen.push(format!(
                    "{} {offset} {}",
                    time.map(|time| time.to_string()).unwrap_or_default(),
                    String::from_utf8_lossy(bytes)
                )),
                Decoded::Held => {}
                Decoded::TooLong { line } => seen.push(format!("too long from line {line}")),
                Decoded::Malformed(_) => seen.push("malformed".to_owned()),
            }
        }
        seen.extend(decoder.finish().iter().map(|place| format!("cut from line {}", place.line)));
        seen
    }

    #[test]
    fn whole_lines() {
        for (line, expected) in [
            ("2026-11-22T10:00:00.5Z stdout F a b", "2026-11-22T10:00:00.500Z 0 a b"),
            ("2026-11-22T10:00:00+01:00 stderr F  x ", "2026-11-22T09:00:00Z 0  x "),
            ("2026-11-22T10:00:00Z stdout F ", "2026-11-22T10:00:00Z 0 "),
            ("2026-11-22T10:00:00Z stdout F", "2026-11-22T10:00:00Z 0 "),
            ("2026-11-22T10:00:00Z stdout F:x text", "2026-11-22T10:00:00Z 0 text"),
            ("", "malformed"),
            ("2026-11-22T10:00:00Z", "malformed"),
            ("2026-11-22T10:00:00Z stdout", "malformed"),
            ("2026-11-22T10:00:00Z stdout X text", "malformed"),
            ("2026-11-22T10:00:00Z stdin F text", "malformed"),
            ("2026-11-22T10:00:00Z stdout Full text", "malformed"),
            ("2026-11-42T10:00:00Z stdout F text", "malformed"),
        ] {
            assert_eq!(decode(&[line], 100), [expected], "{line}");
        }
    }

    #[test]
    fn split_lines_are_joined_per_stream() {
        let lines = [
            "2026-11-22T10:00:00Z stdout P one ",
            "2026-11-22T10:00:01Z stderr P eins ",
            "2026-11-22T10:00:02Z stdout P two ",
            "2026-11-22T10:00:03Z stderr F zwei",
            "2026-11-22T10:00:04Z stdout F three",
            "2026-11-22T10:00:05Z stdout F four",
        ];
        assert_eq!(
            decode(&lines, 100),
            [
                "2026-11-22T10:00:01Z 1 eins zwei",
                "2026-11-22T10:00:00Z 0 one two three",
                "2026-11-22T10:00:05Z 5 four",
            ]
        );
    }

    #[test]
    fn a_joined_line_has_a_bound_and_a_missing_end_is_told() {
        let lines = [
            "2026-11-22T10:00:00Z stdout P 12345",
            "2026-11-22T10:00:00Z stdout P 67890",
            "2026-11-22T10:00:00Z stdout F 1",
            "2026-11-22T10:00:00Z stdout P 12345",
            "2026-11-22T10:00:00Z stdout F 67890",
            "2026-11-22T10:00:00Z stdout P x",
            "2026-11-22T10:00:00Z stderr P y",
        ];
        assert_eq!(
            decode(&lines, 10),
            [
                "too long from line 1",
                "2026-11-22T10:00:00Z 3 1234567890",
                "cut from line 6",
                "cut from line 7",
            ]
        );
    }
}
