//! The time of a plain line.
//!
//! Which form a file's times have is found from its first lines and then kept. A line that has
//! its time in another known form where the others have theirs is read in that form. A line
//! without a time belongs to the one before it and has its time.

mod fields;
mod forms;
mod place;
mod stamp;

use std::str::FromStr;

use jiff::tz::TimeZone;
use statetrail_event::{Positions, Time};

use place::Place;
use stamp::Stamp;

use crate::Sample;
use crate::votes::Votes;

pub use forms::TimeForm;
pub use stamp::StampReader;

/// Lines that are looked at to find the form of a file's times.
const SAMPLE_LINES: usize = 200;

/// A `--time-format` that is neither a known name nor a pattern.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no time format; give one of {names}, or a pattern such as \"%d.%m.%Y %H:%M:%S\"", names = TimeForm::names())]
pub struct TimeFormatError(String);

/// What `--time-format` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// A known form.
    Form(TimeForm),
    /// A pattern as `strftime` has it.
    Pattern(String),
}

impl FromStr for TimeFormat {
    type Err = TimeFormatError;

    fn from_str(text: &str) -> Result<TimeFormat, TimeFormatError> {
        if let Some(form) = TimeForm::named(text) {
            return Ok(TimeFormat::Form(form));
        }
        if !stamp::is_pattern(text) {
            return Err(TimeFormatError(text.to_owned()));
        }
        Ok(TimeFormat::Pattern(text.to_owned()))
    }
}

/// Why a line has no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFailure {
    /// Neither it nor the line to which it belongs has one.
    Missing,
    /// What stands there is written like a time, but there is no such moment.
    NoSuchMoment,
}

/// Reads the times of one file's lines.
pub struct LogTimes {
    format: Option<TimeFormat>,
    /// Whether the format was asked for; then no other form is tried.
    given: bool,
    /// While too few lines were seen to know the format.
    votes: Option<Votes<TimeForm>>,
    /// Where the last line that had a time had it.
    place: Option<Place>,
    stamps: StampReader,
    last: Option<Time>,
    positions: Positions,
}

impl LogTimes {
    /// Times in the given format, or in the one that the lines turn out to have. Local times are
    /// times of `zone`; those without a year are in the last year that does not make them later
    /// than `written`, the time at which the file was written.
    pub fn new(format: Option<TimeFormat>, zone: TimeZone, written: Time) -> LogTimes {
        let stamps = StampReader::new(zone, written);
        let given = format.is_some();
        let positions = Positions::default();
        LogTimes { format, given, votes: None, place: None, stamps, last: None, positions }
    }

    /// Finds the form that most of the first lines have, unless the format was given. Of a
    /// sample that is too small for that, the lines that come next are judged with it. Without
    /// any form, every line is looked at until one has a time.
    pub fn learn(&mut self, sample: &Sample<'_>) {
        if self.given {
            return;
        }
        let votes = Votes::ahead(sample.lines().map(|line| self.form_of(line)), SAMPLE_LINES);
        self.format = votes.leader().map(TimeFormat::Form);
        let settled = sample.complete || votes.is_settled();
        self.votes = Some(votes).filter(|_| !settled);
    }

    /// Lets a line vote while there were too few.
    fn vote(&mut self, line: &[u8]) {
        if self.votes.is_none() {
            return;
        }
        let own = self.form_of(line);
        let Some(votes) = &mut self.votes else { return };
        votes.add(own);
        self.format = votes.leader_for(own).map(TimeFormat::Form);
        if votes.is_settled() {
            self.votes = None;
        }
    }

    /// The time of a line and its position among the lines of that time, also if others came in
    /// between.
    ///
    /// # Errors
    /// When the line has no time. Lines that belong to it have none either.
    pub fn next(&mut self, line: &[u8]) -> Result<(Time, u64), TimeFailure> {
        match self.time_of(line) {
            Ok(time) => self.last = Some(time),
            Err(TimeFailure::Missing) => {}
            Err(TimeFailure::NoSuchMoment) => {
                self.last = None;
                return Err(TimeFailure::NoSuchMoment);
            }
        }
        let time = self.last.ok_or(TimeFailure::Missing)?;
        Ok((time, self.positions.next(time)))
    }

