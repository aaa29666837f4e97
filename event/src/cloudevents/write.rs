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
    out.extend_from_slice(b"{\"specversion\":\"1.0\",\"id\":\"");
    out.extend_from_slice(&event.id.hex());
    out.extend_from_slice(b"\",\"source\":");
    write_json_string(out, event.source.as_bytes());
    out.extend_from_slice(b",\"type\":\"");
    write_escaped(out, event.entity_type.as_bytes());
    out.push(b'.');
    write_escaped(out, event.name.as_bytes());
    out.extend_from_slice(b"\",\"subject\":\"");
    write_escaped(out, event.entity_type.as_bytes());
    out.push(b'/');
    write_escaped(out, event.entity_id.as_bytes());
    out.extend_from_slice(b"\",\"time\":\"");
    event.time.write_rfc3339(out);
    out.extend_from_slice(b"\",\"datacontenttype\":\"application/json\",\"namespace\":");
    write_json_string(out, event.namespace.as_bytes());
    out.extend_from_slice(b",\"seq\":\"");
    write_unsigned(out, event.seq);
    out.push(b'"');
    write_optional(out, b",\"rule\":", event.rule);
    write_optional(out, b",\"node\":", event.node);
    write_optional(out, b",\"file\":", event.file);
    if let Some(offset) = event.offset {
        out.extend_from_slice(b",\"offset\":\"");
        write_unsigned(out, offset);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"data\":{");
    let before_data = out.len();
    write_changes(out, changes);
    if let Some(line) = event.line {
        if out.len() > before_data {
            out.push(b',');
        }
        out.extend_from_slice(b"\"line\":");
        write_json_string(out, line);
    }
    out.extend_from_slice(b"}}");
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
    if text.is_ascii() {
        return write_escaped_utf8(out, text);
    }
    for chunk in text.utf8_chunks() {
        write_escaped_utf8(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn write_escaped_utf8(out: &mut Vec<u8>, text: &[u8]) {
    let mut written = 0;
    for (index, byte) in text.iter().copied().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[written..index]);
        written = index + 1;
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
    out.extend_from_slice(&text[written..]);
}
