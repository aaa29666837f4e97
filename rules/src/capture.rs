//! The types of a capture: which bytes belong to it, and what value they have.

mod number;

use std::borrow::Cow;
use std::net::Ipv6Addr;

use statetrail_event::{Finite, Value};

pub(crate) use number::number_value;

/// Most digits and signs of a number. A longer one is not a number that anybody meant, and the
/// bound keeps matching linear.
const MAX_NUMBER_BYTES: usize = 40;
/// Most groups such as `2h` of a duration.
const MAX_DURATION_GROUPS: usize = 8;
/// Longest text of an IPv6 address.
const MAX_IP_BYTES: usize = 45;

/// What a capture takes from a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaptureType {
    /// Characters other than white space, as few as the text after it allows; at least one.
    Word,
    /// A whole number of at most 64 bits with an optional sign.
    Int,
    /// A decimal number with an optional sign, fraction and exponent.
    Number,
    /// `true` or `false`, also capitalised or in capitals.
    Bool,
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// An IPv4 or IPv6 address.
    Ip,
    /// Text between double or single quotes, with backslash escapes; the value is without them.
    Quoted,
    /// Such as `250ms` or `1h2m3.5s`; the value is in seconds.
    Duration,
    /// Everything to the end of the line, perhaps nothing.
    Rest,
    /// Any characters, as few as the text after it allows, perhaps none.
    Any,
}

impl CaptureType {
    /// Every type with its name in patterns.
    pub(crate) const ALL: [(&'static str, CaptureType); 10] = [
        ("word", CaptureType::Word),
        ("int", CaptureType::Int),
        ("number", CaptureType::Number),
        ("bool", CaptureType::Bool),
        ("uuid", CaptureType::Uuid),
        ("ip", CaptureType::Ip),
        ("quoted", CaptureType::Quoted),
        ("duration", CaptureType::Duration),
        ("rest", CaptureType::Rest),
        ("any", CaptureType::Any),
    ];

    /// The type of that name.
    pub(crate) fn named(name: &str) -> Option<CaptureType> {
        CaptureType::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// The name of the type.
    pub(crate) fn name(self) -> &'static str {
        CaptureType::ALL.iter().find(|(_, kind)| *kind == self).map_or("word", |(name, _)| name)
    }

    /// The names of all types, for messages.
    pub(crate) fn names() -> Vec<&'static str> {
        CaptureType::ALL.iter().map(|(name, _)| *name).collect()
    }

    /// Whether the capture's end depends on what follows it.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, CaptureType::Word | CaptureType::Any | CaptureType::Rest)
    }

    /// Where a capture of a closed type that begins at `start` ends, or `None` if what stands
    /// there is not of the type. Open types take everything.
    pub(crate) fn end(self, text: &[u8], start: usize) -> Option<usize> {
        let rest = text.get(start..)?;
        let length = match self {
            CaptureType::Word | CaptureType::Rest | CaptureType::Any => rest.len(),
            CaptureType::Int => int_length(rest)?,
            CaptureType::Number => number_length(rest)?,
            CaptureType::Bool => bool_length(rest)?,
            CaptureType::Uuid => uuid_length(rest)?,
            CaptureType::Ip => ip_length(rest)?,
            // A quote behind a backslash is inside another quotation; were it allowed to begin
            // one, a line of many could be gone over again from each.
            CaptureType::Quoted if start > 0 && text[start - 1] == b'\\' => return None,
            CaptureType::Quoted => quoted_length(rest)?,
            CaptureType::Duration => duration_length(rest)?,
        };
        Some(start + length)
    }

    /// The value of captured text, or `None` if the text is not of the type: a template may ask
    /// for another type than the one that captured.
    pub(crate) fn convert(self, text: &[u8]) -> Option<Value> {
        let whole = |length: Option<usize>| length == Some(text.len());
        match self {
            CaptureType::Word | CaptureType::Rest | CaptureType::Any => Some(text_value(text)),
            CaptureType::Int => ascii(text)?.parse().ok().map(Value::Int),
            CaptureType::Number if whole(number_length(text)) => number_value(text),
            CaptureType::Bool if whole(bool_length(text)) => {
                Some(Value::Bool(matches!(text[0], b't' | b'T')))
            }
            CaptureType::Uuid if whole(uuid_length(text)) => Some(text_value(text)),
            CaptureType::Ip if whole(ip_length(text)) => Some(text_value(text)),
            CaptureType::Quoted => Some(text_value(&unquoted(text))),
            CaptureType::Duration if whole(duration_length(text)) => duration_value(text),
            CaptureType::Number
            | CaptureType::Bool
            | CaptureType::Uuid
            | CaptureType::Ip
            | CaptureType::Duration => None,
        }
    }
}

fn text_value(text: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(text).into())
}

fn ascii(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok()
}