    /// The time that the line itself has.
    fn time_of(&mut self, line: &[u8]) -> Result<Time, TimeFailure> {
        self.vote(line);
        let form = match &self.format {
            Some(TimeFormat::Pattern(pattern)) => {
                return self.stamps.read_pattern(pattern, line).ok_or(TimeFailure::Missing);
            }
            Some(TimeFormat::Form(form)) => *form,
            None => {
                let form = self.form_of(line).ok_or(TimeFailure::Missing)?;
                self.format = Some(TimeFormat::Form(form));
                form
            }
        };
        self.time_in(form, line)
    }

    /// The time of a line of a file whose times have that form.
    fn time_in(&mut self, form: TimeForm, line: &[u8]) -> Result<Time, TimeFailure> {
        let found = form.find(line);
        if let Some((place, stamp)) = found
            && (place == Place::START || self.place.is_none_or(|usual| usual == place))
        {
            let time = self.stamps.read(stamp).ok_or(TimeFailure::NoSuchMoment)?;
            self.place = Some(place);
            return Ok(time);
        }
        if let Some(stamp) = self.stamp_of_other_form(form, line) {
            return self.stamps.read(stamp).ok_or(TimeFailure::NoSuchMoment);
        }
        // Elsewhere in the line it may be the time of the line, or just a part of its text.
        let (place, stamp) = found.ok_or(TimeFailure::Missing)?;
        let time = self.stamps.read(stamp).ok_or(TimeFailure::Missing)?;
        self.place = Some(place);
        Ok(time)
    }

    /// What a line says in another known form, at the usual place or at its start. Lines that
    /// are indented continue others, and are not searched.
    fn stamp_of_other_form(&self, learnt: TimeForm, line: &[u8]) -> Option<Stamp> {
        if self.given || matches!(line.first(), None | Some(b' ' | b'\t')) {
            return None;
        }
        let usual = self.place.filter(|place| *place != Place::START);
        let texts = [usual.and_then(|place| place.text_in(line)), Some(line)];
        texts.into_iter().flatten().find_map(|text| {
            let forms = TimeForm::ALL.into_iter().filter(|form| *form != learnt);
            forms
                .filter(|form| form.is_unmistakable_in(text))
                .find_map(|form| form.find_at_start(text))
        })
    }

