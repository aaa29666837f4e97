//! Events to JSON, written once and in order, without an allocation but the output's own.

use super::literal::put;
use crate::{Event, EventRef, ValueRef};

/// How JSON is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// As the inside of a JSON string: what is a text within another JSON text need not be written
    /// and then gone over again.
    Quoted,
}

/// A part of the events of one source or one rule, written once in both forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    plain: Box<[u8]>,
    quoted: Box<[u8]>,
}

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
    write_parts_as(Form::Plain, out, event, changes);
}

/// Appends an event as [`write_parts`] does, in either form.
pub fn write_parts_as(
    form: Form,
    out: &mut Vec<u8>,
    event: &EventRef<'_>,
    changes: &mut dyn FnMut(&mut ChangeWriter<'_>),
) {
    // What differs from line to line, then what a source fixes, then what a rule fixes: each
    // part can be prepared as a whole.
    write_head(form, out, event);
    match event.prepared_source {
        Some(prepared) => out.extend_from_slice(prepared.bytes(form)),
        None => write_source(form, out, event),
    }
    match event.prepared_rule {
        Some(prepared) => out.extend_from_slice(prepared.bytes(form)),
        None => write_rule(form, out, event),
    }
    write_escaped(form, out, event.entity_id.as_bytes());
    put!(out, form, b"\"");
    write_data(form, out, event.line, changes);
    out.push(b'}');
}

fn write_head(form: Form, out: &mut Vec<u8>, event: &EventRef<'_>) {
    put!(out, form, b"{\"specversion\":\"1.0\",\"id\":\"");
    out.extend_from_slice(&event.id.hex());
    put!(out, form, b"\",\"time\":\"");
    match event.prepared_time {
        Some(text) => out.extend_from_slice(text),
        None => event.time.write_rfc3339(out),
    }
    put!(out, form, b"\",\"seq\":\"");
    write_unsigned(out, event.seq);
    put!(out, form, b"\"");
    if let Some(offset) = event.offset {
        put!(out, form, b",\"offset\":\"");
        write_unsigned(out, offset);
        put!(out, form, b"\"");
    }
}

/// What a source fixes.
fn write_source(form: Form, out: &mut Vec<u8>, event: &EventRef<'_>) {
    put!(out, form, b",\"source\":");
    write_string(form, out, event.source.as_bytes());
    put!(out, form, b",\"namespace\":");
    write_string(form, out, event.namespace.as_bytes());
    if let Some(node) = event.node {
        put!(out, form, b",\"node\":");
        write_string(form, out, node.as_bytes());
    }
    if let Some(file) = event.file {
        put!(out, form, b",\"file\":");
        write_string(form, out, file.as_bytes());
    }
}

/// What a rule fixes, up to the entity's id.
fn write_rule(form: Form, out: &mut Vec<u8>, event: &EventRef<'_>) {
    if let Some(rule) = event.rule {
        put!(out, form, b",\"rule\":");
        write_string(form, out, rule.as_bytes());
    }
    put!(out, form, b",\"datacontenttype\":\"application/json\",\"type\":\"");
    write_escaped(form, out, event.entity_type.as_bytes());
    out.push(b'.');
    write_escaped(form, out, event.name.as_bytes());
    put!(out, form, b"\",\"subject\":\"");
    write_escaped(form, out, event.entity_type.as_bytes());
    out.push(b'/');
}

impl Prepared {
    /// What all events of a source with these parts have in common; the other parts do not count.
    pub fn of_source(event: &EventRef<'_>) -> Prepared {
        Prepared::written(|form, out| write_source(form, out, event))
    }

    /// What all events with this rule, entity type and name have in common; the other parts do not
    /// count.
    pub fn of_rule(event: &EventRef<'_>) -> Prepared {
        Prepared::written(|form, out| write_rule(form, out, event))
    }

    fn written(write: impl Fn(Form, &mut Vec<u8>)) -> Prepared {
        let (mut plain, mut quoted) = (Vec::new(), Vec::new());
        write(Form::Plain, &mut plain);
        write(Form::Quoted, &mut quoted);
        Prepared { plain: plain.into(), quoted: quoted.into() }
    }

    fn bytes(&self, form: Form) -> &[u8] {
        match form {
            Form::Plain => &self.plain,
            Form::Quoted => &self.quoted,
        }
    }
}

/// Appends `data`, unless there is nothing to put into it.
fn write_data(
    form: Form,
    out: &mut Vec<u8>,
    line: Option<&[u8]>,
    changes: &mut dyn FnMut(&mut ChangeWriter<'_>),
) {
    let before = out.len();
    put!(out, form, b",\"data\":{");
    let empty = out.len();
    write_changes_as(form, out, changes);
    if let Some(line) = line {
        if out.len() > empty {
            out.push(b',');
        }
        put!(out, form, b"\"line\":");
        write_string(form, out, line);
    }
    if out.len() == empty {
        out.truncate(before);
    } else {
        out.push(b'}');
    }
}

/// Appends `"set":{...}` and `"unset":[...]`, each only if there is something in it.
pub fn write_changes(out: &mut Vec<u8>, changes: &mut dyn FnMut(&mut ChangeWriter<'_>)) {
    write_changes_as(Form::Plain, out, changes);
}

fn write_changes_as(form: Form, out: &mut Vec<u8>, changes: &mut dyn FnMut(&mut ChangeWriter<'_>)) {
    let (mut sets, mut unsets) = (0, 0);
    changes(&mut |field, value| {
        let Some(value) = value else {
            unsets += 1;
            return;
        };
        if sets == 0 {
            put!(out, form, b"\"set\":{");
        } else {
            out.push(b',');
        }
        sets += 1;
        write_string(form, out, field.as_bytes());
        out.push(b':');
        write_value(form, out, value);
    });
    if sets > 0 {
        out.push(b'}');
    }
    if unsets == 0 {
        return;
    }
    if sets > 0 {
        out.push(b',');
    }
    put!(out, form, b"\"unset\":[");
    let mut written = 0;
    changes(&mut |field, value| {
        if value.is_some() {
            return;
        }
        if written > 0 {
            out.push(b',');
        }
        written += 1;
        write_string(form, out, field.as_bytes());
    });
    out.push(b']');
}

fn write_value(form: Form, out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Bool(true) => out.extend_from_slice(b"true"),
        ValueRef::Bool(false) => out.extend_from_slice(b"false"),
        ValueRef::Int(value) => {
            if value < 0 {
                out.push(b'-');
            }
            write_unsigned(out, value.unsigned_abs());
        }
        ValueRef::Number(value) => write_number(out, value.get()),
        ValueRef::Text(text) => write_string(form, out, text),
    }
}

/// Appends a number in its shortest form.
///
/// Numbers of logs mostly have few digits. Those that an integer divided by a power of ten gives
/// exactly are that integer's digits with a point: two decimals of at most 15 digits never are the
/// same number, so no other is as short.
fn write_number(out: &mut Vec<u8>, value: f64) {
    const EXACT_BELOW: f64 = 1e15;
    let size = value.abs();
    for (decimals, power) in [1.0, 10.0, 100.0, 1_000.0].into_iter().enumerate() {
        // The product may be off by a little; whether it was meant so, the quotient tells.
        let scaled = (size * power).round_ties_even();
        if scaled >= EXACT_BELOW {
            break;
        }
        if scaled / power == size {
            if value.is_sign_negative() {
                out.push(b'-');
            }
            // With one decimal at least: 5.0 is another value than 5.
            let (units, digits) =
                if decimals == 0 { (scaled * 10.0, 1) } else { (scaled, decimals) };
            return write_decimal(out, units as u64, digits);
        }
    }
    out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
}

/// Appends `units`, of which the last digits are decimals.
fn write_decimal(out: &mut Vec<u8>, mut units: u64, decimals: usize) {
    let mut text = [0; 24];
    let mut start = text.len();
    let mut written = 0;
    while units > 0 || written <= decimals {
        if written == decimals {
            start -= 1;
            text[start] = b'.';
        }
        start -= 1;
        text[start] = b'0' + (units % 10) as u8;
        units /= 10;
        written += 1;
    }
    out.extend_from_slice(&text[start..]);
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
    write_string(Form::Plain, out, text);
}

fn write_string(form: Form, out: &mut Vec<u8>, text: &[u8]) {
    put!(out, form, b"\"");
    write_escaped(form, out, text);
    put!(out, form, b"\"");
}

/// Appends the inside of a JSON string, as [`write_json_string`] writes it.
pub fn write_escaped(form: Form, out: &mut Vec<u8>, text: &[u8]) {
    let end = next_special(text, 0, NON_ASCII);
    let (plain, rest) = text.split_at(end);
    out.extend_from_slice(plain);
    if !rest.is_empty() {
        escape_rest(form, out, rest);
    }
}

/// How many bytes [`write_escaped`] appends for a text at the most; for one that is UTF-8 it is exact.
pub fn escaped_bytes_max(form: Form, text: &[u8]) -> usize {
    let (short, white, control) = match form {
        Form::Plain => (2, 2, 6),
        Form::Quoted => (4, 3, 7),
    };
    // What is not UTF-8 becomes U+FFFD.
    let other = if std::str::from_utf8(text).is_ok() { 1 } else { '\u{fffd}'.len_utf8() };
    let bytes = |byte: &u8| match byte {
        b'"' | b'\\' => short,
        b'\n' | b'\r' | b'\t' => white,
        0..b' ' => control,
        b' '..=0x7f => 1,
        0x80.. => other,
    };
    text.iter().map(bytes).sum()
}

/// Goes on with a text at the first byte that needs more than to be copied.
#[inline(never)]
fn escape_rest(form: Form, out: &mut Vec<u8>, text: &[u8]) {
    let end = escape_until(form, out, text, NON_ASCII);
    if end == text.len() {
        return;
    }
    for chunk in text[end..].utf8_chunks() {
        escape_until(form, out, chunk.valid().as_bytes(), 0);
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
fn escape_until(form: Form, out: &mut Vec<u8>, text: &[u8], stop: u64) -> usize {
    let mut written = 0;
    loop {
        let special = next_special(text, written, stop);
        out.extend_from_slice(&text[written..special]);
        match text.get(special) {
            Some(byte) if u64::from(*byte) & stop & 0xff == 0 => escape(form, out, *byte),
            Some(_) | None => return special,
        }
        written = special + 1;
    }
}

/// The first byte at or after `from` that JSON escapes or at which to stop, or the end. Eight
/// bytes are looked at together: in an interpreter, steps are what costs.
fn next_special(text: &[u8], from: usize, stop: u64) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let (words, tail) = rest.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        if (passes(word) & !(word & stop)) & NON_ASCII == NON_ASCII {
            continue;
        }
        let specials = specials(word, stop);
        if specials != 0 {
            return from + number * 8 + first_byte(specials);
        }
    }
    let found = match (tail, rest.last_chunk()) {
        ([], _) => None,
        // The last bytes are looked at together with some before them, which are known.
        (_, Some(last)) => match specials(u64::from_le_bytes(*last), stop) {
            0 => None,
            specials => Some(rest.len() - 8 + first_byte(specials)),
        },
        (short, None) => short.iter().position(|byte| {
            !NEEDS_NO_ESCAPE[usize::from(*byte)] || u64::from(*byte) & stop & 0xff != 0
        }),
    };
    from + found.unwrap_or(rest.len())
}

/// The number of the first byte of a word that is marked.
fn first_byte(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

static NEEDS_NO_ESCAPE: [bool; 256] = {
    let mut needs_none = [true; 256];
    let mut byte = 0;
    while byte < needs_none.len() {
        needs_none[byte] = byte >= b' ' as usize && byte != b'"' as usize && byte != b'\\' as usize;
        byte += 1;
    }
    needs_none
};

/// Marks bytes of a word that need no escape. What is not ASCII is taken for what is left of it
/// without its highest bit, and may be left out.
fn passes(word: u64) -> u64 {
    let word = word & !NON_ASCII;
    let differs = |byte: u8| (word ^ (u64::from(byte) * ONES)).wrapping_add(!NON_ASCII);
    differs(b'"') & differs(b'\\') & word.wrapping_add(0x60 * ONES)
}

/// Marks bytes of a word that need an escape or have a bit in common with `stop`: the lowest mark
/// is right, and above it there may be wrong ones.
fn specials(word: u64, stop: u64) -> u64 {
    // A byte's highest bit is set where the byte is below what is subtracted; a borrow can mark
    // wrongly only above a byte that is marked rightly.
    let below_blank = word.wrapping_sub(0x20 * ONES) & !word;
    let quote = word ^ (u64::from(b'"') * ONES);
    let backslash = word ^ (u64::from(b'\\') * ONES);
    let equal = (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
    ((below_blank | equal) & NON_ASCII) | (word & stop)
}

fn escape(form: Form, out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => put!(out, form, b"\\\""),
        b'\\' => put!(out, form, b"\\\\"),
        b'\n' => put!(out, form, b"\\n"),
        b'\r' => put!(out, form, b"\\r"),
        b'\t' => put!(out, form, b"\\t"),
        _ => {
            let hex = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            put!(out, form, b"\\u00");
            out.extend_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agrees(value: f64) {
        let mut out = Vec::new();
        write_number(&mut out, value);
        let text = String::from_utf8_lossy(&out).into_owned();
        assert_eq!(text, ryu::Buffer::new().format_finite(value));
    }

    proptest! {
        #[test]
        fn numbers_have_their_shortest_form(
            units in -10_000_000_000_000_000_i64..10_000_000_000_000_000, decimals in 0..20_i32,
            few in -100_000_i64..100_000, any in any::<f64>(),
        ) {
            for value in [
                units as f64 / 10_f64.powi(decimals),
                few as f64 / 10_f64.powi(decimals % 5),
                any,
            ] {
                if value.is_finite() {
                    agrees(value);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_as_long_as_was_said(
            text in prop_oneof![any::<String>().prop_map(String::into_bytes), any::<Vec<u8>>()]
        ) {
            for form in [Form::Plain, Form::Quoted] {
                let mut out = Vec::new();
                write_escaped(form, &mut out, &text);
                let most = escaped_bytes_max(form, &text);
                let is_utf8 = std::str::from_utf8(&text).is_ok();
                prop_assert!(out.len() == most || (!is_utf8 && out.len() < most));
            }
        }
    }

    #[test]
    fn numbers_at_the_edges_have_their_shortest_form() {
        for value in
            [0.0_f64, -0.0, 1.0, -1.0, 0.1, 0.001, 0.0001, 1e15, 1e16, 999_999_999_999_999.0]
        {
            for value in [value, value.next_up(), value.next_down(), value / 3.0] {
                agrees(value);
                agrees(-value);
            }
        }
    }
}
