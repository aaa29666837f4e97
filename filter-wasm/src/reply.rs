//! Writes replies. Each is read by Fluent Bit as a C string, in MessagePack too, so none may
//! hold a zero byte.

use std::ffi::CStr;

use statetrail_event::cloudevents::{Form, write_escaped};

use crate::filter::MAX_EVENTS_BYTES;
use crate::json_check;
use crate::msgpack::{put_map_head, put_text};
use crate::record::{Record, Text};

/// The dedicated stream's record in MessagePack that stands for "drop this one".
pub(crate) const DROP_MSGPACK: &CStr = c"\x81\xaastatetrail\xa4drop";

/// The record in MessagePack that takes the place of one that cannot be returned.
pub(crate) const LOST_MSGPACK: &CStr = c"\x81\xb0statetrail_error\xd9\x44\
    this record cannot be returned in MessagePack: set event_format json";

/// What is sent for one line.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    /// CloudEvents JSON, an object for one event, an array for more.
    pub(crate) events: &'a [u8],
    /// The full name of the first event's entity.
    pub(crate) key: &'a [u8],
}

/// The record of the dedicated stream, of events that are quoted already.
pub(crate) fn events_json(out: &mut Vec<u8>, found: Found<'_>) {
    out.extend_from_slice(b"{\"key\":\"");
    write_escaped(Form::Plain, out, found.key);
    out.extend_from_slice(b"\",\"event\":\"");
    out.extend_from_slice(found.events);
    out.extend_from_slice(b"\"}");
}

/// The record with the events at its end, or `None` if the record is not JSON, or if Kafka might not
/// take what comes of it: out_kafka writes what is not ASCII with escapes, up to three bytes for one.
pub(crate) fn annotated_json(
    out: &mut Vec<u8>,
    bytes: &[u8],
    record: &Record<'_>,
    found: Found<'_>,
    nesting: &mut Vec<u8>,
) -> Option<()> {
    let most = bytes.len().saturating_add(found.events.len().saturating_mul(3));
    if most > MAX_EVENTS_BYTES || !json_check::is_valid(bytes, nesting) {
        return None;
    }
    push_utf8(out, bytes.get(..record.end)?);
    out.extend_from_slice(if record.entries > 0 { b"," } else { b"" });
    out.extend_from_slice(b"\"statetrail\":");
    let is_array = found.events.first() == Some(&b'[');
    out.extend_from_slice(if is_array { b"" } else { b"[" });
    out.extend_from_slice(found.events);
    out.extend_from_slice(if is_array { b"}" } else { b"]}" });
    Some(())
}

/// Appends a text; what is not UTF-8 becomes U+FFFD, without which it would not be JSON.
fn push_utf8(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// The record of the dedicated stream, or `None` if it cannot be written without a zero byte.
pub(crate) fn events_msgpack(out: &mut Vec<u8>, found: Found<'_>) -> Option<()> {
    put_map_head(out, 2)?;
    put_text(out, b"key")?;
    put_text(out, found.key)?;
    put_text(out, b"event")?;
    put_json(out, found.events)
}

/// Appends JSON as a text. Where its length cannot be written without a zero byte, a blank at
/// its end, which JSON ignores, makes another length of it.
fn put_json(out: &mut Vec<u8>, json: &[u8]) -> Option<()> {
    if !json.len().is_multiple_of(256) {
        return put_text(out, json);
    }
    let padded = [json, b" "].concat();
    put_text(out, &padded)
}

/// The record with the events as a JSON text at its end, or `None` if that would hold a zero
/// byte.
pub(crate) fn annotated_msgpack(
    out: &mut Vec<u8>,
    bytes: &[u8],
    record: &Record<'_>,
    found: Option<Found<'_>>,
) -> Option<()> {
    // The entries follow the map's head, which is one byte for every map that can be returned.
    put_map_head(out, record.entries + usize::from(found.is_some()))?;
    let entries = bytes.get(1..record.end).filter(|entries| !entries.contains(&0))?;
    out.extend_from_slice(entries);
    match found {
        Some(found) => put_text(out, b"statetrail").and_then(|()| put_json(out, found.events)),
        None => Some(()),
    }
}

/// What takes the place of a record that cannot be returned: it says so, and keeps the line and
/// the events as far as they can be returned.
pub(crate) fn lost_msgpack(
    out: &mut Vec<u8>,
    line: Option<Text<'_>>,
    found: Option<Found<'_>>,
) -> Option<()> {
    let start = out.len();
    out.extend_from_slice(LOST_MSGPACK.to_bytes());
    let mut entries = 1;
    let parts = [
        (b"log".as_slice(), line.map(Text::raw)),
        (b"statetrail_events", found.map(|found| found.events)),
    ];
    for (key, value) in parts {
        let before = out.len();
        let put = value.and_then(|value| {
            put_text(out, key)?;
            put_json(out, value)
        });
        match put {
            Some(()) => entries += 1,
            None => out.truncate(before),
        }
    }
    *out.get_mut(start)? = 0x80 | entries;
    Some(())
}
