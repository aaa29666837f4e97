//! Events to JSON, written once and in order, without an allocation but the output's own.

use crate::{Event, EventRef, ValueRef};

/// Appends one event as a JSON object.
pub fn write_event(out: &mut Vec<u8>, event: &Event) {
    write_parts(out, &event.as_ref(), &mut |writer| {
        for change in &event.changes {
            writer(&change.field, change.value.as_ref().map(|value| value.as_ref()));
        }
    });
}

/// Appends the events of one line: an object for one, an array for any other number.
pub fn write_batch(out: &mut Vec<u8>, events: &[Event]) {
    if let [event] = events {
        return write_event(out, event);
    }
    out.push(b'[');
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_event(out, event);
    }
    out.push(b']');
}

/// Takes a field and its new value, or `None` to unset it.
pub type ChangeWriter<'w> = dyn FnMut(&str, Option<ValueRef<'_>>) + 'w;

/// Appends an event given in borrowed parts. `changes` is called twice and must give every
/// change to its argument both times.
pub fn write_parts(
    out: &mut Vec<u8>,
    event: &EventRef<'_>,
    changes: &mut dyn FnMut(&mut ChangeWriter<'_>),
) {
    // What differs from line to line, then what a source fixes, then what a rule fixes: each
    // part can be prepared as a whole.
    out.extend_from_slice(b"{\"specversion\":\"1.0\",\"id\":\"");
    out.extend_from_slice(&event.id.hex());
    out.extend_from_slice(b"\",\"time\":\"");
    event.time.write_rfc3339(out);
    out.extend_from_slice(b"\",\"seq\":\"");
    write_unsigned(out, event.seq);
    out.push(b'"');
    if let Some(offset) = event.offset {
        out.extend_from_slice(b",\"offset\":\"");
        write_unsigned(out, offset);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"source\":");
    write_json_string(out, event.source.as_bytes());
    out.extend_from_slice(b",\"namespace\":");
    write_json_string(out, event.namespace.as_bytes());
    write_optional(out, b",\"node\":", event.node);
    write_optional(out, b",\"file\":", event.file);
    write_optional(out, b",\"rule\":", event.rule);
    out.extend_from_slice(b",\"datacontenttype\":\"application/json\",\"type\":\"");
    write_escaped(out, event.entity_type.as_bytes());
    out.push(b'.');
    write_escaped(out, event.name.as_bytes());
    out.extend_from_slice(b"\",\"subject\":\"");
    write_escaped(out, event.entity_type.as_bytes());
    out.push(b'/');
    write_escaped(out, event.entity_id.as_bytes());
    out.push(b'"');
    write_data(out, event.line, changes);
    out.push(b'}');
}

/// Appends `data`, unless there is nothing to put into it.
fn write_data(
    out: &mut Vec<u8>,
    line: Option<&[u8]>,
    changes: &mut dyn FnMut(&mut ChangeWriter<'_>),
) {
    let before = out.len();
    out.extend_from_slice(b",\"data\":{");
    let empty = out.len();
    write_changes(out, changes);
    if let Some(line) = line {
        if out.len() > empty {
            out.push(b',');
        }
        out.extend_from_slice(b"\"line\":");
        write_json_string(out, line);
    }
    if out.len() == empty {
        out.truncate(before);
    } else {
        out.push(b'}');
    }
}

/// Appends `"set":{...}` and `"unset":[...]`, each only if there is something in it.
pub fn write_changes(out: &mut Vec<u8>, changes: &mut dyn FnMut(&mut ChangeWriter<'_>)) {
    let mut sets = 0;
    changes(&mut |field, value| {
        let Some(value) = value else { return };
        out.extend_from_slice(if sets == 0 { b"\"set\":{" } else { b"," });
        sets += 1;
        write_json_string(out, field.as_bytes());
        out.push(b':');
        write_value(out, value);
    });
    if sets > 0 {
        out.push(b'}');
    }
    let mut unsets = 0;
    changes(&mut |field, value| {
        if value.is_some() {
            return;
        }
        let first: &[u8] = if sets > 0 { b",\"unset\":[" } else { b"\"unset\":[" };
        out.extend_from_slice(if unsets == 0 { first } else { b"," });
        unsets += 1;
        write_json_string(out, field.as_bytes());
    });
    if unsets > 0 {
        out.push(b']');
    }
}

fn write_optional(out: &mut Vec<u8>, key: &[u8], text: Option<&str>) {
    if let Some(text) = text {
        out.extend_from_slice(key);
        write_json_string(out, text.as_bytes());
    }
}

fn write_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Bool(true) => out.extend_from_slice(b"true"),
        ValueRef::Bool(false) => out.extend_from_slice(b"false"),
        ValueRef::Int(value) => {
            if value < 0 {
                out.push(b'-');
            }
            write_unsigned(out, value.unsigned_abs());
        }
        ValueRef::Number(value) => {
            out.extend_from_slice(ryu::Buffer::new().format_finite(value.get()).as_bytes())
        }
        ValueRef::Text(text) => write_json_string(out, text),
    }
}

fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends `text` as a JSON string with its quotes. Every control character is escaped, so no
/// output holds a NUL byte, at which Fluent Bit would cut it; what is not UTF-8 becomes U+FFFD.
pub fn write_json_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let end = escape_until(out, text, NON_ASCII);
    if end == text.len() {
        return;
    }
    for chunk in text[end..].utf8_chunks() {
        escape_until(out, chunk.valid().as_bytes(), 0);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// One in every byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of every byte of a word: set where the byte is not ASCII.
const NON_ASCII: u64 = 0x80 * ONES;

/// Appends text with its escapes, up to the end or up to the first byte that has a bit in
/// common with `stop`. Returns where it stopped.
fn escape_until(out: &mut Vec<u8>, text: &[u8], stop: u64) -> usize {
    let mut written = 0;
    loop {
        let special = next_special(text, written, stop);
        out.extend_from_slice(&text[written..special]);
        match text.get(special) {
            Some(byte) if u64::from(*byte) & stop & 0xff == 0 => escape(out, *byte),
            Some(_) | None => return special,
        }
        written = special + 1;
    }
}

/// The first byte at or after `from` that JSON escapes or at which to stop, or the end. Eight
/// bytes are looked at together: in an interpreter, steps are what costs.
fn next_special(text: &[u8], from: usize, stop: u64) -> usize {
    let mut at = from;
    while let Some(bytes) = text.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()) {
        let word = u64::from_le_bytes(bytes);
        // A byte's highest bit is set where the byte is below what is subtracted; a borrow can
        // mark wrongly only above a byte that is marked rightly, and the lowest one counts.
        let below_blank = word.wrapping_sub(0x20 * ONES) & !word;
        let quote = word ^ (u64::from(b'"') * ONES);
        let backslash = word ^ (u64::from(b'\\') * ONES);
        let equal =
            (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
        let special = ((below_blank | equal) & NON_ASCII) | (word & stop);
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_special = |byte: u8| {
        byte < b' ' || matches!(byte, b'"' | b'\\') || u64::from(byte) & stop & 0xff != 0
    };
    while at < text.len() && !is_special(text[at]) {
        at += 1;
    }
    at
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let hex = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
        }
    }
}
