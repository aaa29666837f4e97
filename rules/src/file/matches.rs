//! The four forms of `match`: text, json, logfmt, regex; and what `redact` may hold.

use regex_syntax::hir::{Hir, HirKind};

use crate::diagnostic::Report;
use crate::file::read::{Keys, report_pattern, text_of};
use crate::file::{FieldMatch, FieldPattern, Match, RegexMatch};
use crate::pattern::{Names, Pattern, PatternError, Piece, pieces};
use crate::redact::Redactor;
use crate::regex::{CompileError, MAX_BYTES, Regex};
use crate::yaml::{Kind, Node};

/// Deepest nesting of groups and repetitions.
const MAX_REGEX_NESTING: u32 = 50;

/// Reads a rule's `match`.
pub(crate) fn read(
    node: &Node,
    names: &mut Names,
    report: &mut Report<'_>,
) -> Option<(Match, Vec<Box<[u8]>>)> {
    let Kind::Mapping(_) = &node.kind else {
        let text = text_of(node, "a match", report)?;
        return match Pattern::parse(text, names, false) {
            Ok(pattern) => {
                let literals = pattern.literals().map(|text| text.into());
                Some((Match::Text(pattern.clone()), literals.collect()))
            }
            Err(fault) => {
                report_pattern(node, fault, report);
                None
            }
        };
    };
    let forms = ["json", "logfmt", "regex"];
    let keys = Keys::of(node, "a match", &forms, report)?;
    match (keys.get("json"), keys.get("logfmt"), keys.get("regex")) {
        (Some(node), None, None) => {
            let fields = fields(node, "json", names, report)?;
            let literals = json_literals(&fields);
            Some((Match::Json(fields), literals))
        }
        (None, Some(node), None) => {
            let fields = fields(node, "logfmt", names, report)?;
            let literals = logfmt_literals(&fields);
            Some((Match::Logfmt(fields), literals))
        }
        (None, None, Some(node)) => regex(node, names, report),
        _ if keys.has_unknown() => None,
        _ => {
            report
                .error(node.place, "a match has exactly one form")
                .expected("expected a text, or one of json, logfmt, regex");
            None
        }
    }
}

fn fields(
    node: &Node,
    form: &str,
    names: &mut Names,
    report: &mut Report<'_>,
) -> Option<Vec<FieldMatch>> {
    let Kind::Mapping(members) = &node.kind else {
        report
            .error(node.place, format!("`{form}` is a mapping, this is {}", node.kind_name()))
            .expected("expected fields and their patterns");
        return None;
    };
    if members.is_empty() {
        report.error(node.place, format!("`{form}` names no field"));
        return None;
    }
    let mut fields: Vec<FieldMatch> = Vec::new();
    let mut complete = true;
    for (key, value) in members {
        let path = text_of(key, "a field's name", report);
        let pattern = text_of(value, "a pattern", report);
        let (Some(path), Some(pattern)) = (path, pattern) else {
            complete = false;
            continue;
        };
        if fields.iter().any(|field| *field.path == *path) {
            report.error(key.place, format!("`{path}` stands twice in the match"));
        }
        match field_pattern(pattern, names) {
            Ok(value) => fields.push(FieldMatch { path: path.into(), path_number: 0, value }),
            Err(fault) => {
                report_pattern(value, fault, report);
                complete = false;
            }
        }
    }
    complete.then_some(fields)
}

/// A pattern that is one capture without a type takes the value as it is.
fn field_pattern(text: &str, names: &mut Names) -> Result<FieldPattern, PatternError> {
    if let [Piece::Capture { name, kind: None, .. }] = pieces(text)?.as_slice() {
        let pattern = Pattern::parse(text, names, true)?;
        debug_assert_eq!(pattern.steps.len(), 1);
        return Ok(FieldPattern::Whole(if *name == "_" { None } else { names.slot(name) }));
    }
    Pattern::parse(text, names, true).map(FieldPattern::Pattern)
}

/// What a JSON line that matches must hold literally: not the numbers of elements. A string may
/// be written with escapes, so only characters that writers do not escape by custom count; the
/// prefilter sees to `\u00XX`.
fn json_literals(fields: &[FieldMatch]) -> Vec<Box<[u8]>> {
    let plain = |byte: u8| (b' '..0x7f).contains(&byte) && !b"\"\\/<>&'".contains(&byte);
    let mut literals = Vec::new();
    for field in fields {
        for part in field.path.split('.') {
            if !part.bytes().all(|byte| byte.is_ascii_digit()) {
                push_runs(&mut literals, part.as_bytes(), plain);
            }
        }
        push_value_runs(&mut literals, field, plain);
    }
    literals
}

