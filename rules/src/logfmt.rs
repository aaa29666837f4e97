//! The fields of a logfmt line: `level=info msg="order paid" order=o-1042`.

use crate::fields::{Field, FieldKind, FieldSink, Paths};
use crate::matcher::{Span, is_space};

/// Gives every wanted field of the line to `fields`. Words without `=` are passed over, so a
/// line may begin with something else. Returns whether there was any field.
pub(crate) fn read(line: &[u8], paths: &Paths, fields: &mut FieldSink<'_>) -> bool {
    let mut at = 0;
    let mut found = false;
    while at < line.len() {
        if is_space(line[at]) {
            at += 1;
            continue;
        }
        let key_end = at + run(&line[at..], |byte| !is_space(byte) && byte != b'=');
        if line.get(key_end) != Some(&b'=') {
            at = key_end;
            continue;
        }
        let key = &line[at..key_end];
        let (field, end) = value(line, key_end + 1);
        if !key.is_empty() {
            found = true;
            if let Some(number) = paths.get(key) {
                fields(number, Some(field));
            }
        }
        at = end;
    }
    found
}

/// Reads the value at `at` and returns it with the place after it. A quotation without an end
/// is taken as a word.
fn value(line: &[u8], at: usize) -> (Field, usize) {
    if line.get(at) == Some(&b'"')
        && let Some((end, escaped)) = quotation(line, at + 1)
    {
        let kind = if escaped { FieldKind::Escaped } else { FieldKind::Text };
        return (Field { kind, span: Span { start: (at + 1) as u32, end: end as u32 } }, end + 1);
    }
    let end = at + run(&line[at..], |byte| !is_space(byte));
    (Field { kind: FieldKind::Text, span: Span { start: at as u32, end: end as u32 } }, end)
}

/// Where the quotation whose text begins at `at` has its closing quote, and whether it holds
/// escapes.
fn quotation(line: &[u8], at: usize) -> Option<(usize, bool)> {
    let mut index = at;
    let mut escaped = false;
    loop {
        match *line.get(index)? {
            b'"' => return Some((index, escaped)),
            b'\\' => {
                escaped = true;
                index += 2;
            }
            _ => index += 1,
        }
    }
}

fn run(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|byte| belongs(**byte)).count()
}
