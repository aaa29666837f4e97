//! `redact`: stars out what must never leave the node, before any rule sees the line.

use crate::capture::CaptureType;
use crate::fields::{Field, FieldKind, Paths};
use crate::json::{self, Walk, unescape_into};
use crate::logfmt;
use crate::matcher::{Scratch, Span};
use crate::pattern::{MAX_CAPTURES, Names, Pattern, PatternError, Step};

const STARS: &[u8] = b"***";
const QUOTED_STARS: &[u8] = b"\"***\"";

/// One thing to star out.
pub(crate) enum Redactor {
    /// Every capture of every match.
    Pattern(Pattern),
    /// A field of lines that are JSON.
    Json(Paths),
    /// A field of logfmt lines.
    Logfmt(Paths),
}

/// A part of a line and what takes its place.
struct Cut {
    span: Span,
    stars: &'static [u8],
}

/// Memory that is kept from line to line.
#[derive(Default)]
pub(crate) struct RedactScratch {
    cuts: Vec<Cut>,
    matcher: Scratch,
    walk: Walk,
    /// A quotation of the line without its escapes.
    plain: Vec<u8>,
}

impl Redactor {
    pub(crate) fn pattern(text: &str) -> Result<Redactor, PatternError> {
        let mut pattern = Pattern::parse(text, &mut Names::default(), false)?;
        let mut captures = 0;
        for step in &mut pattern.steps {
            if let Step::Closed { slot, .. } | Step::Until { slot, .. } | Step::Last { slot, .. } =
                step
            {
                *slot = Some(captures);
                captures = captures.saturating_add(1);
            }
        }
        let (message, expected) = match usize::from(captures) {
            0 => (
                "the pattern does not say what to star out".to_owned(),
                Some("expected `<_>` where the stars shall stand".to_owned()),
            ),
            1..=MAX_CAPTURES => return Ok(Redactor::Pattern(pattern)),
            _ => (format!("more than {MAX_CAPTURES} captures in one pattern"), None),
        };
        Err(PatternError { start: 0, end: text.len(), message, expected, nearest: None })
    }

    pub(crate) fn json(path: &str) -> Redactor {
        Redactor::Json(only(path))
    }

    pub(crate) fn logfmt(key: &str) -> Redactor {
        Redactor::Logfmt(only(key))
    }

    /// Notes what to cut from the line.
    fn find_cuts(&self, line: &[u8], scratch: &mut RedactScratch) {
        let RedactScratch { cuts, matcher, walk, plain } = scratch;
        match self {
            Redactor::Pattern(pattern) => {
                pattern_cuts(pattern, line, cuts, matcher);
                quotation_cuts(pattern, line, cuts, matcher, plain);
            }
            Redactor::Json(paths) => {
                let mut keep = |_, field: Option<Field>| cuts.extend(field.map(field_cut));
                json::read(line, paths, &mut keep, walk);
            }
            Redactor::Logfmt(paths) => {
                let whole = |field| without_end(field, line);
                let mut keep =
                    |_, field: Option<Field>| cuts.extend(field.map(whole).map(field_cut));
                logfmt::read(line, paths, &mut keep);
            }
        }
    }
}

fn only(path: &str) -> Paths {
    let mut paths = Paths::default();
    paths.number(path);
    paths
}

fn pattern_cuts(pattern: &Pattern, line: &[u8], cuts: &mut Vec<Cut>, matcher: &mut Scratch) {
    let mut spans = [None; MAX_CAPTURES];
    let mut from = 0;
    while let Some((start, end)) = pattern.find(line, from, &mut spans, matcher) {
        for (slot, kind) in pattern.captures() {
            let Some(mut span) = spans[usize::from(slot)].take() else { continue };
            if kind == CaptureType::Quoted {
                span = Span { start: span.start + 1, end: span.end - 1 };
            }
            cuts.push(Cut { span, stars: STARS });
        }
        from = end.max(start + 1);
        if pattern.at_start || from > line.len() {
            break;
        }
    }
}

/// Rules on fields see quotations without their escapes, so what a pattern is to find may stand
/// there in a form that it does not fit. Such a quotation is cut out as a whole.
fn quotation_cuts(
    pattern: &Pattern,
    line: &[u8],
    cuts: &mut Vec<Cut>,
    matcher: &mut Scratch,
    plain: &mut Vec<u8>,
) {
    let mut spans = [None; MAX_CAPTURES];
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', &line[at..]) {
        let start = at + quote + 1;
        let (end, escaped) = quotation_end(line, start);
        at = (end + 1).min(line.len());
        if !escaped {
            continue;
        }
        plain.clear();
        unescape_into(&line[start..end], plain);
        if pattern.find(plain, 0, &mut spans, matcher).is_some() {
            cuts.push(Cut { span: Span { start: start as u32, end: end as u32 }, stars: STARS });
        }
    }
}

/// Where the quotation whose text begins at `start` has its closing quote, or the line its end,
/// and whether there are escapes before.
fn quotation_end(line: &[u8], start: usize) -> (usize, bool) {
    let mut escaped = false;
    let mut at = start;
    while let Some(byte) = line.get(at) {
        match byte {
            b'"' => return (at, escaped),
            b'\\' => {
                escaped = true;
                at += 2;
            }
            _ => at += 1,
        }
    }
    (line.len(), escaped)
}

/// A quotation of logfmt without an end, of which only the first word counts as the value: what
/// it goes on with may not be let through either.
fn without_end(field: Field, line: &[u8]) -> Field {
    let start = field.span.start as usize;
    match line.get(start) {
        Some(b'"') if field.kind == FieldKind::Text => {
            Field { span: Span { end: line.len() as u32, ..field.span }, ..field }
        }
        _ => field,
    }
}

/// A number or an object gives way to a text, so that the line stays JSON.
fn field_cut(field: Field) -> Cut {
    let stars = match field.kind {
        FieldKind::Text | FieldKind::Escaped => STARS,
        FieldKind::Number | FieldKind::Bool | FieldKind::Nested => QUOTED_STARS,
    };
    Cut { span: field.span, stars }
}

/// Writes the line with stars into `out`. Returns whether there was anything to star out; if
/// not, `out` is left empty.
// As for `MatchScratch::matches`.
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) fn redact<'r>(
    redactors: impl Iterator<Item = &'r Redactor>,
    line: &[u8],
    out: &mut Vec<u8>,
    scratch: &mut RedactScratch,
) -> bool {
    out.clear();
    scratch.cuts.clear();
    for redactor in redactors {
        redactor.find_cuts(line, scratch);
    }
    if scratch.cuts.is_empty() {
        return false;
    }
    scratch.cuts.sort_unstable_by_key(|cut| (cut.span.start, cut.span.end));
    let mut written = 0;
    for cut in &scratch.cuts {
        let (start, end) = (cut.span.start as usize, cut.span.end as usize);
        if start >= written {
            out.extend_from_slice(&line[written..start]);
            out.extend_from_slice(cut.stars);
        }
        written = written.max(end);
    }
    out.extend_from_slice(&line[written..]);
    true
}
