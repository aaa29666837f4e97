//! A JSON record, walked in place: no tree, no recursion, no allocation.

use crate::record::{Kubernetes, Record, Text};

/// The record is not what Fluent Bit sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Finds the parts of a record that is one JSON object. Values that do not matter are only
/// stepped over; [`is_valid`](crate::json_check::is_valid) says whether they are JSON.
pub(crate) fn read(bytes: &[u8]) -> Result<Record<'_>, Malformed> {
    let mut record = Record::default();
    let mut walk = Walk { bytes, at: 0 };
    walk.open()?;
    while let Some(key) = walk.key(record.entries > 0)? {
        record.entries += 1;
        match walk.peek()? {
            b'"' => record.put_text(key, walk.string()?),
            b'{' if key == b"kubernetes" => walk.kubernetes(&mut record.kubernetes)?,
            b'{' | b'[' => walk.skip_nested()?,
            _ => {
                let scalar = walk.scalar()?;
                if key == b"offset" {
                    record.offset = unsigned(scalar);
                }
            }
        }
    }
    record.end = walk.at - 1;
    walk.skip_space();
    if walk.at == bytes.len() { Ok(record) } else { Err(Malformed) }
}

/// The namespace and the subject of the CloudEvent that `json` begins with. What follows it is
/// not looked at.
pub(crate) fn namespace_and_subject(json: &[u8]) -> Option<(Text<'_>, Text<'_>)> {
    let mut namespace = None;
    let mut subject = None;
    let mut walk = Walk { bytes: json, at: 0 };
    walk.open().ok()?;
    let mut after_value = false;
    while let Some(key) = walk.key(after_value).ok()? {
        after_value = true;
        match key {
            b"namespace" => namespace = Some(walk.string().ok()?),
            b"subject" => subject = Some(walk.string().ok()?),
            _ => walk.skip().ok()?,
        }
        if let (Some(namespace), Some(subject)) = (namespace, subject) {
            return Some((namespace, subject));
        }
    }
    None
}

/// A place in the text.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn peek(&self) -> Result<u8, Malformed> {
        self.bytes.get(self.at).copied().ok_or(Malformed)
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        self.skip_space();
        if self.peek()? != byte {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self) -> Result<(), Malformed> {
        self.expect(b'{')
    }

    /// The next key of the object, as it is written, with the place before its value; `None`
    /// after the object's closing brace.
    fn key(&mut self, after_value: bool) -> Result<Option<&'a [u8]>, Malformed> {
        self.skip_space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(None);
        }
        if after_value {
            self.expect(b',')?;
            self.skip_space();
        }
        let key = self.string()?.raw();
        self.expect(b':')?;
        self.skip_space();
        Ok(Some(key))
    }

    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        if self.peek()? != b'"' {
            return Err(Malformed);
        }
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            match self.bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                Some(_) => at += 1,
                None => return Err(Malformed),
            }
        }
        self.at = at + 1;
        let inside = self.bytes.get(start..at).ok_or(Malformed)?;
        Ok(if escaped { Text::Escaped(inside) } else { Text::Plain(inside) })
    }

    /// A number, `true`, `false` or `null`, as it is written.
    fn scalar(&mut self) -> Result<&'a [u8], Malformed> {
        let rest = self.bytes.get(self.at..).ok_or(Malformed)?;
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
        let length = rest.iter().position(ends).ok_or(Malformed)?;
        self.at += length;
        rest.get(..length).ok_or(Malformed)
    }

    /// Steps over an object or array, however deep.
    fn skip_nested(&mut self) -> Result<(), Malformed> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                // The first byte opened something, so depth is at least 1 here.
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Steps over a value of any kind.
    fn skip(&mut self) -> Result<(), Malformed> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_nested(),
            _ => self.scalar().map(|_| ()),
        }
    }

    fn kubernetes(&mut self, kubernetes: &mut Kubernetes<'a>) -> Result<(), Malformed> {
        self.open()?;
        let mut after_value = false;
        while let Some(key) = self.key(after_value)? {
            after_value = true;
            match self.peek()? {
                b'"' => kubernetes.put_text(key, self.string()?),
                _ => self.skip()?,
            }
        }
        Ok(())
    }
}

/// A whole number without sign, or `None` for anything else.
fn unsigned(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Appends the inside of a JSON string without its escapes. Half of a surrogate pair, which
/// stands for no character, becomes U+FFFD.
pub(crate) fn unescape_into(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(backslash) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, escape) = rest.split_at(backslash);
        out.extend_from_slice(plain);
        rest = unescape_one(escape, out);
    }
    out.extend_from_slice(rest);
}

