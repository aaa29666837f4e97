//! Moments that a person types: `2026-11-22 10:03`, `10:03`, `-15m`, `yesterday 14:00`.

use jiff::civil::{self, Date};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use statetrail_event::Time;

/// Why a text names no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// No form that is known.
    #[error(
        "{0:?} is no moment that I can read; write it like 2026-11-22T10:03:07Z, \
         \"2026-11-22 10:03\", 10:03, -15m, -2h30m, now, today, \"yesterday 14:00\""
    )]
    Form(String),
    /// The form is known, but there is no such date or time of day.
    #[error("{0:?}: there is no such date or time of day")]
    NoSuchMoment(String),
    /// Too far from now.
    #[error("{0:?} is outside the years 1678 to 2261")]
    Range(String),
}

/// Reads a moment. `now` is the present, `zone` the zone of times that do not name one.
///
/// | typed | meaning |
/// |---|---|
/// | `2026-11-22T10:03:07.5Z`, `2026-11-22 10:03+01:00` | that moment |
/// | `2026-11-22 10:03`, `2026-11-22T10:03:07.123` | that moment in `zone` |
/// | `2026-11-22` | the start of that day in `zone` |
/// | `10:03`, `10:03:07` | today in `zone`, also if that is still to come |
/// | `today`, `yesterday`, `yesterday 14:00` | the start of that day, or a time in it |
/// | `-15m`, `-2h30m`, `-1d` | before now; `w`, `d` (24 hours), `h`, `m`, `s`, `ms` |
/// | `now` | now |
///
/// A time that the clock skips is as much later as the clock jumps; of one that it repeats, the
/// first is meant.
///
/// # Errors
/// When the text has none of these forms, or names no moment.
pub fn parse_moment(text: &str, now: Time, zone: &TimeZone) -> Result<Time, MomentError> {
    let trimmed = text.trim();
    if trimmed.eq_ignore_ascii_case("now") {
        return Ok(now);
    }
    if let Some(ago) = trimmed.strip_prefix('-') {
        let nanos = parse_duration(ago).ok_or_else(|| MomentError::Form(text.to_owned()))?;
        let moment = i64::try_from(i128::from(now.nanos()).saturating_sub(nanos));
        let moment = moment.map(Time::from_nanos);
        return moment.map_err(|_| MomentError::Range(text.to_owned()));
    }
    let parts = split(trimmed).ok_or_else(|| MomentError::Form(text.to_owned()))?;
    parts.resolve(now, zone).map_err(|problem| match problem {
        Problem::NoSuchMoment => MomentError::NoSuchMoment(text.to_owned()),
        Problem::Range => MomentError::Range(text.to_owned()),
    })
}

enum Problem {
    NoSuchMoment,
    Range,
}

enum Day {
    BeforeToday(i64),
    Date { year: i16, month: i8, day: i8 },
}

struct Clock {
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
}

struct Parts {
    day: Day,
    clock: Clock,
    offset_seconds: Option<i32>,
}

impl Parts {
    fn resolve(self, now: Time, zone: &TimeZone) -> Result<Time, Problem> {
        let zone = match self.offset_seconds.map(Offset::from_seconds) {
            None => zone.clone(),
            Some(offset) => offset.map_err(|_| Problem::NoSuchMoment)?.to_time_zone(),
        };
        let date = match self.day {
            Day::Date { year, month, day } => {
                Date::new(year, month, day).map_err(|_| Problem::NoSuchMoment)?
            }
            Day::BeforeToday(days) => {
                let now = Timestamp::from_nanosecond(i128::from(now.nanos()));
                let today = now.map_err(|_| Problem::Range)?.to_zoned(zone.clone()).date();
                let before = SignedDuration::from_hours(24 * days);
                today.checked_sub(before).map_err(|_| Problem::Range)?
            }
        };
        let Clock { hour, minute, second, nanos } = self.clock;
        let clock = civil::Time::new(hour, minute, second, nanos);
        let zoned = date.to_datetime(clock.map_err(|_| Problem::NoSuchMoment)?).to_zoned(zone);
        let nanos = zoned.map_err(|_| Problem::Range)?.timestamp().as_nanosecond();
        i64::try_from(nanos).map(Time::from_nanos).map_err(|_| Problem::Range)
    }
}

