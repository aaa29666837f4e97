//! A JSON record, walked in place: no tree, no recursion, no allocation.

use crate::record::{Kubernetes, Record, Text};
use crate::words::{next_backslash, next_mark, pass_quotes};

/// The record is not what Fluent Bit sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Finds the parts of a record that is one JSON object. Values that do not matter are only
/// stepped over; [`is_valid`](crate::json_check::is_valid) says whether they are JSON.
pub(crate) fn read<'a>(bytes: &'a [u8], memo: &mut Memo) -> Result<Record<'a>, Malformed> {
    let mut record = Record::default();
    let mut walk = Walk { bytes, at: 0 };
    walk.open()?;
    while let Some(key) = walk.key(record.entries > 0)? {
        record.entries += 1;
        match walk.peek()? {
            b'"' => record.put_text(key, walk.string()?),
            b'{' if key == b"kubernetes" => walk.remembered(&mut record.kubernetes, memo)?,
            b'{' | b'[' => walk.skip_nested()?,
            _ => {
                let scalar = walk.scalar()?;
                if key == b"offset" {
                    record.offset = unsigned(scalar);
                    record.offset_text = record.offset.map(|_| scalar);
                }
            }
        }
    }
    record.end = walk.at - 1;
    walk.skip_space();
    if walk.at == bytes.len() { Ok(record) } else { Err(Malformed) }
}

/// The `kubernetes` map of the record before. It is long, and records come in runs of one pod, whose
/// maps are the same: then comparing it is less work than reading it.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    map: Vec<u8>,
    parts: [Option<Part>; 4],
}

/// Where a text stands in the map, and its escapes.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: usize,
    end: usize,
    escapes: Escapes,
}

/// Which escapes a text holds.
#[derive(Clone, Copy, Debug)]
enum Escapes {
    None,
    Quoting,
    Others,
}

impl Escapes {
    fn text(self, inside: &[u8]) -> Text<'_> {
        match self {
            Escapes::None => Text::Plain(inside),
            Escapes::Quoting => Text::Quoting(inside),
            Escapes::Others => Text::Escaped(inside),
        }
    }
}

fn part_of<'a>(map: &'a [u8], part: &Option<Part>) -> Option<Text<'a>> {
    let part = part.as_ref()?;
    map.get(part.start..part.end).map(|inside| part.escapes.text(inside))
}

/// Longest map that is remembered.
const MEMO_BYTES_MAX: usize = 64 * 1024;

impl Memo {
    /// The parts of the map that `text` begins with and the map's length, if it is the same one.
    fn recall<'a>(&self, text: &'a [u8]) -> Option<(Kubernetes<'a>, usize)> {
        let map = text.get(..self.map.len())?;
        if map.is_empty() || *map != *self.map {
            return None;
        }
        let [namespace, pod, container, node] = &self.parts;
        let kubernetes = Kubernetes {
            namespace: part_of(map, namespace),
            pod: part_of(map, pod),
            container: part_of(map, container),
            node: part_of(map, node),
        };
        Some((kubernetes, map.len()))
    }

    fn keep(&mut self, map: &[u8], kubernetes: &Kubernetes<'_>) {
        self.map.clear();
        if map.len() > MEMO_BYTES_MAX {
            return;
        }
        self.map.extend_from_slice(map);
        let part = |text: Text<'_>| {
            let start = text.raw().as_ptr().addr().wrapping_sub(map.as_ptr().addr());
            let escapes = match text {
                Text::Plain(_) => Escapes::None,
                Text::Quoting(_) => Escapes::Quoting,
                Text::Escaped(_) => Escapes::Others,
            };
            Part { start, end: start + text.raw().len(), escapes }
        };
        let Kubernetes { namespace, pod, container, node } = *kubernetes;
        self.parts = [namespace, pod, container, node].map(|text| text.map(part));
    }
}

