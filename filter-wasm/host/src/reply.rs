//! What Fluent Bit gets back.

use rmp::Marker;
use serde::de::IgnoredAny;

use crate::guest::{ANNOTATE, EVENTS};

/// What Fluent Bit makes of the pointer that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Null: the record is dropped (in JSON).
    Null,
    /// The record's own place: it passes unchanged (in JSON).
    Input,
    /// Everything up to the first zero byte.
    Text(Vec<u8>),
}

/// What Fluent Bit would make of what the native engine replies.
impl From<statetrail_filter::Reply<'_>> for Reply {
    fn from(reply: statetrail_filter::Reply<'_>) -> Reply {
        match reply {
            statetrail_filter::Reply::Drop => Reply::Null,
            statetrail_filter::Reply::PassInput => Reply::Input,
            statetrail_filter::Reply::Output(_) => {
                let text = reply.text().expect("there is a text");
                assert!(!text.contains(&0), "Fluent Bit would read no further");
                Reply::Text(text.to_vec())
            }
        }
    }
}

/// Checks that Fluent Bit can read the reply of a function to a record.
///
/// # Panics
/// When it cannot.
pub fn check_readable(function: &str, record: &[u8], reply: &Reply) {
    let shown = || format!("{function} {}", record.escape_ascii());
    match reply {
        Reply::Text(text) if is_msgpack(record) => {
            assert!(is_msgpack(text), "{}: {}", shown(), text.escape_ascii());
            assert_eq!(msgpack_length(text), Some(text.len()), "{}: {text:x?}", shown());
        }
        Reply::Text(text) => {
            let text = std::str::from_utf8(text).unwrap_or_else(|_| panic!("{} UTF-8", shown()));
            assert!(text.trim_start().starts_with('{'), "{}: {text}", shown());
            serde_json::from_str::<IgnoredAny>(text)
                .unwrap_or_else(|fault| panic!("{}: {text}: {fault}", shown()));
        }
        Reply::Null => assert!(function == EVENTS && !is_msgpack(record), "{}", shown()),
        Reply::Input => assert!(function == ANNOTATE && !is_msgpack(record), "{}", shown()),
    }
}

fn is_msgpack(record: &[u8]) -> bool {
    matches!(record.first(), Some(0x80..=0x8f | 0xde | 0xdf))
}

/// The length of the MessagePack value at the start of `bytes`, found in another way than the
/// filter's.
fn msgpack_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut values = 1usize;
    while values > 0 {
        values -= 1;
        let marker = Marker::from_u8(*bytes.get(at)?);
        at += 1;
        let mut number = |size: usize| {
            let digits = bytes.get(at..at + size)?;
            at += size;
            Some(digits.iter().fold(0usize, |number, digit| number << 8 | usize::from(*digit)))
        };
        let (content, children) = match marker {
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => {
                (0, 0)
            }
            Marker::Reserved => return None,
            Marker::U8 | Marker::I8 => (1, 0),
            Marker::U16 | Marker::I16 | Marker::FixExt1 => (2, 0),
            Marker::FixExt2 => (3, 0),
            Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
            Marker::FixExt4 => (5, 0),
            Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
            Marker::FixExt8 => (9, 0),
            Marker::FixExt16 => (17, 0),
            Marker::FixStr(length) => (usize::from(length), 0),
            Marker::Str8 | Marker::Bin8 => (number(1)?, 0),
            Marker::Str16 | Marker::Bin16 => (number(2)?, 0),
            Marker::Str32 | Marker::Bin32 => (number(4)?, 0),
            Marker::Ext8 => (number(1)? + 1, 0),
            Marker::Ext16 => (number(2)? + 1, 0),
            Marker::Ext32 => (number(4)? + 1, 0),
            Marker::FixArray(length) => (0, usize::from(length)),
            Marker::Array16 => (0, number(2)?),
            Marker::Array32 => (0, number(4)?),
            Marker::FixMap(length) => (0, usize::from(length) * 2),
            Marker::Map16 => (0, number(2)? * 2),
            Marker::Map32 => (0, number(4)? * 2),
        };
        at += content;
        values += children;
    }
    (at <= bytes.len()).then_some(at)
}
