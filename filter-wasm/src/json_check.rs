//! Whether a text is JSON, byte by byte and without recursion.
//!
//! The record is parsed again by Fluent Bit, which loses it if it is not JSON. So before the
//! filter adds something to a record, it makes sure that the rest of it can be read.

use crate::words::next_special;

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// A value, or the end of an array that is empty.
    ValueOrEnd,
    Key,
    /// A key, or the end of an object that is empty.
    KeyOrEnd,
    CommaOrEnd,
}

/// Whether `text` is one JSON value. Whether its strings are UTF-8 is not looked at. `nesting`
/// is scratch memory.
pub(crate) fn is_valid(text: &[u8], nesting: &mut Vec<u8>) -> bool {
    nesting.clear();
    let mut expect = Expect::Value;
    let mut at = 0;
    loop {
        at = skip_space(text, at);
        let Some(byte) = text.get(at).copied() else {
            return expect == Expect::CommaOrEnd && nesting.is_empty();
        };
        let step = match (expect, byte) {
            (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') => {
                nesting.push(byte);
                expect = if byte == b'{' { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                Some(1)
            }
            (Expect::ValueOrEnd | Expect::KeyOrEnd | Expect::CommaOrEnd, b'}' | b']') => {
                expect = Expect::CommaOrEnd;
                // The brackets of a pair are two apart in ASCII.
                (nesting.pop() == Some(byte - 2)).then_some(1)
            }
            (Expect::CommaOrEnd, b',') => {
                expect = if nesting.last() == Some(&b'{') { Expect::Key } else { Expect::Value };
                (!nesting.is_empty()).then_some(1)
            }
            (Expect::Key | Expect::KeyOrEnd, b'"') => {
                expect = Expect::Value;
                key_length(text, at)
            }
            (Expect::Value | Expect::ValueOrEnd, _) => {
                expect = Expect::CommaOrEnd;
                scalar_length(text, at)
            }
            _ => None,
        };
        match step {
            Some(length) => at += length,
            None => return false,
        }
    }
}

fn skip_space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// The length of a key with its colon.
fn key_length(text: &[u8], at: usize) -> Option<usize> {
    let colon = skip_space(text, at + string_length(text, at)?);
    (text.get(colon) == Some(&b':')).then_some(colon + 1 - at)
}

fn scalar_length(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    match rest.first()? {
        b'"' => string_length(text, at),
        b't' => rest.starts_with(b"true").then_some(4),
        b'f' => rest.starts_with(b"false").then_some(5),
        b'n' => rest.starts_with(b"null").then_some(4),
        _ => number_length(rest),
    }
}

/// The length of the string that begins at `at`, with its quotes.
fn string_length(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    loop {
        end = next_special(text, end);
        match *text.get(end)? {
            b'"' => return Some(end + 1 - at),
            b'\\' => end += escape_length(text.get(end..)?)?,
            _ => return None,
        }
    }
}

fn escape_length(text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => text.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

fn number_length(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(text, at);
    if whole == 0 || (whole > 1 && text.get(at) == Some(&b'0')) {
        return None;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        let fraction = digits(text, at + 1);
        at += 1 + fraction;
        if fraction == 0 {
            return None;
        }
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(text, at);
        at += exponent;
        if exponent == 0 {
            return None;
        }
    }
    Some(at)
}

fn digits(text: &[u8], at: usize) -> usize {
    text.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    fn by_serde(text: &str) -> bool {
        serde_json::from_str::<IgnoredAny>(text).is_ok()
    }

    fn valid(text: &str) -> bool {
        is_valid(text.as_bytes(), &mut Vec::new())
    }

    #[test]
    fn agrees_with_serde_on_what_is_easily_wrong() {
        for text in [
            "",
            " ",
            "{}",
            "[]",
            "[",
            "]",
            "{]",
            "[}",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":[{\"b\":[]}]}",
            "1 2",
            "{}{}",
            "01",
            "-",
            "-0",
            "-01",
            "1.",
            ".5",
            "1.5e",
            "1e+",
            "1e-7",
            "1E5",
            "0x1",
            "tru",
            "true",
            "truex",
            "nul",
            "null",
            "\"a",
            "\"a\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12ab\"",
            "\"\\ud800\"",
            "\"\\\"",
            "\"\t\"",
            "\"\u{7f}é\"",
            "[\"a\" , 1 , null ]",
            "[[[[]]]]",
            "[[[[]]]",
            "{\"a\":{\"b\":{}}",
            "{1:2}",
            "\u{feff}{}",
            "NaN",
        ] {
            assert_eq!(valid(text), by_serde(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_serde_on_random_tokens(
            tokens in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\n\"", "1", "-2.5e7", "true",
                    "null", " ", "\\", "0",
                ]),
                0..12,
            )
        ) {
            let text = tokens.concat();
            prop_assert_eq!(valid(&text), by_serde(&text), "{}", text);
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let depth = 1_000_000;
        assert!(valid(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))));
        assert!(!valid(&"[".repeat(depth)));
    }
}