/// Takes a text apart: day, time of day, offset; each may be missing, but not all.
fn split(text: &str) -> Option<Parts> {
    let (day, rest) = split_day(text)?;
    if rest.is_empty() {
        let clock = Clock { hour: 0, minute: 0, second: 0, nanos: 0 };
        return Some(Parts { day, clock, offset_seconds: None });
    }
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let offset_seconds = match offset {
        "" => None,
        offset => Some(parse_offset(offset)?),
    };
    Some(Parts { day, clock: parse_clock(clock.trim_end())?, offset_seconds })
}

/// The day, and the text of the time of day behind it.
fn split_day(text: &str) -> Option<(Day, &str)> {
    for (word, days) in [("today", 0), ("yesterday", 1)] {
        if let Some(rest) = text.strip_prefix(word) {
            let separated = rest.is_empty() || rest.starts_with(' ');
            return separated.then(|| (Day::BeforeToday(days), rest.trim_start()));
        }
    }
    if text.as_bytes().get(4) != Some(&b'-') {
        return (!text.is_empty()).then_some((Day::BeforeToday(0), text));
    }
    let (date, rest) = text.split_at_checked("2026-11-22".len())?;
    let mut numbers = date.split('-');
    let day = Day::Date {
        year: parse_number(numbers.next()?, 4)? as i16,
        month: parse_number(numbers.next()?, 2)? as i8,
        day: parse_number(numbers.next()?, 2)? as i8,
    };
    let clock = rest.trim_start_matches([' ', 'T', 't']);
    let separated = rest.is_empty() || (!clock.is_empty() && clock.len() < rest.len());
    (numbers.next().is_none() && separated).then_some((day, clock))
}

/// `10:03`, `10:03:07`, `10:03:07.123`, `9:00`.
fn parse_clock(text: &str) -> Option<Clock> {
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut numbers = whole.split(':');
    let hour = numbers.next()?;
    let clock = Clock {
        hour: parse_number(hour, hour.len().clamp(1, 2))? as i8,
        minute: parse_number(numbers.next()?, 2)? as i8,
        second: 0,
        nanos: 0,
    };
    match (numbers.next(), fraction, numbers.next()) {
        (None, None, None) => Some(clock),
        (Some(second), fraction, None) => Some(Clock {
            second: parse_number(second, 2)? as i8,
            nanos: fraction.map_or(Some(0), parse_fraction)?,
            ..clock
        }),
        _ => None,
    }
}

fn parse_fraction(digits: &str) -> Option<i32> {
    let length = digits.len();
    let number = parse_number(digits, length.clamp(1, 9))?;
    i32::try_from(number * 10u32.pow(9 - length as u32)).ok()
}

/// `Z`, `+01:00`, `+0100`, `+01` as seconds east of UTC.
fn parse_offset(text: &str) -> Option<i32> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None => digits.split_at_checked(2)?,
    };
    let minutes = if minutes.is_empty() { 0 } else { parse_number(minutes, 2)? };
    let seconds = (parse_number(hours, 2)? * 3_600 + minutes * 60) as i32;
    Some(if sign == "-" { -seconds } else { seconds })
}

/// `2h30m` in nanoseconds. The units may come in any order, each once or more.
fn parse_duration(text: &str) -> Option<i128> {
    let mut nanos = 0i128;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, behind) = rest.split_at(digits);
        let letters = behind.len() - behind.trim_start_matches(|c: char| c.is_alphabetic()).len();
        let (unit, behind) = behind.split_at(letters);
        let unit_nanos: i128 = match unit {
            "w" => 7 * 86_400_000_000_000,
            "d" => 86_400_000_000_000,
            "h" => 3_600_000_000_000,
            "m" | "min" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            _ => return None,
        };
        nanos = nanos.saturating_add(i128::from(number.parse::<u64>().ok()?) * unit_nanos);
        rest = behind;
    }
    (!text.is_empty()).then_some(nanos)
}

