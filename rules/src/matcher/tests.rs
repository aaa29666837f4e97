//! The matcher against regular expressions that say the same, and against lines made to slow it
//! down.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use regex::bytes::Regex;

use crate::matcher::{Scratch, Span};
use crate::pattern::{Names, Pattern};

/// A piece of a pattern, as the pattern language and as regular expressions write it.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Word,
    Any,
    Int,
    Quoted,
}

impl Piece {
    fn is_open(&self) -> bool {
        matches!(self, Piece::Word | Piece::Any)
    }
}

#[derive(Clone, Debug)]
struct Case {
    pieces: Vec<Piece>,
    at_start: bool,
    at_end: bool,
}

impl Case {
    /// Takes out what the language refuses, and what regular expressions cannot say: they would
    /// give back a part of a number if what follows can begin with a digit.
    fn cleaned(mut self) -> Option<Case> {
        let mut pieces: Vec<Piece> = Vec::new();
        for piece in self.pieces {
            match (pieces.last_mut(), piece) {
                (Some(Piece::Text(text)), Piece::Text(more)) => text.push_str(&more),
                (Some(Piece::Int), Piece::Text(text)) if text.starts_with('1') => {}
                (Some(Piece::Int), piece) if !matches!(piece, Piece::Text(_)) => {}
                (Some(last), piece) if last.is_open() && !matches!(piece, Piece::Text(_)) => {}
                (_, piece) => pieces.push(piece),
            }
        }
        self.pieces = pieces;
        (!self.pieces.is_empty()).then_some(self)
    }

    fn pattern(&self) -> String {
        let mut text = String::new();
        for (number, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Word => text.push_str(&format!("<c{number}>")),
                Piece::Any => text.push_str(&format!("<c{number}:any>")),
                Piece::Int => text.push_str(&format!("<c{number}:int>")),
                Piece::Quoted => text.push_str(&format!("<c{number}:quoted>")),
            }
        }
        let anchor = |is: bool, anchor: &'static str| if is { anchor } else { "" };
        format!("{}{text}{}", anchor(self.at_start, "^"), anchor(self.at_end, "$"))
    }

    fn regex(&self) -> Regex {
        let mut text = String::from("(?s-u)");
        text.push_str(match (&self.pieces[0], self.at_start) {
            // What stands first takes everything from the start, or begins with a word, or with
            // a token; a text may begin anywhere.
            (_, true) | (Piece::Any, false) => r"\A",
            (Piece::Text(_), false) => "",
            (Piece::Word, false) => r"(?:\A|\s)",
            (Piece::Int | Piece::Quoted, false) => r"(?:\A|[^a-zA-Z0-9])",
        });
        let last = self.pieces.len() - 1;
        for (number, piece) in self.pieces.iter().enumerate() {
            let lazy = if number == last { "" } else { "?" };
            text.push_str(&match piece {
                Piece::Text(literal) => regex::escape(literal),
                Piece::Word => format!(r"(\S+{lazy})"),
                Piece::Any => format!("(.*{lazy})"),
                Piece::Int => r"([+-]?[0-9]+)".to_owned(),
                Piece::Quoted => r#"("[^"]*"|'[^']*')"#.to_owned(),
            });
        }
        text.push_str(match (&self.pieces[last], self.at_end) {
            (_, true) => r"\z",
            (Piece::Int | Piece::Quoted, false) => r"(?:\z|[^a-zA-Z0-9.]|\.(?:\z|[^0-9]))",
            // What is taken to the end of a word is taken as a whole.
            (Piece::Word, false) => r"(?:\z|\s)",
            (Piece::Text(_) | Piece::Any, false) => "",
        });
        Regex::new(&text).unwrap()
    }
}

fn case() -> impl Strategy<Value = Case> {
    let text = || vec(proptest::sample::select(vec!['a', 'b', ' ', '=', '1']), 1..4);
    let piece = prop_oneof![
        4 => text().prop_map(|characters| Piece::Text(characters.into_iter().collect())),
        2 => Just(Piece::Word),
        2 => Just(Piece::Any),
        1 => Just(Piece::Int),
        2 => Just(Piece::Quoted),
    ];
    let case = (vec(piece, 1..8), any::<bool>(), any::<bool>(), any::<bool>());
    case.prop_filter_map("nothing is left", |(pieces, a, b, c)| {
        Case { pieces, at_start: a && c, at_end: b }.cleaned()
    })
}

fn line() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "a", "b", " ", "=", "1", "\"", "'", "ab", "a=", "a a", "=\"", "='", "b ", "1.1", "11",
    ]);
    let pieces = || vec(piece.clone(), 0..6).prop_map(|pieces| pieces.concat());
    // Quotations within quotations, and anything.
    let nested = (pieces(), pieces(), pieces(), pieces())
        .prop_map(|(a, b, c, d)| format!("{a}=\"{b}='a'{c}\"{d}"));
    prop_oneof![nested, vec(piece, 0..14).prop_map(|pieces| pieces.concat())]
}