/// Appends what the escape at the start of `text` stands for and returns what follows it.
fn unescape_one<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let (letter, rest) = match text {
        [b'\\', b'u', rest @ ..] => return unescape_unicode(rest, out),
        [b'\\', letter, rest @ ..] => (*letter, rest),
        _ => return &[],
    };
    out.push(match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        other => other,
    });
    rest
}

/// Appends the character whose code follows `\u`, and takes a second escape where two make
/// one character.
fn unescape_unicode<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let mut rest = text;
    let mut character = char::REPLACEMENT_CHARACTER;
    if let Some((high, after_high)) = four_hex(text) {
        rest = after_high;
        if let Some(single) = char::from_u32(high) {
            character = single;
        } else if let Some((pair, after_pair)) = low_surrogate(high, after_high) {
            (character, rest) = (pair, after_pair);
        }
    }
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

/// The character that a high surrogate makes with an escaped low one right after it.
fn low_surrogate(high: u32, text: &[u8]) -> Option<(char, &[u8])> {
    let (low, rest) = four_hex(text.strip_prefix(b"\\u")?)?;
    let is_pair = (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low);
    if !is_pair {
        return None;
    }
    let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    Some((char::from_u32(code)?, rest))
}

fn four_hex(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let mut value = 0;
    for digit in digits {
        value = value * 16 + char::from(*digit).to_digit(16)?;
    }
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(record: &str) -> Option<String> {
        read(record.as_bytes()).ok()?.line().map(Text::to_text)
    }

    #[test]
    fn finds_what_matters_and_steps_over_the_rest() {
        let record = r#" {"stream":"stdout", "a":{"log":"no","b":[{"]":"}"}]}, "log":"yes",
            "offset": 1024 ,"file":"/var/log/x","kubernetes":{"labels":{"host":"no"},
            "pod_name":"p","namespace_name":"n","container_name":"c","host":"h","n":1},
            "x":null,"y":[1,2]} "#;
        let found = read(record.as_bytes()).expect("the record is JSON");
        assert_eq!(found.line(), Some(Text::Plain(b"yes")));
        assert_eq!(found.file(), Some(Text::Plain(b"/var/log/x")));
        assert_eq!(found.offset, Some(1024));
        assert_eq!(found.entries, 8);
        assert_eq!(record.as_bytes()[found.end], b'}');
        assert_eq!(record[found.end..].trim(), "}");
        let kubernetes = Kubernetes {
            namespace: Some(Text::Plain(b"n")),
            pod: Some(Text::Plain(b"p")),
            container: Some(Text::Plain(b"c")),
            node: Some(Text::Plain(b"h")),
        };
        assert_eq!(found.kubernetes, kubernetes);
    }

    #[test]
    fn the_line_is_log_then_message_then_the_journals() {
        for (record, expected) in [
            (r#"{"MESSAGE":"c","message":"b","log":"a"}"#, Some("a")),
            (r#"{"MESSAGE":"c","message":"b","log":1}"#, Some("b")),
            (r#"{"MESSAGE":"c","message":null}"#, Some("c")),
            (r#"{"log":"first","log":"second"}"#, Some("second")),
            (r#"{"Log":"a"}"#, None),
            ("{}", None),
        ] {
            assert_eq!(line(record).as_deref(), expected, "{record}");
        }
    }

    #[test]
    fn escapes_are_resolved() {
        for (written, meant) in [
            (r#"a\"b\\c\/d"#, "a\"b\\c/d"),
            (r"\n\r\t\b\f", "\n\r\t\u{8}\u{c}"),
            (r"\u00e9\u0000\u20ac", "é\0€"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d!", "\u{fffd}!"),
            (r"\ud83d\n", "\u{fffd}\n"),
            (r"\ude00\ud83d\ude00", "\u{fffd}😀"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\u12", "\u{fffd}12"),
            (r"\uzzzz", "\u{fffd}zzzz"),
            (r"\x", "x"),
        ] {
            assert_eq!(line(&format!("{{\"log\":\"{written}\"}}")).as_deref(), Some(meant));
        }
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        let record = r#"{"log":"a\\b","k":{"x":[1,{"y":"z"}]},"n":-1.5e3,"t":true}"#;
        for length in 0..record.len() {
            assert_eq!(read(&record.as_bytes()[..length]), Err(Malformed), "{length}");
        }
        for text in ["[]", "\"log\"", "{\"log\"}", "{\"log\":}x", "{} {}", "{\"a\" 1}", "{1:2}"] {
            assert_eq!(read(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let depth = 1_000_000;
        let record = format!("{{\"a\":{}{},\"log\":\"x\"}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(line(&record).as_deref(), Some("x"));
    }
}
