//! What a line lacks for a rule: for people who write rules, not for the way of every line.

use super::{Extractor, Format, MatchScratch, without_newline};
use crate::capture::CaptureType;
use crate::fields::FieldKind;
use crate::file::{FieldMatch, FieldPattern, Match, Rule};
use crate::json::unescape_into;
use crate::matcher::{Scratch, find, is_space};
use crate::pattern::{Pattern, Step};
use crate::redact::redact;
use crate::set::{RuleSet, ScopeId};

/// Shortest text that a line must have in common with a rule to be near it.
const COMMON_MIN: usize = 3;
/// What a rule is all of, in shares.
const WHOLE: usize = 1_000;

/// A rule that almost matches a line, and what it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The rule, as events carry it.
    pub rule: String,
    /// The field in which it stops; `None` for the line itself.
    pub field: Option<String>,
    /// Bytes of the line as rules see it, or of the field's value, up to which the rule matches.
    pub place: usize,
    /// What would have to come there.
    pub expected: String,
    /// How much of the rule the line has, in thousandths.
    pub share: usize,
    /// Whether something was starred out in the line that rules see.
    pub redacted: bool,
}

/// Where a pattern stops in a text.
struct Stop {
    place: usize,
    expected: String,
    share: usize,
}

impl Extractor {
    /// The rules that almost match a line which none matches, the nearest first.
    pub fn near_misses(&mut self, rules: &RuleSet, scope: ScopeId, line: &[u8]) -> Vec<NearMiss> {
        let Some(scope) = rules.scope_by_id(scope) else { return Vec::new() };
        let finder = &mut self.finder;
        let line = without_newline(line);
        let starred =
            redact(rules.redactors(scope), line, &mut finder.redacted, &mut finder.redact);
        let line = if starred { &finder.redacted[..] } else { line };
        finder.matcher.fields_of = None;
        let mut misses: Vec<NearMiss> = scope
            .rules
            .iter()
            .filter_map(|(file, number)| {
                finder.matcher.near_miss(rules, rules.rule(*file, *number), line)
            })
            .map(|miss| NearMiss { redacted: starred, ..miss })
            .collect();
        // Of rules that are as near, the one that is tried first comes first.
        misses.sort_by_key(|miss| WHOLE - miss.share);
        misses
    }
}

impl MatchScratch {
    fn near_miss(&mut self, rules: &RuleSet, rule: &Rule, line: &[u8]) -> Option<NearMiss> {
        let (field, stop) = match &rule.matches {
            Match::Text(pattern) => (None, stop_of(pattern, &name_of(rule), line)?),
            Match::Json(fields) => self.stop_in_fields(Format::Json, rules, rule, fields, line)?,
            Match::Logfmt(fields) => {
                self.stop_in_fields(Format::Logfmt, rules, rule, fields, line)?
            }
            Match::Regex(_) => return None,
        };
        let rule = rule.full_name.to_string();
        let Stop { place, expected, share } = stop;
        Some(NearMiss { rule, field, place, expected, share, redacted: false })
    }

    /// The first field that is missing or holds something else.
    fn stop_in_fields(
        &mut self,
        format: Format,
        rules: &RuleSet,
        rule: &Rule,
        fields: &[FieldMatch],
        line: &[u8],
    ) -> Option<(Option<String>, Stop)> {
        if !self.read_fields(format, rules, line) {
            return None;
        }
        let (mut share, mut first) = (0, None);
        for wanted in fields {
            let Some(field) = self.fields.get(wanted.path_number) else {
                first.get_or_insert_with(|| {
                    let expected = "this field, which the line does not have".to_owned();
                    (Some(wanted.path.to_string()), Stop { place: 0, expected, share: 0 })
                });
                continue;
            };
            let stop = match &wanted.value {
                FieldPattern::Whole(_) => None,
                FieldPattern::Pattern(pattern) => {
                    let text = line.get(field.span.start as usize..field.span.end as usize)?;
                    let mut value = Vec::new();
                    match field.kind {
                        FieldKind::Escaped => unescape_into(text, &mut value),
                        _ => value.extend_from_slice(text),
                    }
                    let is_whole = matches(pattern, pattern.steps.len(), true, &value).is_some();
                    (!is_whole).then(|| {
                        let anything = Stop {
                            place: 0,
                            expected: describe(pattern, 0, &name_of(rule)),
                            share: 0,
                        };
                        stop_of(pattern, &name_of(rule), &value).unwrap_or(anything)
                    })
                }
            };
            match stop {
                None => share += WHOLE,
                Some(stop) => {
                    share += stop.share;
                    first.get_or_insert_with(|| (Some(wanted.path.to_string()), stop));
                }
            }
        }
        let (field, stop) = first?;
        let share = share / fields.len().max(1);
        (share > 0).then_some((field, Stop { share, ..stop }))
    }
}

