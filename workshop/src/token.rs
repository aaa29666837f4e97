//! The words of a line, and what each looks like.

use std::net::IpAddr;
use std::ops::Range;

/// Length of a UUID in characters.
const UUID: usize = 36;

/// What a word looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Class {
    /// A single character that is no part of a word.
    Mark,
    /// Without a digit.
    Word,
    Int,
    Number,
    /// A number with its unit: `12ms`, `1.5GiB`.
    Quantity,
    Ip,
    Uuid,
    /// With digits, and nothing of the above.
    Id,
}

/// A word or mark of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'l> {
    pub(crate) text: &'l str,
    /// Byte offset in the line.
    pub(crate) start: usize,
    pub(crate) class: Class,
}

impl Token<'_> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// A line taken apart: chunks between white space, and their tokens.
#[derive(Debug)]
pub(crate) struct Words<'l> {
    pub(crate) line: &'l str,
    pub(crate) tokens: Vec<Token<'l>>,
    /// The tokens of each chunk.
    chunks: Vec<Range<usize>>,
}

impl<'l> Words<'l> {
    pub(crate) fn of(line: &'l str) -> Words<'l> {
        let mut words = Words { line, tokens: Vec::new(), chunks: Vec::new() };
        for chunk in line.split_whitespace() {
            let start = chunk.as_ptr() as usize - line.as_ptr() as usize;
            let first = words.tokens.len();
            split_chunk(chunk, start, &mut words.tokens);
            words.chunks.push(first..words.tokens.len());
        }
        words
    }

    /// How many chunks there are.
    pub(crate) fn len(&self) -> usize {
        self.chunks.len()
    }

    /// The tokens of a chunk; none if there is no such chunk.
    pub(crate) fn chunk(&self, number: usize) -> &[Token<'l>] {
        self.chunks.get(number).map_or(&[], |range| &self.tokens[range.clone()])
    }

    /// The text of a chunk.
    pub(crate) fn chunk_text(&self, number: usize) -> &'l str {
        let span = self.span(number);
        &self.line[span]
    }

    /// Where a chunk stands in the line.
    pub(crate) fn span(&self, number: usize) -> Range<usize> {
        match self.chunk(number) {
            [first, .., last] => first.start..last.end(),
            [only] => only.start..only.end(),
            [] => self.line.len()..self.line.len(),
        }
    }
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || "_-.$@%+".contains(character)
}

fn split_chunk<'l>(chunk: &'l str, offset: usize, tokens: &mut Vec<Token<'l>>) {
    let mut at = 0;
    while let Some(character) = chunk[at..].chars().next() {
        let end = if is_word_character(character) {
            let rest = &chunk[at..];
            at + rest.find(|other| !is_word_character(other)).unwrap_or(rest.len())
        } else {
            at + character.len_utf8()
        };
        split_run(&chunk[at..end], offset + at, tokens);
        at = end;
    }
}

/// Splits what may be a word at marks at its ends, and at a UUID within it.
fn split_run<'l>(run: &'l str, offset: usize, tokens: &mut Vec<Token<'l>>) {
    let mut push = |range: Range<usize>| {
        if !range.is_empty() {
            let text = &run[range.clone()];
            tokens.push(Token { text, start: offset + range.start, class: class_of(text) });
        }
    };
    if let Some(uuid) = find_uuid(run) {
        push(0..uuid.start);
        push(uuid.clone());
        push(uuid.end..run.len());
        return;
    }
    let is_joint = |character: char| "-.+%$@".contains(character);
    let body_end = run.trim_end_matches(is_joint).len();
    let body_start = run[..body_end].len() - run[..body_end].trim_start_matches(is_joint).len();
    // A number keeps its sign.
    let is_signed = run[..body_end].starts_with('-')
        && body_start == 1
        && matches!(class_of(&run[..body_end]), Class::Int | Class::Number);
    let body_start = if is_signed { 0 } else { body_start };
    for at in 0..body_start {
        push(at..at + 1);
    }
    push(body_start..body_end);
    for at in body_end..run.len() {
        push(at..at + 1);
    }
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == UUID
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A UUID that stands apart from other letters and digits.
fn find_uuid(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_apart = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    (0..bytes.len().checked_sub(UUID)? + 1).map(|start| start..start + UUID).find(|range| {
        is_uuid(&bytes[range.clone()])
            && is_apart(range.start.checked_sub(1).and_then(|before| bytes.get(before)))
            && is_apart(bytes.get(range.end))
    })
}

/// Units that stand right behind their numbers.
const UNITS: [&str; 21] = [
    "B", "kB", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "K", "M", "G", "ns", "us", "ms",
    "s", "m", "min", "h", "d",
];

fn is_quantity(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    UNITS.contains(&&text[number.len()..]) && number.parse::<f64>().is_ok()
}

fn class_of(text: &str) -> Class {
    if is_uuid(text.as_bytes()) {
        return Class::Uuid;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if is_digits(digits) && text.parse::<i64>().is_ok() {
        return Class::Int;
    }
    if digits.split_once('.').is_some_and(|(a, b)| is_digits(a) && is_digits(b)) {
        return Class::Number;
    }
    if text.contains('.') && text.parse::<IpAddr>().is_ok() {
        return Class::Ip;
    }
    if is_quantity(text) {
        return Class::Quantity;
    }
    if text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Class::Id;
    }
    if text.chars().any(char::is_alphabetic) { Class::Word } else { Class::Mark }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_look_like_what_they_are() {
        for (line, expected) in [
            ("[instance: 0a1b2c3d-0000-4000-8000-00000000cafe] up.", "[ Word : Uuid ] Word ."),
            ("req-0a1b2c3d-0000-4000-8000-00000000cafe_x", "Word Uuid Word"),
            ("order o-1042 paid 12.50 from 10.0.0.1:8080", "Word Id Word Number Word Ip : Int"),
            ("size=-7 rest=-- a@b.c $ü 5.", "Word = Int Word = - - Word $ Word Int ."),
            ("took 12ms of 1.5GiB 7% v2 5x", "Word Quantity Word Quantity Int % Id Id"),
            ("nginx.service blk_-16 99999999999999999999", "Word Id Id"),
        ] {
            let words = Words::of(line);
            let shown: Vec<String> = words
                .tokens
                .iter()
                .map(|token| match token.class {
                    Class::Mark => token.text.to_owned(),
                    class => format!("{class:?}"),
                })
                .collect();
            assert_eq!(shown.join(" "), expected, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_of_a_line_is_lost(line in "\\PC{0,60}") {
            let words = Words::of(&line);
            let tokens: String = words.tokens.iter().map(|token| token.text).collect();
            let without_blanks: String = line.split_whitespace().collect();
            proptest::prop_assert_eq!(tokens, without_blanks);
            for token in &words.tokens {
                proptest::prop_assert_eq!(&line[token.start..token.end()], token.text);
            }
        }
    }
}
