//! What a line lacks for a rule: for people who write rules, not for the way of every line.

use super::{Extractor, Format, MatchScratch, without_newline};
use crate::capture::CaptureType;
use crate::fields::FieldKind;
use crate::file::{FieldMatch, FieldPattern, Match, Rule};
use crate::json::unescape_into;
use crate::matcher::{Scratch, Span, find, is_space};
use crate::pattern::{MAX_CAPTURES, Pattern, Step};
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
    /// Bytes of the line as rules see it, or of the field's value, up to which the rule matches; `None`
    /// if what it begins with stands nowhere there.
    pub place: Option<usize>,
    /// What would have to come there.
    pub expected: String,
    /// How much of the rule the line has, in thousandths.
    pub share: usize,
    /// Whether something was starred out in the line that rules see.
    pub redacted: bool,
}

/// Where a pattern stops in a text.
struct Stop {
    place: Option<usize>,
    expected: String,
    share: usize,
}

impl Extractor {
    /// The rule that comes nearest to matching a line which none matches.
    pub fn near_miss(&mut self, rules: &RuleSet, scope: ScopeId, line: &[u8]) -> Option<NearMiss> {
        let scope = rules.scope_by_id(scope)?;
        let finder = &mut self.finder;
        let line = without_newline(line);
        let starred =
            redact(rules.redactors(scope), line, &mut finder.redacted, &mut finder.redact);
        let line = if starred { &finder.redacted[..] } else { line };
        finder.matcher.fields_of = None;
        let mut probe = Probe::default();
        let line = Searched::new(line);
        let mut nearest: Option<NearMiss> = None;
        for (file, number) in &scope.rules {
            let rule = rules.rule(*file, *number);
            // Of rules that are as near, the one that is tried first counts.
            let above = nearest.as_ref().map_or(0, |miss| miss.share);
            let miss = finder.matcher.near_miss(rules, rule, &line, above, &mut probe);
            nearest = miss.or(nearest);
        }
        nearest.map(|miss| NearMiss { redacted: starred, ..miss })
    }
}

/// Memory for trying patterns on a line, used for all of them.
struct Probe {
    spans: Vec<Option<Span>>,
    scratch: Scratch,
}

impl Default for Probe {
    fn default() -> Probe {
        Probe { spans: vec![None; MAX_CAPTURES], scratch: Scratch::default() }
    }
}

impl Probe {
    /// Where the first steps of a pattern end, if they match.
    fn end_of(
        &mut self,
        pattern: &Pattern,
        steps: usize,
        at_end: bool,
        text: &[u8],
    ) -> Option<usize> {
        let part = pattern.beginning(steps, at_end);
        part.find(text, 0, &mut self.spans, &mut self.scratch).map(|(_, end)| end)
    }
}

/// A text, and which pairs of bytes it has, in a set that may take one pair for another. A text that lacks a
/// pair of a rule's text need not be searched for it, which of hundreds of rules spares nearly all.
struct Searched<'t> {
    text: &'t [u8],
    pairs: [u64; Searched::PAIRS / 64],
}

impl Searched<'_> {
    const PAIRS: usize = 4096;

    fn new(text: &[u8]) -> Searched<'_> {
        let mut pairs = [0; Searched::PAIRS / 64];
        for bit in text.windows(2).map(Searched::bit) {
            pairs[bit / 64] |= 1 << (bit % 64);
        }
        Searched { text, pairs }
    }

    fn bit(pair: &[u8]) -> usize {
        ((usize::from(pair[0]) << 4) ^ usize::from(pair[1])) % Searched::PAIRS
    }

    fn holds(&self, part: &[u8]) -> bool {
        let mut bits = part.windows(2).map(Searched::bit);
        bits.all(|bit| self.pairs[bit / 64] & (1 << (bit % 64)) != 0)
            && find(self.text, part, 0).is_some()
    }
}

