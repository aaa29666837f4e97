//! From what a line says to a moment: time zones, and years that are not written.

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use statetrail_event::Time;

/// How much later than its file a line may be, in seconds: clocks differ.
const AHEAD_SECONDS_MAX: i64 = 86_400;
/// Leap days are at most this many years apart.
const YEARS_BACK_MAX: i16 = 8;
/// How far into a line a time of a given pattern may start, in bytes.
const SEARCH_BYTES: usize = 128;

/// A time as a line writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Set if the line counts from 1970; then only the nanoseconds count besides.
    pub(super) epoch_seconds: Option<i64>,
    pub(super) year: Option<i16>,
    pub(super) month: i8,
    pub(super) day: i8,
    pub(super) hour: i8,
    pub(super) minute: i8,
    pub(super) second: i8,
    pub(super) nanos: u32,
    /// Seconds east of UTC; without it the time is a local one.
    pub(super) offset_seconds: Option<i32>,
}

/// The part of a stamp on which the way to UTC depends.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Minute {
    year: Option<i16>,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    offset_seconds: Option<i32>,
}

/// Turns stamps into moments. Consecutive stamps of one minute are cheap.
pub struct StampReader {
    zone: TimeZone,
    written: Time,
    /// The last minute and the second since 1970 at which it starts.
    known: Option<(Minute, i64)>,
}

impl StampReader {
    /// See [`LogTimes::new`](super::LogTimes::new).
    pub fn new(zone: TimeZone, written: Time) -> StampReader {
        StampReader { zone, written, known: None }
    }

    /// The moment, or `None` if there is none such. Of an hour that the clock repeats it is the
    /// first one; in an hour that the clock skips it is as much later as the clock jumps.
    pub(super) fn read(&mut self, stamp: Stamp) -> Option<Time> {
        if let Some(seconds) = stamp.epoch_seconds {
            return Time::from_seconds(seconds, stamp.nanos);
        }
        if !(0..=60).contains(&stamp.second) {
            return None;
        }
        let minute = Minute {
            year: stamp.year,
            month: stamp.month,
            day: stamp.day,
            hour: stamp.hour,
            minute: stamp.minute,
            offset_seconds: stamp.offset_seconds,
        };
        let start = match self.known {
            Some((known, start)) if known == minute => start,
            _ => {
                let start = self.start_of(minute)?;
                self.known = Some((minute, start));
                start
            }
        };
        Time::from_seconds(start + i64::from(stamp.second), stamp.nanos)
    }

    fn start_of(&self, minute: Minute) -> Option<i64> {
        if let Some(year) = minute.year {
            return self.start_in_year(minute, year);
        }
        let written = self.written.nanos().div_euclid(1_000_000_000);
        let this_year = jiff::Timestamp::from_second(written).ok()?;
        let this_year = this_year.to_zoned(self.zone.clone()).year();
        (this_year - YEARS_BACK_MAX..=this_year + 1)
            .rev()
            .filter_map(|year| self.start_in_year(minute, year))
            .find(|start| *start <= written + AHEAD_SECONDS_MAX)
    }

    fn start_in_year(&self, minute: Minute, year: i16) -> Option<i64> {
        let Minute { month, day, hour, minute, offset_seconds, .. } = minute;
        let civil = DateTime::new(year, month, day, hour, minute, 0, 0).ok()?;
        let zone = match offset_seconds {
            Some(_) => TimeZone::UTC,
            None => self.zone.clone(),
        };
        let seconds = civil.to_zoned(zone).ok()?.timestamp().as_second();
        Some(seconds - i64::from(offset_seconds.unwrap_or(0)))
    }

    /// The first time of that pattern which starts at the start of a word.
    pub(super) fn read_pattern(&mut self, pattern: &str, line: &[u8]) -> Option<Time> {
        let head = &line[..line.len().min(SEARCH_BYTES)];
        (0..head.len())
            .filter(|start| *start == 0 || !head[start - 1].is_ascii_alphanumeric())
            .filter_map(|start| BrokenDownTime::parse_prefix(pattern, &line[start..]).ok())
            .find_map(|(broken_down, _)| self.read_broken_down(&broken_down))
    }

    fn read_broken_down(&mut self, parts: &BrokenDownTime) -> Option<Time> {
        let nanos = u32::try_from(parts.subsec_nanosecond().unwrap_or(0)).ok()?;
        if let Some(timestamp) = parts.timestamp() {
            return self.read(Stamp {
                epoch_seconds: Some(timestamp.as_second()),
                nanos,
                ..Stamp::default()
            });
        }
        let (year, month, day) = match parts.to_date() {
            Ok(date) => (Some(date.year()), date.month(), date.day()),
            Err(_) => (None, parts.month()?, parts.day()?),
        };
        let time = parts.to_time().ok()?;
        self.read(Stamp {
            year,
            month,
            day,
            hour: time.hour(),
            minute: time.minute(),
            second: time.second(),
            nanos,
            offset_seconds: parts.offset().map(|offset| offset.seconds()),
            ..Stamp::default()
        })
    }
}

/// Whether a text is a pattern that gives at least a day and a time of day. Asked by writing a
/// moment with it and reading that back.
pub(super) fn is_pattern(text: &str) -> bool {
    let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let Ok(written) = jiff::fmt::strtime::format(text, &sample) else { return false };
    let mut reader = StampReader::new(TimeZone::UTC, Time::from_nanos(0));
    reader.read_pattern(text, written.as_bytes()) == Some(Time::from_nanos(0))
}
