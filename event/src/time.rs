//! Moments as nanoseconds since the Unix epoch, and their RFC 3339 form.

use std::fmt;

use serde::{Deserialize, Serialize};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A moment: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// The range of an `i64` ends in the years 1677 and 2262.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(i64);

/// Why a text is not a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text does not have the form of RFC 3339.
    #[error("not an RFC 3339 time such as 2026-11-22T10:00:00Z")]
    Form,
    /// The form is right, but there is no such date or time of day.
    #[error("no such date or time of day")]
    NoSuchMoment,
    /// The moment lies outside the years 1678 to 2261.
    #[error("outside the years 1678 to 2261")]
    Range,
}

/// A date and time of day in UTC, as RFC 3339 writes it.
#[derive(Clone, Copy)]
struct Civil {
    year: i64,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl Time {
    /// The earliest moment.
    pub const MIN: Time = Time(i64::MIN);
    /// The latest moment.
    pub const MAX: Time = Time(i64::MAX);
    /// Bytes that [`Time::write_rfc3339`] writes.
    pub const RFC3339_BYTES: usize = 30;

    /// The moment `nanos` nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Time {
        Time(nanos)
    }

    /// The moment `nanos` nanoseconds after the Unix epoch; outside the range the nearest one.
    pub fn nearest(nanos: i128) -> Time {
        Time(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }

    /// The moment given as whole seconds and nanoseconds, or `None` outside the range.
    pub fn from_seconds(seconds: i64, nanos: u32) -> Option<Time> {
        // Nearly all of the range, without wide numbers, which are dear in an interpreter.
        const FAR: i64 = 9_000_000_000;
        if (-FAR..FAR).contains(&seconds) {
            return Some(Time(seconds * NANOS_PER_SECOND + i64::from(nanos)));
        }
        // Wide, because the second in which the range begins is itself out of it.
        let total = i128::from(seconds) * i128::from(NANOS_PER_SECOND) + i128::from(nanos);
        i64::try_from(total).ok().map(Time)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 time. A blank may stand for the `T`; digits beyond the ninth of the
    /// fraction are cut off; a 60th second counts as the start of the next minute.
    ///
    /// # Errors
    /// When the text has another form, names no moment, or one out of range.
    pub fn parse_rfc3339(text: &str) -> Result<Time, TimeError> {
        let bytes = text.as_bytes();
        if bytes.len() < 20 {
            return Err(TimeError::Form);
        }
        let civil = parse_civil(bytes)?;
        let (nanos, rest) = parse_fraction(&bytes[19..])?;
        let offset_seconds = parse_offset(rest)?;
        let seconds = civil.seconds_since_epoch()? - offset_seconds;
        Time::from_seconds(seconds, nanos).ok_or(TimeError::Range)
    }

    /// Appends the time as RFC 3339 in UTC with all nine digits of the fraction, always
    /// [`Time::RFC3339_BYTES`] long: the form of the wire.
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.rfc3339());
    }

    fn rfc3339(self) -> [u8; Time::RFC3339_BYTES] {
        let civil = Civil::from_seconds(self.0.div_euclid(NANOS_PER_SECOND));
        let nanos = self.0.rem_euclid(NANOS_PER_SECOND);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        put_digits(&mut text[0..4], civil.year as u64);
        put_digits(&mut text[5..7], u64::from(civil.month));
        put_digits(&mut text[8..10], u64::from(civil.day));
        put_digits(&mut text[11..13], u64::from(civil.hour));
        put_digits(&mut text[14..16], u64::from(civil.minute));
        put_digits(&mut text[17..19], u64::from(civil.second));
        put_digits(&mut text[20..29], nanos as u64);
        text
    }
}

/// Times to text, one after the other: most have the second of the one before.
#[derive(Clone, Debug)]
pub struct TimeText {
    second: i64,
    text: [u8; Time::RFC3339_BYTES],
}

impl Default for TimeText {
    fn default() -> TimeText {
        TimeText { second: i64::MIN, text: [0; Time::RFC3339_BYTES] }
    }
}