/// A number of exactly that many digits, at most nine.
fn parse_number(text: &str, digits: usize) -> Option<u32> {
    let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is 13:00:00.5 in Berlin.
    const NOW: &str = "2026-11-23T12:00:00.5Z";

    fn parse(text: &str) -> Result<String, MomentError> {
        let now = Time::parse_rfc3339(NOW).unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        parse_moment(text, now, &zone).map(|time| time.to_string())
    }

    #[test]
    fn moments() {
        for (text, expected) in [
            ("2026-11-22T10:03:07Z", "2026-11-22T10:03:07Z"),
            ("2026-11-22T10:03:07.123456789+01:00", "2026-11-22T09:03:07.123456789Z"),
            ("2026-11-22 10:03Z", "2026-11-22T10:03:00Z"),
            ("2026-11-22 10:03 +0100", "2026-11-22T09:03:00Z"),
            ("2026-11-22T10:03-05", "2026-11-22T15:03:00Z"),
            ("2017-05-16 00:10", "2017-05-15T22:10:00Z"),
            ("2017-05-16 00:10:07", "2017-05-15T22:10:07Z"),
            ("2017-05-16 00:10:07.25", "2017-05-15T22:10:07.250Z"),
            ("2017-05-16T00:10:07,25", "2017-05-15T22:10:07.250Z"),
            ("2017-01-16 00:10", "2017-01-15T23:10:00Z"),
            ("2017-05-16", "2017-05-15T22:00:00Z"),
            ("10:03", "2026-11-23T09:03:00Z"),
            ("9:03", "2026-11-23T08:03:00Z"),
            ("23:59:59", "2026-11-23T22:59:59Z"),
            ("10:03:07.5", "2026-11-23T09:03:07.500Z"),
            ("10:03Z", "2026-11-23T10:03:00Z"),
            ("now", "2026-11-23T12:00:00.500Z"),
            (" now ", "2026-11-23T12:00:00.500Z"),
            ("today", "2026-11-22T23:00:00Z"),
            ("today 9:00", "2026-11-23T08:00:00Z"),
            ("yesterday", "2026-11-21T23:00:00Z"),
            ("yesterday 14:00", "2026-11-22T13:00:00Z"),
            ("-15m", "2026-11-23T11:45:00.500Z"),
            ("-2h30m", "2026-11-23T09:30:00.500Z"),
            ("-1d", "2026-11-22T12:00:00.500Z"),
            ("-1w", "2026-11-16T12:00:00.500Z"),
            ("-90s", "2026-11-23T11:58:30.500Z"),
            ("-500ms", "2026-11-23T12:00:00Z"),
            ("2026-03-29 02:30", "2026-03-29T01:30:00Z"),
            ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
            ("1700-01-01T00:00:00Z", "1700-01-01T00:00:00Z"),
        ] {
            assert_eq!(parse(text), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment() {
        for text in [
            "",
            " ",
            "soon",
            "15m",
            "-",
            "-15",
            "-m",
            "-15x",
            "-1.5h",
            "10",
            "1003",
            "10:3",
            "10:03:7",
            "10:03:",
            "10:03.5",
            "10:03:07.",
            "2026-11",
            "2026-11-2",
            "2026-11-22T",
            "2026-11-2210:03",
            "2026-11-22 10",
            "2026-11-22 10:03 CET",
            "yesterday14:00",
            "yesterday 14",
            "tomorrow",
            "2026-11-22 10:03+1",
            "10:03:07.1234567890",
            "+15m",
            "22.11.2026",
            "ä",
            "2026-11-2ä",
            "10:03+ä",
        ] {
            assert_eq!(parse(text), Err(MomentError::Form(text.to_owned())), "{text}");
        }
        for text in ["2026-02-30", "2026-13-01", "24:00", "10:60", "2026-11-22 10:03+99:00"] {
            assert_eq!(parse(text), Err(MomentError::NoSuchMoment(text.to_owned())), "{text}");
        }
        for text in ["1600-01-01", "9999-01-01", "-99999w", "2300-01-01T00:00:00Z"] {
            let error = parse(text);
            assert_eq!(error, Err(MomentError::Range(text.to_owned())), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9:TZ. a-zä]{0,30}|\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
