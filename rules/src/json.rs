//! The fields of a JSON line, found in one walk without building a tree and without recursion.

use crate::fields::{Field, FieldKind, FieldSink, Paths};
use crate::matcher::Span;

/// Objects and arrays deeper than this are stepped over without looking for fields in them.
const MAX_DEPTH: usize = 32;

/// An object or array that the walk is in.
struct Level {
    is_object: bool,
    /// Length of the path without the parts of this level.
    path_length: usize,
    /// Number of the next element, in an array.
    index: u32,
    /// The path that the value itself answers to, and where it begins.
    wanted: Option<(u32, usize)>,
}

/// Memory of the walk that is kept from line to line.
#[derive(Default)]
pub(crate) struct Walk {
    levels: Vec<Level>,
    path: Vec<u8>,
}

/// Gives every wanted field of the object that `line` holds to `fields`. Returns whether the
/// line is one JSON object and nothing else. Of a line that is broken or cut off, what stands
/// before the fault is given, and a wanted value that has no end goes to the end of the line:
/// what shall be starred out is not let through because of what follows it.
pub(crate) fn read(
    line: &[u8],
    paths: &Paths,
    fields: &mut FieldSink<'_>,
    walk: &mut Walk,
) -> bool {
    walk.levels.clear();
    walk.path.clear();
    let start = skip_space(line, 0);
    if line.get(start) != Some(&b'{') {
        return false;
    }
    match walk.run(line, start, paths, fields) {
        Some(end) => skip_space(line, end) == line.len(),
        None => {
            walk.give_open(line, fields);
            false
        }
    }
}

/// What may come next within an object or array.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// The first member or element, or the end.
    FirstOrEnd,
    /// A member or element, after a comma.
    Next,
    /// A comma or the end.
    CommaOrEnd,
}

impl Walk {
    /// Walks the object that begins at `at`. Returns where it ends, or `None` if it is broken.
    fn run(
        &mut self,
        line: &[u8],
        at: usize,
        paths: &Paths,
        fields: &mut FieldSink<'_>,
    ) -> Option<usize> {
        self.levels.push(Level { is_object: true, path_length: 0, index: 0, wanted: None });
        let mut at = at + 1;
        let mut expect = Expect::FirstOrEnd;
        loop {
            at = skip_space(line, at);
            let byte = *line.get(at)?;
            let at_end = byte == closing(self.levels.last()?.is_object);
            if at_end && expect != Expect::Next {
                at += 1;
                self.close(at, fields);
                if self.levels.is_empty() {
                    return Some(at);
                }
                expect = Expect::CommaOrEnd;
            } else if expect == Expect::CommaOrEnd {
                if byte != b',' {
                    return None;
                }
                at += 1;
                expect = Expect::Next;
            } else {
                let value = skip_space(line, self.key(line, at)?);
                (at, expect) = self.value(line, value, paths, fields)?;
            }
        }
    }

    /// Gives every wanted value that the walk is in.
    fn give_open(&mut self, line: &[u8], fields: &mut FieldSink<'_>) {
        for (number, start) in self.levels.drain(..).filter_map(|level| level.wanted) {
            let span = span(start, line.len());
            fields(number, Some(Field { kind: FieldKind::Nested, span }));
        }
    }

    fn close(&mut self, end: usize, fields: &mut FieldSink<'_>) {
        if let Some(level) = self.levels.pop() {
            if let Some((number, start)) = level.wanted {
                fields(number, Some(Field { kind: FieldKind::Nested, span: span(start, end) }));
            }
            self.path.truncate(level.path_length);
        }
    }

    /// Appends the key of the next member, or the number of the next element, to the path.
    /// Returns where its value may begin.
    fn key(&mut self, line: &[u8], at: usize) -> Option<usize> {
        let is_nested = self.levels.len() > 1;
        let level = self.levels.last_mut()?;
        self.path.truncate(level.path_length);
        if is_nested {
            self.path.push(b'.');
        }
        if !level.is_object {
            self.path.extend_from_slice(level.index.to_string().as_bytes());
            level.index += 1;
            return Some(at);
        }
        let (end, escaped) = string_end(line, at)?;
        let key = line.get(at + 1..end - 1)?;
        if escaped {
            unescape_into(key, &mut self.path);
        } else {
            self.path.extend_from_slice(key);
        }
        let colon = skip_space(line, end);
        (line.get(colon) == Some(&b':')).then_some(colon + 1)
    }

    /// Reads the value at `at`, or only its bracket if it is an object or array to walk into.
    fn value(
        &mut self,
        line: &[u8],
        at: usize,
        paths: &Paths,
        fields: &mut FieldSink<'_>,
    ) -> Option<(usize, Expect)> {
        let wanted = paths.get(&self.path);
        if let bracket @ (b'{' | b'[') = *line.get(at)?
            && self.levels.len() < MAX_DEPTH
        {
            self.levels.push(Level {
                is_object: bracket == b'{',
                path_length: self.path.len(),
                index: 0,
                wanted: wanted.map(|number| (number, at)),
            });
            return Some((at + 1, Expect::FirstOrEnd));
        }
        let Some((end, kind)) = value_end(line, at) else {
            if let Some(number) = wanted {
                let span = span(at, line.len());
                fields(number, Some(Field { kind: FieldKind::Nested, span }));
            }
            return None;
        };
        if let Some(number) = wanted {
            let quotes = usize::from(line[at] == b'"');
            let span = span(at + quotes, end - quotes);
            fields(number, kind.map(|kind| Field { kind, span }));
        }
        Some((end, Expect::CommaOrEnd))
    }
}

fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}

fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

fn skip_space(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = line.get(at) {
        at += 1;
    }
    at
}

/// Where the string that begins at `at` ends, after its quote, and whether it holds escapes.
fn string_end(line: &[u8], at: usize) -> Option<(usize, bool)> {
    if line.get(at) != Some(&b'"') {
        return None;
    }
    let mut escaped = false;
    let mut index = at + 1;
    loop {
        match *line.get(index)? {
            b'"' => return Some((index + 1, escaped)),
            b'\\' => {
                escaped = true;
                index += 2;
            }
            _ => index += 1,
        }
    }
}

/// Where the value at `at` ends and what it is, `None` for null and what is no number.
fn value_end(line: &[u8], at: usize) -> Option<(usize, Option<FieldKind>)> {
    Some(match *line.get(at)? {
        b'{' | b'[' => (skip_nested(line, at)?, Some(FieldKind::Nested)),
        b'"' => {
            let (end, escaped) = string_end(line, at)?;
            (end, Some(if escaped { FieldKind::Escaped } else { FieldKind::Text }))
        }
        b't' => (word_end(line, at, b"true")?, Some(FieldKind::Bool)),
        b'f' => (word_end(line, at, b"false")?, Some(FieldKind::Bool)),
        b'n' => (word_end(line, at, b"null")?, None),
        // Not JSON, but many writers' word for a number that there is not.
        b'N' => (word_end(line, at, b"NaN")?, None),
        b'I' => (word_end(line, at, b"Infinity")?, None),
        b'-' if line.get(at + 1) == Some(&b'I') => (word_end(line, at, b"-Infinity")?, None),
        _ => (number_end(line, at)?, Some(FieldKind::Number)),
    })
}

fn word_end(line: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    line.get(at..)?.starts_with(word).then_some(at + word.len())
}

fn number_end(line: &[u8], at: usize) -> Option<usize> {
    let sign = usize::from(line.get(at) == Some(&b'-'));
    let mut end = match line.get(at + sign)? {
        b'0' => at + sign + 1,
        _ => digits_end(line, at + sign)?,
    };
    if line.get(end) == Some(&b'.') {
        end = digits_end(line, end + 1)?;
    }
    if let Some(b'e' | b'E') = line.get(end) {
        let sign = usize::from(matches!(line.get(end + 1), Some(b'+' | b'-')));
        end = digits_end(line, end + 1 + sign)?;
    }
    Some(end)
}

/// Where the digits at `at` end; there must be one.
fn digits_end(line: &[u8], at: usize) -> Option<usize> {
    let digits = line.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then_some(at + digits)
}

/// Steps over an object or array of any depth.
fn skip_nested(line: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut index = at;
    loop {
        match *line.get(index)? {
            b'"' => {
                index = string_end(line, index)?.0;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        index += 1;
        if depth == 0 {
            return Some(index);
        }
    }
}

/// Appends a JSON string's content without its escapes. Half of a surrogate pair, which stands
/// for no character, becomes U+FFFD.
pub(crate) fn unescape_into(text: &[u8], out: &mut Vec<u8>) {
    let mut index = 0;
    while let Some(byte) = text.get(index).copied() {
        if byte != b'\\' {
            let length = memchr::memchr(b'\\', &text[index..]).unwrap_or(text.len() - index);
            out.extend_from_slice(&text[index..index + length]);
            index += length;
            continue;
        }
        let escape = text.get(index + 1).copied();
        index += 2;
        match escape {
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'u') => {
                let (character, length) = unicode_escape(text, index);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                index += length;
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
}

/// Reads the digits after `\u` at `at`, and a second escape where two make one character.
fn unicode_escape(text: &[u8], at: usize) -> (char, usize) {
    let Some(first) = four_hex(text, at) else { return (char::REPLACEMENT_CHARACTER, 0) };
    if let Some(character) = char::from_u32(first) {
        return (character, 4);
    }
    let second = match text.get(at + 4..at + 6) {
        Some(b"\\u") if first < 0xdc00 => four_hex(text, at + 6),
        _ => None,
    };
    match second {
        Some(second @ 0xdc00..=0xdfff) => {
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 10)
        }
        _ => (char::REPLACEMENT_CHARACTER, 4),
    }
}

fn four_hex(text: &[u8], at: usize) -> Option<u32> {
    let mut value = 0;
    for byte in text.get(at..at + 4)? {
        value = value * 16 + char::from(*byte).to_digit(16)?;
    }
    Some(value)
}
