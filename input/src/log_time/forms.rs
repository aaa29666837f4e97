//! The forms in which plain lines write their time, each found by a pure function.

use memchr::memmem;

use super::fields;
use super::place::Place;
use super::stamp::Stamp;

/// How far into a line its time is looked for, in bytes.
const SEARCH_BYTES: usize = 128;

/// A form of time that is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// A top-level field `ts`, `time`, `timestamp` or `@timestamp` of a JSON object.
    Json,
    /// `I1122 14:03:07.123456`, at the start.
    Klog,
    /// `Nov 22 14:03:07`, at the start.
    Syslog,
    /// `[22/Nov/2026:14:03:07 +0000]`, anywhere in the first bytes.
    Clf,
    /// `ts=...`, `time=...` or `timestamp=...`, anywhere.
    Logfmt,
    /// `2026-11-22 14:03:07` or RFC 3339, anywhere in the first bytes.
    Datetime,
    /// Seconds, milliseconds, microseconds or nanoseconds since 1970, at the start.
    Epoch,
}

impl TimeForm {
    /// Every form, in the order in which they are tried.
    pub const ALL: [TimeForm; 7] = [
        TimeForm::Json,
        TimeForm::Klog,
        TimeForm::Syslog,
        TimeForm::Clf,
        TimeForm::Logfmt,
        TimeForm::Datetime,
        TimeForm::Epoch,
    ];

    /// What a person types for it.
    pub fn name(self) -> &'static str {
        match self {
            TimeForm::Json => "json",
            TimeForm::Klog => "klog",
            TimeForm::Syslog => "syslog",
            TimeForm::Clf => "clf",
            TimeForm::Logfmt => "logfmt",
            TimeForm::Datetime => "datetime",
            TimeForm::Epoch => "epoch",
        }
    }

    /// The form of that name.
    pub fn named(name: &str) -> Option<TimeForm> {
        TimeForm::ALL.into_iter().find(|form| form.name() == name)
    }

    /// All names, for messages.
    pub(super) fn names() -> String {
        TimeForm::ALL.map(TimeForm::name).join(", ")
    }

    /// What a line's time says where it has one in this form, and the place of that. The name of
    /// a field tells enough: its place is the line's start, wherever the field is.
    pub(super) fn find(self, line: &[u8]) -> Option<(Place, Stamp)> {
        match self {
            TimeForm::Clf => clf_anywhere(line),
            TimeForm::Datetime => datetime_anywhere(line),
            TimeForm::Json
            | TimeForm::Klog
            | TimeForm::Syslog
            | TimeForm::Logfmt
            | TimeForm::Epoch => self.find_at_start(line).map(|stamp| (Place::START, stamp)),
        }
    }

    /// What the time says with which a text starts in this form.
    pub(super) fn find_at_start(self, text: &[u8]) -> Option<Stamp> {
        let inside = text.strip_prefix(b"[").unwrap_or(text);
        match self {
            TimeForm::Json => fields::json_time(text).and_then(value),
            TimeForm::Klog => klog(text),
            TimeForm::Syslog => syslog(text),
            TimeForm::Clf => clf(inside),
            TimeForm::Logfmt => fields::logfmt_time(text).and_then(value),
            TimeForm::Datetime => datetime(inside),
            TimeForm::Epoch => epoch(inside),
        }
    }

    /// Whether a text starts with what only this form has. A number or a field may be anything
    /// in lines whose times are known to be written otherwise.
    pub(super) fn is_unmistakable_in(self, text: &[u8]) -> bool {
        match self {
            TimeForm::Epoch => false,
            TimeForm::Logfmt => text.iter().find(|byte| matches!(byte, b' ' | b'=')) == Some(&b'='),
            TimeForm::Json
            | TimeForm::Klog
            | TimeForm::Syslog
            | TimeForm::Clf
            | TimeForm::Datetime => true,
        }
    }
}

/// The value of a field that holds a time.
fn value(text: &[u8]) -> Option<Stamp> {
    datetime(text).or_else(|| epoch(text)).or_else(|| clf(text))
}

fn head(line: &[u8]) -> &[u8] {
    &line[..line.len().min(SEARCH_BYTES)]
}

fn datetime_anywhere(line: &[u8]) -> Option<(Place, Stamp)> {
    const SHORTEST: usize = "2026-11-22 14:03:07".len();
    let starts = head(line).windows(SHORTEST).enumerate().filter(|(start, window)| {
        window[13] == b':'
            && window[16] == b':'
            && (*start == 0 || !line[start - 1].is_ascii_digit())
    });
    starts
        .filter_map(|(start, _)| {
            datetime(&line[start..]).map(|stamp| (Place::of(start, line), stamp))
        })
        .next()
}

/// `2026-11-22T14:03:07.123+01:00` and its relatives, at the start of `text`.
fn datetime(text: &[u8]) -> Option<Stamp> {
    let separator = *text.get(4)?;
    let separators_fit = matches!(separator, b'-' | b'/')
        && *text.get(7)? == separator
        && matches!(text.get(10)?, b' ' | b'T' | b't');
    if !separators_fit {
        return None;
    }
    let date = Stamp {
        year: Some(number(text.get(0..4)?)? as i16),
        month: number(text.get(5..7)?)? as i8,
        day: number(text.get(8..10)?)? as i8,
        ..Stamp::default()
    };
    let (stamp, rest) = time_of_day(date, text.get(11..)?)?;
    Some(Stamp { offset_seconds: offset(rest), ..stamp })
}

