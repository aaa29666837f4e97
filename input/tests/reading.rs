//! Logs are read the same however they are stored, and damage is told without losing what is
//! before it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::tz::TimeZone;
use statetrail_event::Time;
use statetrail_input::{Format, LogReader, OpenError, Place, ReadError, ReadSettings, Step};

const LINES: usize = 120;

fn text() -> String {
    (0..LINES).map(|n| format!("2026-11-22 10:{:02}:{:02} line {n}\n", n / 60, n % 60)).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

fn open(path: &Path) -> Result<LogReader, OpenError> {
    let settings = ReadSettings {
        format: None,
        time_format: None,
        zone: TimeZone::UTC,
        now: Time::from_nanos(1_795_400_000_000_000_000),
    };
    LogReader::open(&Place::typed(path), &settings)
}

/// Every line as `time position offset text`, and what ended the reading.
fn read(path: &Path) -> (Vec<String>, Option<ReadError>) {
    let mut reader = open(path).unwrap();
    let mut seen = Vec::new();
    loop {
        match reader.next_step() {
            Ok(None) => return (seen, None),
            Err(error) => return (seen, Some(error)),
            Ok(Some(Step::Line(line))) => seen.push(format!(
                "{} {} {} {}",
                line.time,
                line.position,
                line.offset,
                String::from_utf8_lossy(line.bytes)
            )),
            Ok(Some(Step::Piece)) => {}
            Ok(Some(Step::Failed { failure, .. })) => seen.push(failure.to_string()),
        }
    }
}

#[test]
fn compressed_and_concatenated_files_read_like_plain_ones() {
    let folder = tempfile::tempdir().unwrap();
    let text = text();
    let (head, tail) = text.as_bytes().split_at(text.len() / 3);
    let path = folder.path().join("plain");
    fs::write(&path, &text).unwrap();
    let (expected, error) = read(&path);
    assert!(error.is_none());
    assert_eq!(expected.len(), LINES);
    assert_eq!(expected[61], "2026-11-22T10:01:01Z 0 1698 2026-11-22 10:01:01 line 61");
    for (name, bytes) in [
        ("gzip", gzip(text.as_bytes())),
        ("two gzip members", [gzip(head), gzip(tail)].concat()),
        ("with an empty gzip member", [gzip(head), gzip(b""), gzip(tail)].concat()),
        ("zstd", zstd(text.as_bytes())),
        ("two zstd frames", [zstd(head), zstd(tail)].concat()),
        (
            "a skippable zstd frame",
            [b"\x50\x2a\x4d\x18\x01\0\0\0x", &*zstd(text.as_bytes())].concat(),
        ),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let (seen, error) = read(&path);
        assert!(error.is_none(), "{name}: {error:?}");
        assert_eq!(seen, expected, "{name}");
    }
}

#[test]
fn a_truncated_file_gives_every_whole_line_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let text = text();
    let path = folder.path().join("cut");
    fs::write(&path, &text).unwrap();
    let (all, _) = read(&path);
    // A block of Zstandard can be unpacked only as a whole, so the text is cut into ten frames.
    let frames: Vec<u8> = text.as_bytes().chunks(text.len().div_ceil(10)).flat_map(zstd).collect();
    for (packed, magic, lines_at_least) in
        [(gzip(text.as_bytes()), 2, LINES), (frames, 4, LINES * 9 / 10 - 1)]
    {
        let mut lines_at_last_cut = 0;
        for cut in magic..packed.len() {
            fs::write(&path, &packed[..cut]).unwrap();
            let (seen, error) = read(&path);
            let Some(error) = error.map(|error| error.to_string()) else {
                assert!(cut_between_frames(&packed, cut), "cut at {cut}: no error");
                continue;
            };
            assert!(error.contains(&format!("at byte {cut} (byte ")), "{error}");
            assert!(error.contains("ends in the middle of its "), "{error}");
            assert_eq!(seen, all[..seen.len()], "cut at {cut}");
            assert!(seen.len() >= lines_at_last_cut, "cut at {cut}");
            lines_at_last_cut = seen.len();
        }
        assert!(lines_at_last_cut >= lines_at_least, "{lines_at_last_cut}");
    }
}

/// Where one frame of Zstandard ends and the next one begins, a cut cannot be seen.
fn cut_between_frames(packed: &[u8], cut: usize) -> bool {
    packed[cut..].starts_with(b"\x28\xb5\x2f\xfd")
}

#[test]
fn damage_in_the_middle_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let mut packed = gzip(text().as_bytes());
    let middle = packed.len() / 2;
    packed[middle..middle + 8].fill(0xff);
    fs::write(&path, packed).unwrap();
    let error = read(&path).1.expect("damage").to_string();
    assert!(error.contains("has damaged gzip data"), "{error}");
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    for (path, expected) in [
        (folder.path().join("none"), "there is no such file"),
        (folder.path().to_owned(), "is a directory"),
        (file("binary", b"ELF\0\x01\x02"), "there is a NUL byte at byte 3"),
        (file("packed binary", &gzip(b"one line\n\0")), "there is a NUL byte at byte 9"),
        (file("xz", b"\xfd7zXZ\0data"), "xz -dc"),
        (file("bzip2", b"BZh91AY&SY"), "bzip2 -dc"),
        (file("zip", b"PK\x03\x04data"), "unzip -p"),
    ] {
        let error = open(&path).err().expect("refused").to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn a_log_may_be_empty_or_lack_its_last_line_feed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for (text, lines) in [
        ("", 0),
        ("2026-11-22 10:00:00 x", 1),
        ("2026-11-22 10:00:00 x\n\n2026-11-22 10:00:00 y", 3),
    ] {
        for bytes in [text.as_bytes().to_vec(), gzip(text.as_bytes()), zstd(text.as_bytes())] {
            fs::write(&path, bytes).unwrap();
            let (seen, error) = read(&path);
            assert!(error.is_none());
            assert_eq!(seen.len(), lines, "{text:?}");
        }
    }
}

#[test]
fn the_format_of_a_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for (text, format, line) in [
        (
            "2026-11-22T10:00:00.5Z stdout F a line\n",
            Format::Cri,
            "2026-11-22T10:00:00.500Z 0 0 a line",
        ),
        (
            "{\"log\":\"a line\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T10:00:00.5Z\"}\n",
            Format::Docker,
            "2026-11-22T10:00:00.500Z 0 0 a line",
        ),
        ("1795341600 a line\n", Format::Plain, "2026-11-22T10:00:00Z 0 0 1795341600 a line"),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(open(&path).unwrap().format(), format);
        assert_eq!(read(&path).0, [line]);
    }
}