impl TimeText {
    /// What [`Time::write_rfc3339`] writes.
    pub fn of(&mut self, time: Time) -> &[u8; Time::RFC3339_BYTES] {
        let second = time.0.div_euclid(NANOS_PER_SECOND);
        if second == self.second {
            put_digits(&mut self.text[20..29], time.0.rem_euclid(NANOS_PER_SECOND) as u64);
        } else {
            self.second = second;
            self.text = time.rfc3339();
        }
        &self.text
    }
}

/// RFC 3339 in UTC with as many groups of three fraction digits as the moment needs.
impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(Time::RFC3339_BYTES);
        self.write_rfc3339(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let nanos = self.0.rem_euclid(NANOS_PER_SECOND);
        let shown = match nanos {
            0 => 19,
            _ if nanos % 1_000_000 == 0 => 23,
            _ if nanos % 1_000 == 0 => 26,
            _ => 29,
        };
        formatter.pad(&format!("{}Z", &text[..shown]))
    }
}

impl Civil {
    /// Days are counted from 0000-03-01, so that the leap day is the last day of its year; 400
    /// years are 146,097 days.
    fn from_seconds(seconds: i64) -> Civil {
        let days = seconds.div_euclid(SECONDS_PER_DAY) + 719_468;
        let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY) as u32;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Civil {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month: month as u32,
            day,
            hour: second_of_day / 3_600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
        }
    }

    fn seconds_since_epoch(self) -> Result<i64, TimeError> {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days_in_month = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u32::from(leap),
            1..=12 => 31,
            _ => return Err(TimeError::NoSuchMoment),
        };
        let day_exists = (1..=days_in_month).contains(&self.day);
        if !day_exists || self.hour > 23 || self.minute > 59 || self.second > 60 {
            return Err(TimeError::NoSuchMoment);
        }
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_from_march = i64::from((self.month + 9) % 12);
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        let second_of_day = i64::from(self.hour * 3_600 + self.minute * 60 + self.second);
        Ok(days * SECONDS_PER_DAY + second_of_day)
    }
}

/// Reads the first 19 bytes, `YYYY-MM-DDTHH:MM:SS`.
fn parse_civil(bytes: &[u8]) -> Result<Civil, TimeError> {
    let separators_fit = bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b't' | b' ')
        && bytes[13] == b':'
        && bytes[16] == b':';
    if !separators_fit {
        return Err(TimeError::Form);
    }
    Ok(Civil {
        year: i64::from(digits(&bytes[0..4])?),
        month: digits(&bytes[5..7])?,
        day: digits(&bytes[8..10])?,
        hour: digits(&bytes[11..13])?,
        minute: digits(&bytes[14..16])?,
        second: digits(&bytes[17..19])?,
    })
}

/// Reads `.123` into nanoseconds and returns what follows it.
fn parse_fraction(bytes: &[u8]) -> Result<(u32, &[u8]), TimeError> {
    let Some((b'.', fraction)) = bytes.split_first() else {
        return Ok((0, bytes));
    };
    let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return Err(TimeError::Form);
    }
    let mut nanos = digits(&fraction[..length.min(9)])?;
    for _ in length..9 {
        nanos *= 10;
    }
    Ok((nanos, &fraction[length..]))
}

/// Reads `Z` or `+02:00` into seconds east of UTC.
fn parse_offset(bytes: &[u8]) -> Result<i64, TimeError> {
    match bytes {
        [b'Z' | b'z'] => Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let hours = digits(&[*h1, *h2])?;
            let minutes = digits(&[*m1, *m2])?;
            if hours > 23 || minutes > 59 {
                return Err(TimeError::NoSuchMoment);
            }
            let seconds = i64::from(hours * 3_600 + minutes * 60);
            Ok(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => Err(TimeError::Form),
    }
}

/// The value of at most nine decimal digits.
fn digits(bytes: &[u8]) -> Result<u32, TimeError> {
    let mut value = 0;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return Err(TimeError::Form);
        }
        value = value * 10 + u32::from(byte - b'0');
    }
    Ok(value)
}

/// Fills `out` with the last digits of `value`.
fn put_digits(out: &mut [u8], mut value: u64) {
    for slot in out.iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
    }
}