impl MatchScratch {
    /// What a line lacks for a rule, if that is nearer than the share `above`.
    fn near_miss(
        &mut self,
        rules: &RuleSet,
        rule: &Rule,
        line: &Searched<'_>,
        above: usize,
        probe: &mut Probe,
    ) -> Option<NearMiss> {
        let (field, stop) = match &rule.matches {
            Match::Text(pattern) => (None, stop_of(pattern, &name_of(rule), line, above, probe)?),
            Match::Json(fields) => {
                self.stop_in_fields(Format::Json, rules, rule, fields, line.text, probe)?
            }
            Match::Logfmt(fields) => {
                self.stop_in_fields(Format::Logfmt, rules, rule, fields, line.text, probe)?
            }
            Match::Regex(_) => return None,
        };
        let Stop { place, expected, share } = stop;
        (share > above).then(|| NearMiss {
            rule: rule.full_name.to_string(),
            field,
            place,
            expected,
            share,
            redacted: false,
        })
    }

    /// The first field that is missing or holds something else.
    fn stop_in_fields(
        &mut self,
        format: Format,
        rules: &RuleSet,
        rule: &Rule,
        fields: &[FieldMatch],
        line: &[u8],
        probe: &mut Probe,
    ) -> Option<(Option<String>, Stop)> {
        if !self.read_fields(format, rules, line) {
            return None;
        }
        let (mut share, mut first) = (0, None);
        for wanted in fields {
            let Some(field) = self.fields.get(wanted.path_number) else {
                first.get_or_insert_with(|| {
                    let expected = "this field, which the line does not have".to_owned();
                    (Some(wanted.path.to_string()), Stop { place: None, expected, share: 0 })
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
                    let steps = pattern.steps.len();
                    let is_whole = probe.end_of(pattern, steps, true, &value).is_some();
                    (!is_whole).then(|| {
                        let anything = Stop {
                            place: Some(0),
                            expected: describe(pattern, 0, &name_of(rule)),
                            share: 0,
                        };
                        let value = Searched::new(&value);
                        stop_of(pattern, &name_of(rule), &value, 0, probe).unwrap_or(anything)
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

/// Where a pattern stops that has more than the share `above` in common with a text; `None` if it has
/// not, or matches.
fn stop_of(
    pattern: &Pattern,
    name: &dyn Fn(Option<u8>) -> String,
    searched: &Searched<'_>,
    above: usize,
    probe: &mut Probe,
) -> Option<Stop> {
    let text = searched.text;
    let steps = pattern.steps.len();
    let literals = |range: std::ops::Range<usize>| {
        let texts = pattern.steps[range].iter().filter_map(|step| pattern.literal(step));
        texts.map(<[u8]>::len).sum::<usize>()
    };
    let known = || pattern.literals().filter(|it| searched.holds(it)).map(<[u8]>::len);
    let (longest, together) =
        known().fold((0, 0), |(longest, sum), length| (longest.max(length), sum + length));
    // No rule is nearer than by the texts that the line has. To look for them is cheap.
    if longest < COMMON_MIN {
        return None;
    }
    let all = literals(0..steps).max(1);
    if together * WHOLE / all <= above {
        return None;
    }
    if probe.end_of(pattern, steps, pattern.at_end, text).is_some() {
        return None;
    }
    // What matches so many steps matches fewer, too.
    let (mut matched, mut failing) = (0, steps + 1);
    let mut end = 0;
    while failing - matched > 1 {
        let middle = (matched + failing) / 2;
        match probe.end_of(pattern, middle, false, text) {
            Some(found) => (matched, end) = (middle, found),
            None => failing = middle,
        }
    }
    let common = literals(0..matched);
    if common >= COMMON_MIN {
        if matched == steps {
            let expected = "the end".to_owned();
            return Some(Stop { place: Some(end), expected, share: WHOLE - 1 });
        }
        let (place, expected) = stop_in_step(pattern, matched, name, text, end);
        return Some(Stop { place: Some(place), expected, share: common * WHOLE / all });
    }
    // It lacks what the pattern begins with, and has a part of the rest.
    let place = pattern.at_start.then_some(0);
    Some(Stop { place, expected: describe(pattern, 0, name), share: longest * WHOLE / all / 2 })
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