/// What each capture took, by the order of captures.
fn found(
    pattern: &Pattern,
    names: &Names,
    line: &[u8],
    from: usize,
) -> Option<Vec<(usize, usize)>> {
    let mut spans = vec![None; names.len()];
    pattern.find(line, from, &mut spans, &mut Scratch::default())?;
    let ends = |span: Option<Span>| {
        let span = span.unwrap();
        (span.start as usize, span.end as usize)
    };
    Some(spans.into_iter().map(ends).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_pattern_matches_what_its_regular_expression_does(
        case in case(), lines in vec(line(), 1..6),
    ) {
        let mut names = Names::default();
        let pattern = Pattern::parse(&case.pattern(), &mut names, false).unwrap();
        let regex = case.regex();
        for line in lines {
            let expected = regex.captures(line.as_bytes()).map(|groups| {
                groups.iter().skip(1).map(|group| group.unwrap()).map(|g| (g.start(), g.end())).collect()
            });
            prop_assert_eq!(
                found(&pattern, &names, line.as_bytes(), 0), expected,
                "{:?} on {:?} by {}", case.pattern(), line, regex
            );
        }
    }

    /// To begin where a literal allows gives what beginning at the front gives.
    #[test]
    fn no_match_begins_before_the_earliest_start(case in case(), lines in vec(line(), 1..6)) {
        let mut names = Names::default();
        let pattern = Pattern::parse(&case.pattern(), &mut names, false).unwrap();
        for line in &lines {
            let expected = found(&pattern, &names, line.as_bytes(), 0);
            for (number, literal) in pattern.literals().enumerate() {
                let Some(place) = line.find(std::str::from_utf8(literal).unwrap()) else { continue };
                let step = pattern.step_of_literal(number).unwrap();
                prop_assert_eq!(pattern.literal(&pattern.steps[step]), Some(literal));
                let start = pattern.earliest_start(line.as_bytes(), step, place);
                prop_assert_eq!(
                    &found(&pattern, &names, line.as_bytes(), start), &expected,
                    "{:?} on {:?} from {}", case.pattern(), line, start
                );
            }
        }
    }

    /// Memory of an earlier match changes nothing.
    #[test]
    fn a_used_scratch_is_as_good_as_a_new_one(cases in vec((case(), line()), 1..8)) {
        let mut scratch = Scratch::default();
        for (case, line) in cases {
            let mut names = Names::default();
            let pattern = Pattern::parse(&case.pattern(), &mut names, false).unwrap();
            let mut spans = vec![None; names.len()];
            let used = pattern.find(line.as_bytes(), 0, &mut spans, &mut scratch);
            let mut fresh_spans = vec![None; names.len()];
            let fresh = pattern.find(line.as_bytes(), 0, &mut fresh_spans, &mut Scratch::default());
            prop_assert_eq!(used, fresh);
            if used.is_some() {
                prop_assert_eq!(spans, fresh_spans);
            }
        }
    }
}

/// What a literal's place is good for: the words before it are gone back over, not the line.
#[test]
fn a_match_begins_a_few_words_before_its_literal() {
    let line = b"an order, order o-1 paid by card";
    let start = |text: &str, number: usize| {
        let pattern = Pattern::parse(text, &mut Names::default(), false).unwrap();
        let step = pattern.step_of_literal(number).unwrap();
        let literal = pattern.literal(&pattern.steps[step]).unwrap();
        let place = line.windows(literal.len()).position(|bytes| bytes == literal).unwrap();
        pattern.earliest_start(line, step, place)
    };
    assert_eq!(start("order <id> paid", 1), 10);
    assert_eq!(start("order <id> paid by <how>", 1), 10);
    assert_eq!(start("<id> paid", 0), 16);
    assert_eq!(start("paid", 0), 20);
    assert_eq!(start("order <id:any> paid", 1), 0);
}

fn time_of(pattern: &Pattern, line: &[u8]) -> Duration {
    let mut scratch = Scratch::default();
    let mut spans = vec![None; 8];
    let start = Instant::now();
    assert_eq!(pattern.find(line, 0, &mut spans, &mut scratch), None);
    start.elapsed()
}

/// Patterns and lines that nearly match everywhere. A line 16 times as long may cost 16 times as
/// much; were the cost to grow with the square, it would be 256 times as much. The bound lies far
/// from both.
#[test]
fn matching_is_linear_in_the_line() {
    let cases = [
        ("<a:any>x<b:any>y<c:any>z", "xy"),
        ("<a:any>x<b:any>y<c:any>x<d:any>y<e:int>", "xy"),
        ("a<w>b<x>c", "ab"),
        ("<w>=<x>=<y>;", "="),
        ("id=<id>$", "id="),
        ("<a>=<b>$", "="),
        ("a<b:any>a<c>$", "a"),
        ("k=<q:quoted>;", "k=\"k='"),
        ("k=<q:quoted> <a:any>END", "k='k' k=\"k' k'"),
        ("<q:quoted>;", "\"'"),
        ("<q:quoted>;", "'\\"),
        ("<a:any>=<q:quoted>;", "=\"\\"),
        ("<n:number>x", "1.1e1-"),
        ("<n:int>x", "1-"),
        ("<d:duration>x", "1h "),
        ("<d:duration>x", "1h1m"),
        ("<i:ip>x", "1.1.1.1."),
        ("<i:ip>x", "::a:"),
        ("<i:ip>x", "1:2:3:4:5:6:7:8:"),
        ("<u:uuid>x", "96abccce-8d1f-4e07-b6d1-4b2ab87e23b4-"),
        ("<b:bool>x", "true "),
        ("aaaaaaab", "a"),
        ("<w> <x> <y> <z>!", "a "),
    ];
    for (text, piece) in cases {
        let pattern = Pattern::parse(text, &mut Names::default(), false).unwrap();
        let line = |bytes: usize| {
            let mut line = piece.repeat(bytes / piece.len()).into_bytes();
            // The end at which what was taken to the end of a word fails.
            line.extend_from_slice(b" .");
            line
        };
        let (short, long) = (line(4 << 10), line(64 << 10));
        // Other work on the machine can disturb a run, not each of many.
        let mut times = Vec::new();
        let is_linear = (0..20).any(|_| {
            let short_time = time_of(&pattern, &short).max(Duration::from_micros(100));
            let long_time = time_of(&pattern, &long);
            times.push((short_time, long_time));
            long_time < short_time * 80
        });
        assert!(is_linear, "{text} on {piece:?}: {times:?}");
    }
}
