//! Finds the field that holds the time of a JSON or logfmt line.

use memchr::{memchr, memchr2};

const NAMES: [&[u8]; 4] = [b"ts", b"time", b"timestamp", b"@timestamp"];

/// The value of the first top-level field of a JSON object that is named like a time: a number,
/// or what stands between the quotes of a text.
pub(super) fn json_time(line: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan { rest: line.trim_ascii_start() };
    scan.expect(b'{')?;
    loop {
        let name = scan.text()?;
        scan.expect(b':')?;
        let value = scan.value()?;
        if NAMES.contains(&name) {
            return Some(value);
        }
        scan.expect(b',')?;
    }
}

/// The value of the first `ts=`, `time=` or `timestamp=` that stands at the start of the line or
/// after a blank.
pub(super) fn logfmt_time(line: &[u8]) -> Option<&[u8]> {
    let mut start = 0;
    while let Some(found) = memchr(b'=', line.get(start..)?) {
        let equals = start + found;
        let name_start =
            line[..equals].iter().rposition(|byte| *byte == b' ').map_or(0, |at| at + 1);
        let value = &line[equals + 1..];
        if NAMES.contains(&&line[name_start..equals]) {
            return Some(value.strip_prefix(b"\"").unwrap_or(value));
        }
        // A quoted text may hold what looks like a field.
        let quoted = value.first() == Some(&b'"');
        start = equals + 1 + if quoted { text_length(&value[1..])? + 2 } else { 0 };
    }
    None
}

/// Bytes before the quote that ends a text.
fn text_length(text: &[u8]) -> Option<usize> {
    let mut length = 0;
    loop {
        length += memchr2(b'"', b'\\', text.get(length..)?)?;
        if text[length] == b'"' {
            return Some(length);
        }
        length += 2;
    }
}

/// Walks over JSON without building anything. What is wrong ends the walk; whether the whole
/// line is valid JSON is not asked.
struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    fn expect(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.trim_ascii_start().strip_prefix(&[byte])?;
        Some(())
    }

    /// What stands between the quotes, escapes unresolved.
    fn text(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let (text, rest) = self.rest.split_at_checked(text_length(self.rest)?)?;
        self.rest = &rest[1..];
        Some(text)
    }

    fn value(&mut self) -> Option<&'a [u8]> {
        self.rest = self.rest.trim_ascii_start();
        match self.rest.first()? {
            b'"' => self.text(),
            b'{' | b'[' => self.nested(),
            _ => {
                let length = self.rest.iter().position(|byte| matches!(byte, b',' | b'}'))?;
                let (value, rest) = self.rest.split_at(length);
                self.rest = rest;
                Some(value)
            }
        }
    }

    /// Skips an object or a list.
    fn nested(&mut self) -> Option<&'a [u8]> {
        let mut depth = 0usize;
        loop {
            match self.rest.first()? {
                b'"' => {
                    self.text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.rest = &self.rest[1..];
            if depth == 0 {
                return Some(&[]);
            }
        }
    }
}