/// What a logfmt line that matches must hold literally, but for the same escapes.
fn logfmt_literals(fields: &[FieldMatch]) -> Vec<Box<[u8]>> {
    let plain = |byte: u8| (b' '..0x7f).contains(&byte) && !b"\"\\".contains(&byte);
    let mut literals = Vec::new();
    for field in fields {
        literals.push(format!("{}=", field.path).into_bytes().into());
        push_value_runs(&mut literals, field, plain);
    }
    literals
}

fn push_value_runs(literals: &mut Vec<Box<[u8]>>, field: &FieldMatch, plain: impl Fn(u8) -> bool) {
    if let FieldPattern::Pattern(pattern) = &field.value {
        for literal in pattern.literals() {
            push_runs(literals, literal, &plain);
        }
    }
}

/// Adds the longest run of plain bytes of a text.
fn push_runs(literals: &mut Vec<Box<[u8]>>, text: &[u8], plain: impl Fn(u8) -> bool) {
    let longest = text.split(|byte| !plain(*byte)).max_by_key(|run| run.len());
    if let Some(run) = longest.filter(|run| !run.is_empty()) {
        literals.push(run.into());
    }
}

fn regex(
    node: &Node,
    names: &mut Names,
    report: &mut Report<'_>,
) -> Option<(Match, Vec<Box<[u8]>>)> {
    let text = text_of(node, "a regular expression", report)?;
    let mut parser = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(MAX_REGEX_NESTING)
        .build();
    let hir = match parser.parse(text) {
        Ok(hir) => hir,
        Err(fault) => {
            report_regex_fault(node, &fault, report);
            return None;
        }
    };
    let regex = match Regex::new(&hir) {
        Ok(regex) => regex,
        Err(fault) => {
            report_compile_fault(node, fault, report);
            return None;
        }
    };
    let mut groups = Vec::new();
    for (number, name) in regex.names() {
        match names.add(name) {
            Ok(slot) => groups.push((number, slot)),
            Err(message) => {
                report.error(node.place, message);
            }
        }
    }
    Some((Match::Regex(RegexMatch { regex, groups }), required_literals(&hir)))
}

fn report_compile_fault(node: &Node, fault: CompileError, report: &mut Report<'_>) {
    match fault {
        CompileError::TooLarge => report
            .error(
                node.place,
                format!("the regular expression compiles to more than {} KiB", MAX_BYTES / 1024),
            )
            .expected("expected fewer or smaller repetitions"),
        CompileError::Unicode => report
            .error(node.place, "regular expressions are over bytes, without Unicode's classes")
            .expected("expected no `(?u)`"),
    };
}

fn report_regex_fault(node: &Node, fault: &regex_syntax::Error, report: &mut Report<'_>) {
    let (span, message) = match fault {
        regex_syntax::Error::Parse(fault) => (*fault.span(), fault.kind().to_string()),
        regex_syntax::Error::Translate(fault) => (*fault.span(), fault.kind().to_string()),
        _ => {
            report.error(node.place, "not a regular expression");
            return;
        }
    };
    let place = node.place_within(span.start.offset, span.end.offset);
    report.error(place, format!("in the regular expression: {message}"));
}

/// Texts that every match of the expression holds.
fn required_literals(hir: &Hir) -> Vec<Box<[u8]>> {
    let mut literals = Vec::new();
    let mut left = vec![hir];
    while let Some(hir) = left.pop() {
        match hir.kind() {
            HirKind::Literal(literal) => literals.push(literal.0.clone()),
            HirKind::Capture(capture) => left.push(&capture.sub),
            HirKind::Repetition(repetition) if repetition.min > 0 => left.push(&repetition.sub),
            HirKind::Concat(parts) => left.extend(parts),
            HirKind::Repetition(_)
            | HirKind::Alternation(_)
            | HirKind::Class(_)
            | HirKind::Look(_)
            | HirKind::Empty => {}
        }
    }
    literals
}

/// Reads an item of `redact`: a pattern, or a field of JSON or logfmt lines.
pub(crate) fn redactor(node: &Node, report: &mut Report<'_>) -> Option<Redactor> {
    if let Kind::Mapping(_) = &node.kind {
        let keys = Keys::of(node, "an item of `redact`", &["json", "logfmt"], report)?;
        return match (keys.get("json"), keys.get("logfmt")) {
            (Some(path), None) => Some(Redactor::json(text_of(path, "a field's name", report)?)),
            (None, Some(key)) => Some(Redactor::logfmt(text_of(key, "a field's name", report)?)),
            _ if keys.has_unknown() => None,
            _ => {
                report
                    .error(node.place, "an item of `redact` has exactly one form")
                    .expected("expected a pattern, or one of json, logfmt");
                None
            }
        };
    }
    let text = text_of(node, "an item of `redact`", report)?;
    match Redactor::pattern(text) {
        Ok(redactor) => Some(redactor),
        Err(fault) => {
            report_pattern(node, fault, report);
            None
        }
    }
}