/// A place in the text.
pub(crate) struct Walk<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
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
        self.at += 1;
        let text = self.rest_of_string()?;
        self.at += 1;
        Ok(text)
    }

    /// The string's inside, from here up to the quote that ends it.
    pub(crate) fn rest_of_string(&mut self) -> Result<Text<'a>, Malformed> {
        let start = self.at;
        let mut at = next_mark(self.bytes, start);
        let mut escapes = Escapes::None;
        if self.bytes.get(at) == Some(&b'\\') {
            let (end, quoting) = pass_quotes(self.bytes, at);
            at = next_mark(self.bytes, end);
            if quoting {
                escapes = Escapes::Quoting;
            }
        }
        loop {
            match self.bytes.get(at) {
                Some(b'"') => break,
                Some(_) => {
                    escapes = match (escapes, self.bytes.get(at + 1)) {
                        (Escapes::None | Escapes::Quoting, Some(b'"' | b'n' | b'r' | b't')) => {
                            Escapes::Quoting
                        }
                        _ => Escapes::Others,
                    };
                    at = next_mark(self.bytes, at + 2);
                }
                None => return Err(Malformed),
            }
        }
        self.at = at;
        self.bytes.get(start..at).map(|inside| escapes.text(inside)).ok_or(Malformed)
    }

    /// Steps over what must stand here.
    pub(crate) fn constant(&mut self, text: &[u8]) -> Result<(), Malformed> {
        let end = self.at + text.len();
        if self.bytes.get(self.at..end) != Some(text) {
            return Err(Malformed);
        }
        self.at = end;
        Ok(())
    }

    /// A whole number without sign.
    pub(crate) fn digits(&mut self) -> Result<u64, Malformed> {
        let rest = self.bytes.get(self.at..).ok_or(Malformed)?;
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).ok_or(Malformed)?;
        self.at += length;
        rest.get(..length).and_then(unsigned).ok_or(Malformed)
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

    /// Reads the map here, or takes what is known of it.
    fn remembered(
        &mut self,
        kubernetes: &mut Kubernetes<'a>,
        memo: &mut Memo,
    ) -> Result<(), Malformed> {
        let rest = self.bytes.get(self.at..).ok_or(Malformed)?;
        if let Some((known, length)) = memo.recall(rest) {
            *kubernetes = known;
            self.at += length;
            return Ok(());
        }
        let start = self.at;
        *kubernetes = Kubernetes::default();
        self.kubernetes(kubernetes)?;
        memo.keep(self.bytes.get(start..self.at).ok_or(Malformed)?, kubernetes);
        Ok(())
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
    loop {
        let (plain, escape) = rest.split_at(next_backslash(rest));
        out.extend_from_slice(plain);
        if escape.is_empty() {
            return;
        }
        rest = unescape_one(escape, out);
    }
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
    use proptest::prelude::*;

    use super::*;

    fn line(record: &str) -> Option<String> {
        read(record.as_bytes(), &mut Memo::default()).ok()?.line().map(Text::to_text)
    }

    #[test]
    fn finds_what_matters_and_steps_over_the_rest() {
        let record = r#" {"stream":"stdout", "a":{"log":"no","b":[{"]":"}"}]}, "log":"yes",
            "offset": 1024 ,"file":"/var/log/x","kubernetes":{"labels":{"host":"no"},
            "pod_name":"p","namespace_name":"n","container_name":"c","host":"h","n":1},
            "x":null,"y":[1,2]} "#;
        let found = read(record.as_bytes(), &mut Memo::default()).expect("the record is JSON");
        assert_eq!(found.line(), Some(Text::Plain(b"yes")));
        assert_eq!(found.file, Some(Text::Plain(b"/var/log/x")));
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
            assert_eq!(
                read(&record.as_bytes()[..length], &mut Memo::default()),
                Err(Malformed),
                "{length}"
            );
        }
        for text in ["[]", "\"log\"", "{\"log\"}", "{\"log\":}x", "{} {}", "{\"a\" 1}", "{1:2}"] {
            assert_eq!(read(text.as_bytes(), &mut Memo::default()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let depth = 1_000_000;
        let record = format!("{{\"a\":{}{},\"log\":\"x\"}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(line(&record).as_deref(), Some("x"));
    }

    #[test]
    fn a_map_that_comes_again_is_read_as_before() {
        let mut memo = Memo::default();
        let maps = [
            r#"{"pod_name":"p","namespace_name":"n","container_name":"c","host":"h"}"#,
            r#"{"pod_name":"p","namespace_name":"n","container_name":"c","host":"i"}"#,
            r#"{"host":"h\"","namespace_name":"\u006e","container_name":"c","labels":{"a":"}"}}"#,
            r#"{"namespace_name":"n"}"#,
            r#"{"namespace_name":"n","pod_name":"p"}"#,
            "{}",
        ];
        for round in 0..3 {
            for (number, map) in maps.iter().enumerate() {
                for _ in 0..=round {
                    let record = format!(r#"{{"a":1,"kubernetes":{map},"log":"{number}"}}"#);
                    let known = read(record.as_bytes(), &mut memo);
                    assert_eq!(known, read(record.as_bytes(), &mut Memo::default()), "{map}");
                    assert!(known.is_ok());
                }
            }
        }
        let twice = r#"{"kubernetes":{"host":"h"},"kubernetes":{"pod_name":"p"}}"#;
        let known = read(twice.as_bytes(), &mut memo);
        assert_eq!(known, read(twice.as_bytes(), &mut memo), "whatever is remembered");
    }

    proptest! {
        /// Another writer of JSON is the judge.
        #[test]
        fn texts_are_read_as_they_were_written(text in "([a-z ]{0,12}[\"\\\\\n\t\u{1}é/'{]{0,3}){0,6}") {
            let record = serde_json::json!({"a": 1, "log": text, "z": "\\"}).to_string();
            let read = read(record.as_bytes(), &mut Memo::default()).expect("it is JSON");
            prop_assert_eq!(read.line().map(Text::to_text), Some(text));
            prop_assert_eq!(read.entries, 3);
        }
    }
}