fn digits_length(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn sign_length(text: &[u8]) -> usize {
    usize::from(matches!(text.first(), Some(b'+' | b'-')))
}

fn int_length(text: &[u8]) -> Option<usize> {
    let sign = sign_length(text);
    let digits = digits_length(text.get(sign..text.len().min(MAX_NUMBER_BYTES))?);
    let length = sign + digits;
    ascii(&text[..length])?.parse::<i64>().ok()?;
    Some(length)
}

fn number_length(text: &[u8]) -> Option<usize> {
    let text = &text[..text.len().min(MAX_NUMBER_BYTES + 1)];
    let sign = sign_length(text);
    let whole = digits_length(&text[sign..]);
    if whole == 0 {
        return None;
    }
    let mut length = sign + whole;
    if text.get(length) == Some(&b'.') {
        let fraction = digits_length(&text[length + 1..]);
        if fraction > 0 {
            length += 1 + fraction;
        }
    }
    if let Some(b'e' | b'E') = text.get(length) {
        let sign = sign_length(&text[length + 1..]);
        let exponent = digits_length(&text[length + 1 + sign..]);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    (length <= MAX_NUMBER_BYTES).then_some(length)
}

fn bool_length(text: &[u8]) -> Option<usize> {
    const WORDS: [&[u8]; 6] = [b"true", b"false", b"True", b"False", b"TRUE", b"FALSE"];
    WORDS.iter().find(|word| text.starts_with(word)).map(|word| word.len())
}

fn uuid_length(text: &[u8]) -> Option<usize> {
    let uuid = text.get(..36)?;
    let fits = uuid.iter().enumerate().all(|(index, byte)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    fits.then_some(36)
}

fn ip_length(text: &[u8]) -> Option<usize> {
    ipv4_length(text).or_else(|| ipv6_length(text))
}

fn ipv4_length(text: &[u8]) -> Option<usize> {
    let mut length = 0;
    for part in 0..4 {
        if part > 0 {
            if text.get(length) != Some(&b'.') {
                return None;
            }
            length += 1;
        }
        let digits = digits_length(&text[length..text.len().min(length + 4)]);
        let number: u32 = ascii(&text[length..length + digits])?.parse().ok()?;
        if digits > 3 || number > 255 {
            return None;
        }
        length += digits;
    }
    Some(length)
}

fn ipv6_length(text: &[u8]) -> Option<usize> {
    let text = &text[..text.len().min(MAX_IP_BYTES)];
    let belongs = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let mut length = text.iter().take_while(belongs).count();
    // A colon or full stop after the address belongs to the sentence around it.
    for _ in 0..2 {
        if ascii(&text[..length])?.parse::<Ipv6Addr>().is_ok() {
            return Some(length);
        }
        if !matches!(text[..length].last(), Some(b':' | b'.')) {
            return None;
        }
        length -= 1;
    }
    None
}

fn quoted_length(text: &[u8]) -> Option<usize> {
    let quote = *text.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let mut index = 1;
    loop {
        match *text.get(index)? {
            b'\\' => index += 2,
            byte if byte == quote => return Some(index + 1),
            _ => index += 1,
        }
    }
}

/// The text between the quotes of a quoted capture; text without quotes as it is.
pub(crate) fn unquoted(text: &[u8]) -> Cow<'_, [u8]> {
    if text.len() >= 2 && quoted_length(text) == Some(text.len()) {
        return unescaped(&text[1..text.len() - 1]);
    }
    Cow::Borrowed(text)
}

/// Text without the backslashes of its escapes. `\n`, `\r` and `\t` become what they stand
/// for; any other character after a backslash stands for itself.
pub(crate) fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => plain.push(b'\n'),
                Some(b'r') => plain.push(b'\r'),
                Some(b't') => plain.push(b'\t'),
                Some(other) => plain.push(*other),
                None => plain.push(b'\\'),
            },
            other => plain.push(*other),
        }
    }
    Cow::Owned(plain)
}

/// Units with their length in seconds; longer names before their own beginnings.
const UNITS: [(&[u8], f64); 8] = [
    (b"ns", 1e-9),
    (b"us", 1e-6),
    ("µs".as_bytes(), 1e-6),
    (b"ms", 1e-3),
    (b"s", 1.0),
    (b"m", 60.0),
    (b"h", 3_600.0),
    (b"d", 86_400.0),
];

/// Splits `2.5h` off the front: the number's length, the unit's length, the seconds of one unit.
fn duration_group(text: &[u8]) -> Option<(usize, usize, f64)> {
    let number = number_length(text).filter(|_| text[0].is_ascii_digit())?;
    let (unit, seconds) = UNITS.iter().find(|(unit, _)| text[number..].starts_with(unit))?;
    Some((number, unit.len(), *seconds))
}

fn duration_length(text: &[u8]) -> Option<usize> {
    let mut length = 0;
    for _ in 0..MAX_DURATION_GROUPS {
        match duration_group(&text[length..]) {
            Some((number, unit, _)) => length += number + unit,
            None => break,
        }
    }
    (length > 0).then_some(length)
}

fn duration_value(text: &[u8]) -> Option<Value> {
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, unit, unit_seconds) = duration_group(rest)?;
        seconds += ascii(&rest[..number])?.parse::<f64>().ok()? * unit_seconds;
        rest = &rest[number + unit..];
    }
    // Sums of decimal fractions carry binary noise; nanoseconds are as fine as times get.
    let seconds = (seconds * 1e9).round() / 1e9;
    Finite::new(seconds).map(Value::Number)
}