/// Adds `14:03:07.123` to a date and returns what follows it.
fn time_of_day(date: Stamp, text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (time, mut rest) = text.split_at_checked(8)?;
    if time[2] != b':' || time[5] != b':' || rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let mut nanos = 0;
    if let [b'.' | b',', fraction @ ..] = rest
        && fraction.first().is_some_and(u8::is_ascii_digit)
    {
        (nanos, rest) = fraction_nanos(fraction);
    }
    let stamp = Stamp {
        hour: number(&time[0..2])? as i8,
        minute: number(&time[3..5])? as i8,
        second: number(&time[6..8])? as i8,
        nanos,
        ..date
    };
    Some((stamp, rest))
}

/// The digits of a fraction of a second as nanoseconds, and what follows them.
fn fraction_nanos(text: &[u8]) -> (u32, &[u8]) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let kept = &digits[..length.min(9)];
    let missing = 9 - kept.len() as u32;
    (number(kept).unwrap_or(0) * 10u32.pow(missing), rest)
}

/// Seconds east of UTC, if what follows a time says so: `Z`, `+01:00`, `+0100`, ` +0100`, ` UTC`.
fn offset(text: &[u8]) -> Option<i32> {
    let (text, apart) = match text.strip_prefix(b" ") {
        Some(text) => (text, true),
        None => (text, false),
    };
    match text {
        [b'Z' | b'z', ..] if !apart => Some(0),
        [b'U', b'T', b'C', ..] | [b'G', b'M', b'T', ..] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, rest @ ..]
        | [sign @ (b'+' | b'-'), h1, h2, m1, m2, rest @ ..] => {
            let hours = number(&[*h1, *h2])?;
            let minutes = number(&[*m1, *m2])?;
            // What is written like an offset but cannot be one is the line's own text.
            let fits = hours <= 14
                && minutes % 15 == 0
                && minutes < 60
                && !rest.first().is_some_and(u8::is_ascii_alphanumeric);
            let seconds = (hours * 3_600 + minutes * 60) as i32;
            fits.then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn syslog(line: &[u8]) -> Option<Stamp> {
    let line = match line.strip_prefix(b"<") {
        Some(rest) => rest.get(memchr::memchr(b'>', head(rest))? + 1..)?,
        None => line,
    };
    let (date, rest) = line.split_at_checked("Nov 22 ".len())?;
    if date[3] != b' ' || date[6] != b' ' {
        return None;
    }
    let day = if date[4] == b' ' { &date[5..6] } else { &date[4..6] };
    let date = Stamp { month: month(&date[0..3])?, day: number(day)? as i8, ..Stamp::default() };
    time_of_day(date, rest).map(|(stamp, _)| stamp)
}

fn klog(line: &[u8]) -> Option<Stamp> {
    let (date, rest) = line.split_at_checked("I1122 ".len())?;
    if !matches!(date[0], b'I' | b'W' | b'E' | b'F') || date[5] != b' ' {
        return None;
    }
    let date = Stamp {
        month: number(&date[1..3])? as i8,
        day: number(&date[3..5])? as i8,
        ..Stamp::default()
    };
    time_of_day(date, rest).map(|(stamp, _)| stamp)
}

fn clf_anywhere(line: &[u8]) -> Option<(Place, Stamp)> {
    memmem::find_iter(head(line), b"[")
        .find_map(|start| clf(&line[start + 1..]).map(|stamp| (Place::of(start, line), stamp)))
}

/// `22/Nov/2026:14:03:07 +0000`.
fn clf(text: &[u8]) -> Option<Stamp> {
    let (date, rest) = text.split_at_checked("22/Nov/2026:".len())?;
    if date[2] != b'/' || date[6] != b'/' || date[11] != b':' {
        return None;
    }
    let date = Stamp {
        year: Some(number(&date[7..11])? as i16),
        month: month(&date[3..6])?,
        day: number(&date[0..2])? as i8,
        ..Stamp::default()
    };
    let (stamp, rest) = time_of_day(date, rest)?;
    Some(Stamp { offset_seconds: offset(rest), ..stamp })
}

/// Seconds since 1970 with or without a fraction, or whole milli-, micro- or nanoseconds.
fn epoch(text: &[u8]) -> Option<Stamp> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    if rest.first().is_some_and(u8::is_ascii_alphabetic) {
        return None;
    }
    let (seconds, mut nanos) = match length {
        10 => (digits, 0),
        13 | 16 | 19 => (&digits[..10], fraction_nanos(&digits[10..]).0),
        _ => return None,
    };
    if let [b'.', fraction @ ..] = rest
        && length == 10
    {
        nanos = fraction_nanos(fraction).0;
    }
    let mut epoch_seconds = 0;
    for digit in seconds {
        epoch_seconds = epoch_seconds * 10 + i64::from(digit - b'0');
    }
    Some(Stamp { epoch_seconds: Some(epoch_seconds), nanos, ..Stamp::default() })
}

fn month(text: &[u8]) -> Option<i8> {
    const NAMES: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let index = NAMES.chunks_exact(3).position(|name| name == text)?;
    Some(index as i8 + 1)
}

/// The value of at most nine decimal digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0'))
    })
}