    /// The first form in which the line has a time that exists.
    fn form_of(&mut self, line: &[u8]) -> Option<TimeForm> {
        TimeForm::ALL.into_iter().find(|form| {
            form.find(line).is_some_and(|(_, stamp)| self.stamps.read(stamp).is_some())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(lines: &[&str], format: Option<&str>, zone: &str) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let written = Time::parse_rfc3339("2026-11-23T12:00:00Z").unwrap();
        let format = format.map(|format| format.parse().unwrap());
        let mut times = LogTimes::new(format, zone, written);
        times.learn(&Sample { text: lines.join("\n").as_bytes(), complete: true });
        read(&mut times, lines)
    }

    fn read(times: &mut LogTimes, lines: &[&str]) -> Vec<String> {
        let seen = lines.iter().map(|line| match times.next(line.as_bytes()) {
            Ok((time, position)) => format!("{time} {position}"),
            Err(TimeFailure::Missing) => "none".to_owned(),
            Err(TimeFailure::NoSuchMoment) => "no such moment".to_owned(),
        });
        seen.collect()
    }

    #[test]
    fn one_time_of_each_form() {
        for (line, expected) in [
            ("2026-11-22T14:03:07Z x", "2026-11-22T14:03:07Z"),
            ("2026-11-22T14:03:07.123456789+02:00 x", "2026-11-22T12:03:07.123456789Z"),
            ("2026-11-22T14:03:07,5+0200 x", "2026-11-22T12:03:07.500Z"),
            ("2026-11-22 14:03:07 x", "2026-11-22T13:03:07Z"),
            ("2026-11-22 14:03:07,123 x", "2026-11-22T13:03:07.123Z"),
            ("2026-11-22 14:03:07.123 -0730 x", "2026-11-22T21:33:07.123Z"),
            ("2026-11-22 14:03:07 UTC x", "2026-11-22T14:03:07Z"),
            ("2026-11-22 14:03:07 -1234x", "2026-11-22T13:03:07Z"),
            ("2026/11/22 14:03:07 [error] 1#1: x", "2026-11-22T13:03:07Z"),
            ("[2026-11-22T14:03:07Z INFO x] y", "2026-11-22T14:03:07Z"),
            (
                "api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 1 INFO",
                "2017-05-15T22:00:00.008Z",
            ),
            ("2026-07-22 14:03:07 summer", "2026-07-22T12:03:07Z"),
            ("Nov 22 14:03:07 host sshd[1]: x", "2026-11-22T13:03:07Z"),
            ("Nov  2 14:03:07 host sshd[1]: x", "2026-11-02T13:03:07Z"),
            ("<34>Nov 22 14:03:07 host su: x", "2026-11-22T13:03:07Z"),
            ("Dec 31 23:59:59 host x", "2025-12-31T22:59:59Z"),
            ("Nov 24 14:03:07 a little later than the file", "2025-11-24T13:03:07Z"),
            ("Nov 24 12:30:00 a clock that is ahead", "2026-11-24T11:30:00Z"),
            ("Feb 29 12:00:00 the last leap year", "2024-02-29T11:00:00Z"),
            (
                "10.0.0.1 - - [22/Nov/2026:14:03:07 +0000] \"GET / HTTP/1.1\" 200",
                "2026-11-22T14:03:07Z",
            ),
            ("10.0.0.1 - - [22/Nov/2026:14:03:07 -0130] x", "2026-11-22T15:33:07Z"),
            ("I1122 14:03:07.123456 1 main.go:1] x", "2026-11-22T13:03:07.123456Z"),
            ("1795356187 x", "2026-11-22T14:03:07Z"),
            ("1795356187.25 x", "2026-11-22T14:03:07.250Z"),
            ("1795356187123 x", "2026-11-22T14:03:07.123Z"),
            ("[1795356187123] x", "2026-11-22T14:03:07.123Z"),
            (r#"{"level":"info","ts":1795356187.123,"msg":"x"}"#, "2026-11-22T14:03:07.123Z"),
            (r#"{"level":"info","time":1795356187123,"msg":"x"}"#, "2026-11-22T14:03:07.123Z"),
            (r#"{"@timestamp" : "2026-11-22T14:03:07Z"}"#, "2026-11-22T14:03:07Z"),
            (
                r#"{"a":{"time":1},"b":["ts",{}],"c":"\"time\":2","timestamp":"2026-11-22 14:03:07"}"#,
                "2026-11-22T13:03:07Z",
            ),
            (r#"level=info ts=2026-11-22T14:03:07Z msg="x""#, "2026-11-22T14:03:07Z"),
            (r#"time="2026-11-22 14:03:07" level=info"#, "2026-11-22T13:03:07Z"),
            (r#"msg="it was 2020-01-01 00:00:00" ts=1795356187.5"#, "2026-11-22T14:03:07.500Z"),
            ("2026-11-22T23:59:60Z a leap second", "2026-11-23T00:00:00Z"),
            ("no time", "none"),
            ("", "none"),
            ("2026-13-22 14:03:07 no such month", "none"),
            ("Nov 31 14:03:07 no such day", "none"),
            ("I1322 14:03:07.1 x", "none"),
            ("12345 x", "none"),
            ("{\"time\":", "none"),
            ("{\"time\":\"\\", "none"),
        ] {
            let seen = times(&[line], None, "Europe/Berlin");
            assert_eq!(seen[0].strip_suffix(" 0").unwrap_or(&seen[0]), expected, "{line}");
        }
    }

    #[test]
    fn a_line_without_a_time_has_that_of_the_line_before() {
        assert_eq!(
            times(
                &[
                    "a banner",
                    "2026-11-22 14:03:07 one",
                    "  continued",
                    "2026-11-22 14:03:07 two",
                    "2026-11-22 14:03:08 three",
                    "2026-11-22 14:03:07 an older one",
                    "  continued",
                ],
                None,
                "UTC"
            ),
            [
                "none",
                "2026-11-22T14:03:07Z 0",
                "2026-11-22T14:03:07Z 1",
                "2026-11-22T14:03:07Z 2",
                "2026-11-22T14:03:08Z 0",
                "2026-11-22T14:03:07Z 3",
                "2026-11-22T14:03:07Z 4",
            ]
        );
    }

    #[test]
    fn the_form_of_most_lines_is_the_form_of_the_file() {
        let seen = times(
            &[
                "1795356187 a line that begins with a number",
                "2026-11-22 14:03:07 one",
                "1795356199 continued",
                "2026-11-22 14:03:08 two",
                "level: 3 ts=1795356199 continued",
                "2026-11-22 14:03:10 three",
            ],
            None,
            "UTC",
        );
        assert_eq!(
            seen,
            [
                "none",
                "2026-11-22T14:03:07Z 0",
                "2026-11-22T14:03:07Z 1",
                "2026-11-22T14:03:08Z 0",
                "2026-11-22T14:03:08Z 1",
                "2026-11-22T14:03:10Z 0",
            ]
        );
    }

    /// A pipe brings the first line alone, and what looks like a time in it is none.
    #[test]
    fn the_form_is_judged_again_while_few_lines_are_there() {
        let lines = [
            "1795356187 widgets are in stock",
            "INFO 2026-11-22 14:03:07 one",
            "INFO 2026-11-22 14:03:08 two",
            "INFO 2026-11-22 14:03:09 three",
            "1795356199 continued",
            "INFO 2026-11-22 14:03:10 four",
        ];
        let mut times = LogTimes::new(None, TimeZone::UTC, Time::from_nanos(0));
        times.learn(&Sample { text: b"1795356187 widgets are in stock\n", complete: false });
        assert_eq!(
            read(&mut times, &lines),
            [
                "2026-11-22T14:03:07Z 0",
                "2026-11-22T14:03:07Z 1",
                "2026-11-22T14:03:08Z 0",
                "2026-11-22T14:03:09Z 0",
                "2026-11-22T14:03:09Z 1",
                "2026-11-22T14:03:10Z 0",
            ]
        );
    }

    #[test]
    fn a_time_in_another_form_at_its_place_is_the_time_of_the_line() {
        let datetime = "2026-11-22 14:03:07 x";
        let level = "INFO 2026-11-22 14:03:07 x";
        let syslog = "Nov 22 14:03:07 host x";
        let clf = "10.0.0.1 - - [22/Nov/2026:14:03:07 +0000] x";
        for (usual, line, expected) in [
            (datetime, "Nov 22 11:00:05 host order", "2026-11-22T11:00:05Z 0"),
            (datetime, "Nov 22 11:00:05 due 2027-01-01 00:00:00", "2026-11-22T11:00:05Z 0"),
            (datetime, "I1122 11:00:05.5 1 main.go:1] x", "2026-11-22T11:00:05.500Z 0"),
            (datetime, "level=info ts=1795356187 x", "2026-11-22T14:03:07Z 1"),
            (datetime, r#"{"ts":1795356188}"#, "2026-11-22T14:03:08Z 0"),
            (datetime, "[22/Nov/2026:11:00:05 +0000] x", "2026-11-22T11:00:05Z 0"),
            (datetime, "Nov 31 11:00:05 host order", "no such moment"),
            (datetime, "2026-13-22 11:00:05 order", "no such moment"),
            (datetime, "2026-11-22 24:00:05 order", "no such moment"),
            (datetime, "Caused by: 2026-13-22 11:00:05", "2026-11-22T14:03:07Z 1"),
            (datetime, "Caused by: Nov 22 11:00:05", "2026-11-22T14:03:07Z 1"),
            (datetime, "    at Nov 22 11:00:05", "2026-11-22T14:03:07Z 1"),
            (datetime, "    Nov 22 11:00:05", "2026-11-22T14:03:07Z 1"),
            (datetime, "\tat main.rs:5", "2026-11-22T14:03:07Z 1"),
            (datetime, "", "2026-11-22T14:03:07Z 1"),
            (level, "ERROR Nov 22 11:00:05 x", "2026-11-22T11:00:05Z 0"),
            (level, "ERROR 2026-13-22 11:00:05 x", "no such moment"),
            (level, "Nov 22 11:00:05 x", "2026-11-22T11:00:05Z 0"),
            (level, "PANIC", "2026-11-22T14:03:07Z 1"),
            (syslog, "2026-11-22T11:00:05.25Z x", "2026-11-22T11:00:05.250Z 0"),
            (syslog, "[2026-11-22 11:00:05] x", "2026-11-22T11:00:05Z 0"),
            (syslog, "Nov 31 11:00:05 host x", "no such moment"),
            (syslog, "it was 2026-11-22 11:00:05", "2026-11-22T14:03:07Z 1"),
            (clf, "10.0.0.234 - - [32/Nov/2026:14:03:07 +0000] x", "no such moment"),
        ] {
            let seen = times(&[usual, line], None, "UTC");
            assert_eq!(seen, ["2026-11-22T14:03:07Z 0", expected], "{usual} / {line}");
        }
    }

    #[test]
    fn what_belongs_to_a_line_of_no_moment_has_no_time() {
        let lines = [
            "2026-11-22 14:03:07 one",
            "2026-13-22 14:03:08 two",
            "  continued",
            "2026-11-22 14:03:09 three",
        ];
        assert_eq!(
            times(&lines, None, "UTC"),
            ["2026-11-22T14:03:07Z 0", "no such moment", "none", "2026-11-22T14:03:09Z 0"]
        );
    }

    #[test]
    fn a_format_may_be_given() {
        for (format, line, expected) in [
            ("%d.%m.%Y %H:%M:%S", "22.11.2026 14:03:07 x", "2026-11-22T13:03:07Z 0"),
            ("%d.%m.%Y %H:%M:%S%.f", "x [22.11.2026 14:03:07.25] y", "2026-11-22T13:03:07.250Z 0"),
            ("%d.%m.%Y %H:%M:%S %z", "22.11.2026 14:03:07 +0500", "2026-11-22T09:03:07Z 0"),
            ("%s", "1795356187 x", "2026-11-22T14:03:07Z 0"),
            ("%d.%m.%Y %H:%M:%S", "2026-11-22 14:03:07 x", "none"),
            ("epoch", "1795356187 2020-01-01 00:00:00", "2026-11-22T14:03:07Z 0"),
            ("datetime", "1795356187 2020-01-01 00:00:00", "2019-12-31T23:00:00Z 0"),
            ("syslog", "1795356187 x", "none"),
            ("syslog", "2026-11-22 14:03:07 x", "none"),
            ("syslog", "Nov 31 14:03:07 x", "no such moment"),
        ] {
            assert_eq!(
                times(&[line], Some(format), "Europe/Berlin"),
                [expected],
                "{format} {line}"
            );
        }
        for wrong in ["", "iso", "%Q!", "%H:%M"] {
            assert!(wrong.parse::<TimeFormat>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_hour_that_the_clock_skips_or_repeats() {
        for (line, expected) in [
            ("2026-03-29 02:30:00 skipped", "2026-03-29T01:30:00Z 0"),
            ("2026-10-25 02:30:00 the first of two", "2026-10-25T00:30:00Z 0"),
        ] {
            assert_eq!(times(&[line], None, "Europe/Berlin"), [expected], "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            let mut times = LogTimes::new(None, TimeZone::UTC, Time::from_nanos(0));
            let _ = times.next(&line);
            for form in TimeForm::ALL {
                form.find(&line);
            }
        }

        #[test]
        fn a_time_that_was_written_is_read_again(nanos in 946_684_800_000_000_000i64..4_102_444_800_000_000_000) {
            let time = Time::from_nanos(nanos);
            let mut times = LogTimes::new(None, TimeZone::UTC, Time::from_nanos(0));
            proptest::prop_assert_eq!(times.next(format!("x {time} y").as_bytes()), Ok((time, 0)));
        }
    }
}