/// The names of a rule's captures by their slots.
fn name_of(rule: &Rule) -> impl Fn(Option<u8>) -> String {
    |slot| slot.and_then(|slot| rule.names.iter().nth(slot.into())).unwrap_or("_").to_owned()
}

/// Where a pattern stops that has something in common with a text; `None` if it has nothing, or matches.
fn stop_of(pattern: &Pattern, name: &dyn Fn(Option<u8>) -> String, text: &[u8]) -> Option<Stop> {
    let steps = pattern.steps.len();
    let literals = |range: std::ops::Range<usize>| {
        let texts = pattern.steps[range].iter().filter_map(|step| pattern.literal(step));
        texts.map(<[u8]>::len).sum::<usize>()
    };
    let all = literals(0..steps).max(1);
    let known: Vec<usize> =
        pattern.literals().filter(|it| find(text, it, 0).is_some()).map(<[u8]>::len).collect();
    if known.iter().all(|length| *length < COMMON_MIN) {
        return None;
    }
    if matches(pattern, steps, pattern.at_end, text).is_some() {
        return None;
    }
    // What matches so many steps matches fewer, too.
    let (mut matched, mut failing) = (0, steps + 1);
    let mut end = 0;
    while failing - matched > 1 {
        let middle = (matched + failing) / 2;
        match matches(pattern, middle, false, text) {
            Some(found) => (matched, end) = (middle, found),
            None => failing = middle,
        }
    }
    let common = literals(0..matched);
    if common >= COMMON_MIN {
        if matched == steps {
            let expected = "the end".to_owned();
            return Some(Stop { place: end, expected, share: WHOLE - 1 });
        }
        let (place, expected) = stop_in_step(pattern, matched, name, text, end);
        return Some(Stop { place, expected, share: common * WHOLE / all });
    }
    // It may lack what the pattern begins with, and have the rest.
    let longest = known.into_iter().max().unwrap_or(0);
    let expected = describe(pattern, 0, name);
    (longest >= COMMON_MIN).then_some(Stop { place: 0, expected, share: longest * WHOLE / all / 2 })
}

/// Where the first steps of a pattern end, if they match.
fn matches(pattern: &Pattern, steps: usize, at_end: bool, text: &[u8]) -> Option<usize> {
    let part = pattern.beginning(steps, at_end);
    let mut spans = vec![None; crate::pattern::MAX_CAPTURES];
    part.find(text, 0, &mut spans, &mut Scratch::default()).map(|(_, end)| end)
}

/// Where within a step a text stops to match it, and what is wanted there. The step begins at `start`.
fn stop_in_step(
    pattern: &Pattern,
    step: usize,
    name: &dyn Fn(Option<u8>) -> String,
    text: &[u8],
    start: usize,
) -> (usize, String) {
    let word = text[start..].iter().take_while(|byte| !is_space(**byte)).count();
    let (literal, at) = match pattern.steps.get(step) {
        Some(Step::Literal(literal)) => (pattern.text(*literal), start),
        Some(Step::Until { kind: CaptureType::Word, literal, .. }) if word > 0 => {
            (pattern.text(*literal), start + word)
        }
        _ => return (start, describe(pattern, step, name)),
    };
    let same = literal.iter().zip(&text[at..]).take_while(|(one, other)| one == other).count();
    // What is shown begins with a whole character.
    let same =
        (0..=same).rev().find(|end| literal.get(*end).is_none_or(|byte| byte & 0xc0 != 0x80));
    let same = same.unwrap_or(0);
    if same == 0 {
        return (start, describe(pattern, step, name));
    }
    (at + same, format!("`{}`", String::from_utf8_lossy(&literal[same..])))
}

/// What a step wants, as a pattern writes it.
fn describe(pattern: &Pattern, step: usize, name: &dyn Fn(Option<u8>) -> String) -> String {
    let capture = |kind: CaptureType, slot: Option<u8>| match kind {
        CaptureType::Word => format!("<{}>", name(slot)),
        _ => format!("<{}:{}>", name(slot), kind.name()),
    };
    let text = |literal| String::from_utf8_lossy(pattern.text(literal)).into_owned();
    match pattern.steps.get(step) {
        Some(Step::Literal(literal)) => format!("`{}`", text(*literal)),
        Some(Step::Closed { kind, slot } | Step::Last { kind, slot }) => {
            format!("`{}`", capture(*kind, *slot))
        }
        Some(Step::Until { kind, slot, literal }) => {
            format!("`{}{}`", capture(*kind, *slot), text(*literal))
        }
        None => "the end".to_owned(),
    }
}
