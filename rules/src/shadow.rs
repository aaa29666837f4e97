//! Rules that take every line of others.

use crate::capture::CaptureType;
use crate::file::{FieldMatch, FieldPattern, Match, Rule};
use crate::pattern::{Pattern, Step};

/// The first rule that takes every line of a later one, so that the later one is never tried. What is
/// not seen here is not said to be reachable: only what is certain counts.
pub(crate) fn shadowing(rules: &[Rule], later: usize) -> Option<&Rule> {
    let rule = rules.get(later)?;
    rules[..later].iter().find(|other| !other.goes_on && takes_all_of(&other.matches, rule))
}

fn takes_all_of(matches: &Match, rule: &Rule) -> bool {
    match (matches, &rule.matches) {
        (Match::Text(one), Match::Text(other)) => {
            is_same(one, other)
                || only_text(one).is_some_and(|text| other.literals().any(|it| holds(it, text)))
        }
        (Match::Json(one), Match::Json(other)) | (Match::Logfmt(one), Match::Logfmt(other)) => {
            one.iter().all(|field| other.iter().any(|its| asks_no_more(field, its)))
        }
        _ => false,
    }
}

/// Whether two patterns match the same, whatever their captures are called.
fn is_same(one: &Pattern, other: &Pattern) -> bool {
    let kind = |step: &Step| match step {
        Step::Literal(_) => None,
        Step::Closed { kind, .. } | Step::Until { kind, .. } | Step::Last { kind, .. } => {
            Some(*kind)
        }
    };
    let is_same_step =
        |(a, b): (&Step, &Step)| kind(a) == kind(b) && one.literal(a) == other.literal(b);
    (one.at_start, one.at_end, one.steps.len()) == (other.at_start, other.at_end, other.steps.len())
        && one.steps.iter().zip(&other.steps).all(is_same_step)
}

/// The text of a pattern that matches every line that holds it.
fn only_text(pattern: &Pattern) -> Option<&[u8]> {
    let is_anything = |kind: CaptureType| matches!(kind, CaptureType::Any | CaptureType::Rest);
    if pattern.at_start {
        return None;
    }
    match &*pattern.steps {
        [only @ Step::Literal(_)] if !pattern.at_end => pattern.literal(only),
        [text @ Step::Literal(_), Step::Last { kind, .. }] if is_anything(*kind) => {
            pattern.literal(text)
        }
        [text @ Step::Until { kind, .. }] if is_anything(*kind) && !pattern.at_end => {
            pattern.literal(text)
        }
        [text @ Step::Until { kind, .. }, Step::Last { kind: last, .. }]
            if is_anything(*kind) && is_anything(*last) =>
        {
            pattern.literal(text)
        }
        _ => None,
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    crate::matcher::find(text, part, 0).is_some()
}

fn asks_no_more(field: &FieldMatch, other: &FieldMatch) -> bool {
    field.path == other.path
        && match (&field.value, &other.value) {
            (FieldPattern::Whole(_), _) => true,
            (FieldPattern::Pattern(one), FieldPattern::Pattern(other)) => is_same(one, other),
            (FieldPattern::Pattern(_), FieldPattern::Whole(_)) => false,
        }
}
