//! Lines as Docker's json-file driver writes them.

use std::borrow::Cow;

use serde::Deserialize;
use statetrail_event::Time;

use crate::format::{Decoded, LinePlace, Malformed};
use crate::partial::{Piece, Streams};

/// Docker splits lines that are longer than this, in bytes, and only those. A shorter piece that
/// does not end with a line feed is the last thing that a process wrote.
const SPLIT_BYTES: usize = 16 * 1024;

/// Unwraps Docker's JSON lines and joins those that Docker split, per stream.
pub struct DockerDecoder {
    streams: Streams,
    bytes_max: usize,
    /// The text of the line under way, if its escapes had to be resolved.
    text: String,
}

impl DockerDecoder {
    /// A decoder whose joined lines have at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> DockerDecoder {
        DockerDecoder { streams: Streams::default(), bytes_max, text: String::new() }
    }

    /// Unwraps one line that stands at `place`.
    pub fn decode<'a>(&'a mut self, line: &'a [u8], place: LinePlace) -> Decoded<'a> {
        let Some(docker) = parse_docker(line) else {
            return Decoded::Malformed(Malformed::NotDocker);
        };
        let text: &str = match docker.log {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => {
                self.text = text;
                &self.text
            }
        };
        let (text, last) = match text.strip_suffix('\n') {
            Some(text) => (text.strip_suffix('\r').unwrap_or(text), true),
            None => (text, text.len() < SPLIT_BYTES),
        };
        let piece = Piece { time: docker.time, bytes: text.as_bytes(), place, last };
        self.streams.of(docker.stderr).push(piece, self.bytes_max)
    }

    /// At the end of the file: where each line began whose last piece never came.
    pub fn finish(&mut self) -> Vec<LinePlace> {
        self.streams.finish()
    }
}

#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

pub(super) struct Docker<'a> {
    log: Cow<'a, str>,
    stderr: bool,
    time: Time,
}

pub(super) fn parse_docker(line: &[u8]) -> Option<Docker<'_>> {
    let json: Json<'_> = serde_json::from_slice(line).ok()?;
    let stderr = match &*json.stream {
        "stdout" => false,
        "stderr" => true,
        _ => return None,
    };
    Some(Docker { log: json.log, stderr, time: Time::parse_rfc3339(&json.time).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place whose offset is as good as its number.
    fn place_of(number: usize) -> LinePlace {
        LinePlace { offset: number as u64, line: number as u64 + 1 }
    }

    fn decode(lines: &[&str]) -> Vec<String> {
        let mut decoder = DockerDecoder::new(3 * SPLIT_BYTES - 1);
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

    /// A line of Docker's of that second.
    fn docker(log: &str, stream: &str, second: u8) -> String {
        let time = format!("2026-11-22T10:00:0{second}Z");
        serde_json::json!({"log": log, "stream": stream, "time": time}).to_string()
    }

    #[test]
    fn whole_lines() {
        let lines = [
            r#"{"log":"plain\n","stream":"stdout","time":"2026-11-22T10:00:00.000000005Z"}"#,
            r#"{"log":"a \"b\"\tc\r\n","stream":"stderr","attrs":{"x":"y"},"time":"2026-11-22T10:00:01Z"}"#,
            r#"{"log":"\n","stream":"stdout","time":"2026-11-22T10:00:07Z"}"#,
        ];
        assert_eq!(
            decode(&lines),
            [
                "2026-11-22T10:00:00.000000005Z 0 plain",
                "2026-11-22T10:00:01Z 1 a \"b\"\tc",
                "2026-11-22T10:00:07Z 2 ",
            ]
        );
    }

    #[test]
    fn lines_that_docker_split() {
        let piece = "x".repeat(SPLIT_BYTES);
        let quoted = "\"".repeat(SPLIT_BYTES);
        let lines = [
            docker(&piece, "stdout", 1),
            docker("stderr\n", "stderr", 2),
            docker(&quoted, "stdout", 3),
            docker("end\n", "stdout", 4),
            docker(&piece, "stderr", 5),
            docker("without a line feed", "stderr", 6),
            docker(&piece, "stdout", 7),
            docker(&piece, "stdout", 7),
            docker(&piece, "stdout", 7),
            docker("\n", "stdout", 8),
            docker(&piece, "stdout", 9),
        ];
        let seen = decode(&lines.each_ref().map(String::as_str));
        let expected = [
            "2026-11-22T10:00:02Z 1 stderr".to_owned(),
            format!("2026-11-22T10:00:01Z 0 {piece}{quoted}end"),
            format!("2026-11-22T10:00:05Z 4 {piece}without a line feed"),
            "too long from line 7".to_owned(),
            "cut from line 11".to_owned(),
        ];
        assert!(seen == expected, "{:?}", seen.iter().map(|line| &line[..line.len().min(40)]));
    }

    #[test]
    fn a_short_piece_without_a_line_feed_is_a_line() {
        let short = "x".repeat(SPLIT_BYTES - 1);
        let lines = [
            docker("Password: ", "stdout", 1),
            docker("ready\n", "stdout", 2),
            docker(&short, "stdout", 3),
            docker("last", "stdout", 4),
        ];
        let seen = decode(&lines.each_ref().map(String::as_str));
        let expected = [
            "2026-11-22T10:00:01Z 0 Password: ",
            "2026-11-22T10:00:02Z 1 ready",
            &format!("2026-11-22T10:00:03Z 2 {short}"),
            "2026-11-22T10:00:04Z 3 last",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_not_a_docker_line() {
        for line in [
            "",
            "{}",
            "plain",
            r#"{"log":"x\n","stream":"stdout"}"#,
            r#"{"log":"x\n","stream":"other","time":"2026-11-22T10:00:02Z"}"#,
            r#"{"log":"x\n","stream":"stdout","time":"today"}"#,
            r#"{"log":"x\n","stream":"stdout","time":"2026-11-22T10:00:02Z"#,
        ] {
            assert_eq!(decode(&[line]), ["malformed"], "{line}");
        }
    }
}
