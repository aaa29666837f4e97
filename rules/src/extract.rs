//! One line to its events.

mod captures;
mod emission;
mod near;

use std::ops::Range;

use statetrail_event::cloudevents::Form;
use statetrail_event::{Event, Time, ValueRef};

use crate::fields::Fields;
use crate::file::{FieldMatch, FieldPattern, Match, Rule};
use crate::json::{self, Walk};
use crate::logfmt;
use crate::matcher::Scratch;
use crate::origin::Origin;
use crate::prefilter::{Candidates, Literal};
use crate::redact::{RedactScratch, redact};
use crate::regex::RegexScratch;
use crate::set::{RuleSet, Scope, ScopeId};

pub(crate) use captures::Captures;
use captures::Slots;
use emission::{Emission, EmissionScratch};
pub use near::NearMiss;

/// A line of a log.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The line; newlines at its end do not count.
    pub bytes: &'a [u8],
    /// When it was written.
    pub time: Time,
    /// What orders lines of one source that share their time; see [`statetrail_event::seq_of`].
    pub position: u64,
    /// Byte offset of the line's start in its file.
    pub offset: Option<u64>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many rules matched.
    pub matched: u32,
    /// How many events it gave.
    pub events: u32,
    /// How many events could not be made: a conversion failed, or a part of the entity's name
    /// was missing or not allowed.
    pub failed: u32,
}

/// How often a rule was at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCount {
    /// Lines that it matched.
    pub matched: u64,
    /// Events that it gave.
    pub events: u64,
    /// Events that could not be made.
    pub failed: u64,
    /// Lines that it matched once something in them had been starred out.
    pub redacted: u64,
}

/// Where the events of a line are written.
pub struct Json<'o> {
    /// The events go to its end.
    pub out: &'o mut Vec<u8>,
    /// Becomes the name of the first event's entity, if there is an event.
    pub key: Option<&'o mut Vec<u8>>,
    /// How many bytes `out` may hold at the most, but for the brackets of an array; an event that would go
    /// beyond counts as failed.
    pub limit: usize,
}

/// Turns lines into events. It holds memory that is used again for every line; a thread has
/// one of its own.
#[derive(Default)]
pub struct Extractor {
    finder: Finder,
    emission: EmissionScratch,
    counts: Vec<RuleCount>,
}

/// A rule that matched a line, and what it captured there.
pub struct Matched<'a> {
    file: u32,
    number: u32,
    rule: &'a Rule,
    captures: Captures<'a>,
    /// The line as the rule saw it: without newline, redacted.
    line: &'a [u8],
    /// Whether something in it was starred out.
    starred: bool,
}

/// Finds the rules that match a line.
#[derive(Default)]
struct Finder {
    candidates: Candidates,
    redacted: Vec<u8>,
    redact: RedactScratch,
    matcher: MatchScratch,
}

#[derive(Default)]
struct MatchScratch {
    slots: Slots,
    pattern: Scratch,
    regex: RegexScratch,
    fields: Fields,
    /// What the fields now hold, and of which line it is known.
    fields_of: Option<(Format, bool)>,
    walk: Walk,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Logfmt,
}

/// Events per line at the most: [`statetrail_event::seq_of`] numbers them with one byte.
const MAX_EVENTS_PER_LINE: u32 = 255;

impl Extractor {
    /// An extractor with nothing counted.
    pub fn new() -> Extractor {
        Extractor::default()
    }

    /// Adds the events of a line to `out`.
    pub fn events(
        &mut self,
        rules: &RuleSet,
        scope: ScopeId,
        origin: &Origin,
        line: &Line<'_>,
        out: &mut Vec<Event>,
    ) -> Outcome {
        self.extract(rules, scope, origin, line, &mut |emission| {
            let event = emission.make_event();
            let made = event.is_some();
            out.extend(event);
            made
        })
    }

    /// Appends the events of a line to `out` as CloudEvents: one object, an array of several,
    /// nothing if there are none.
    pub fn write_json(
        &mut self,
        rules: &RuleSet,
        scope: ScopeId,
        origin: &Origin,
        line: &Line<'_>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        self.write_json_as(
            Form::Plain,
            rules,
            scope,
            origin,
            line,
            &mut Json { out, key: None, limit: usize::MAX },
        )
    }

    /// Appends the events of a line as [`Extractor::write_json`] does, in either form.
    pub fn write_json_as(
        &mut self,
        form: Form,
        rules: &RuleSet,
        scope: ScopeId,
        origin: &Origin,
        line: &Line<'_>,
        json: &mut Json<'_>,
    ) -> Outcome {
        let start = json.out.len();
        let mut events = 0;
        let outcome = self.extract(rules, scope, origin, line, &mut |emission| {
            let before = json.out.len();
            let key = match events {
                0 => json.key.as_deref_mut(),
                _ => {
                    json.out.push(b',');
                    None
                }
            };
            if !emission.write_json(form, json.out, key, json.limit) {
                json.out.truncate(before);
                return false;
            }
            events += 1;
            true
        });
        if events > 1 {
            json.out.insert(start, b'[');
            json.out.push(b']');
        }
        outcome
    }

    /// Whether it is certain that no rule matches a line of which only the inside of a JSON string is
    /// at hand, as long as that has no other escapes than those of quotes, `\n`, `\r` and `\t`. What
    /// is not certain is to be told from the line itself.
    pub fn rules_out(&mut self, rules: &RuleSet, scope: ScopeId, quoted: &[u8]) -> bool {
        let Some(scope) = rules.scope_by_id(scope) else { return true };
        scope.prefilter.rules_out(quoted, &mut self.finder.candidates)
    }

    /// How often each rule was at work so far, by the numbers of [`RuleSet::rule_names`]. Starts
    /// again with [`Extractor::reset_counts`], which a reload of the rule set calls for.
    pub fn counts(&self) -> &[RuleCount] {
        &self.counts
    }

    /// Gives back memory that an exceptionally long line took.
    pub fn shrink(&mut self) {
        self.emission.shrink();
        self.finder.redacted = Vec::new();
    }

    /// Sets all counts to 0.
    pub fn reset_counts(&mut self) {
        self.counts.clear();
    }

    /// Gives every rule that matches a line to `found`, in order, without making events. Returns
    /// how many there were.
    pub fn matches(
        &mut self,
        rules: &RuleSet,
        scope: ScopeId,
        line: &[u8],
        found: &mut dyn FnMut(&Matched<'_>),
    ) -> u32 {
        let mut count = 0;
        self.finder.each_match(rules, scope, line, &mut |matched| {
            found(matched);
            count += 1;
        });
        count
    }

    /// Gives every event of a line to `emit`, which tells whether it could be made.
    fn extract(
        &mut self,
        rules: &RuleSet,
        scope: ScopeId,
        origin: &Origin,
        line: &Line<'_>,
        emit: &mut dyn FnMut(&mut Emission<'_>) -> bool,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let Extractor { finder, emission: scratch, counts } = self;
        let complete = finder.each_match(rules, scope, line.bytes, &mut |matched| {
            outcome.matched += 1;
            let number = rules.rule_number(matched.file, matched.number);
            if number >= counts.len() {
                counts.resize(number + 1, RuleCount::default());
            }
            let count = &mut counts[number];
            count.matched += 1;
            count.redacted += u64::from(matched.starred);
            for item in &matched.rule.emits {
                let index = outcome.events + outcome.failed;
                let mut emission = Emission {
                    origin,
                    home: rules.file(matched.file).home.as_ref(),
                    rule: matched.rule,
                    emit: item,
                    captures: matched.captures,
                    line,
                    bytes: matched.line,
                    index: index.min(MAX_EVENTS_PER_LINE) as u8,
                    scratch,
                };
                if index < MAX_EVENTS_PER_LINE && emit(&mut emission) {
                    outcome.events += 1;
                    count.events += 1;
                } else {
                    outcome.failed += 1;
                    count.failed += 1;
                }
            }
        });
        if !complete {
            outcome.failed += 1;
        }
        outcome
    }
}

impl Matched<'_> {
    /// The rule, as events carry it.
    pub fn rule_name(&self) -> &str {
        &self.rule.full_name
    }

    /// The captures in the order of the match, each with its value; `None` where an optional
    /// group took no part, or where the text does not fit the type.
    pub fn captures(&self) -> impl Iterator<Item = (&str, Option<ValueRef<'_>>)> {
        let value = |slot: usize| self.captures.value(slot as u8).flatten();
        self.rule.names.iter().enumerate().map(move |(slot, name)| (name, value(slot)))
    }

    /// Where each capture stands in [`Matched::line`], in bytes and in the order of
    /// [`Matched::captures`]; `None` where the line has it in another form, or not at all.
    pub fn places(&self) -> impl Iterator<Item = Option<Range<usize>>> {
        (0..self.rule.names.len()).map(|slot| self.captures.place(slot as u8))
    }

    /// The line as the rule saw it: without newline, redacted.
    pub fn line(&self) -> &[u8] {
        self.line
    }

    /// Whether something in the line was starred out.
    pub fn is_redacted(&self) -> bool {
        self.starred
    }
}

impl Finder {
    /// Gives every rule that matches to `found`, in order. Returns false for a line so long
    /// that it cannot be looked at.
    fn each_match(
        &mut self,
        rules: &RuleSet,
        scope: ScopeId,
        line: &[u8],
        found: &mut dyn FnMut(&Matched<'_>),
    ) -> bool {
        let line = without_newline(line);
        let Some(scope) = rules.scope_by_id(scope) else { return true };
        // Spans are 32 bits wide.
        if u32::try_from(line.len()).is_err() {
            return false;
        }
        scope.prefilter.find(line, &mut self.candidates);
        if !self.candidates.is_empty() {
            self.try_candidates(rules, scope, line, found);
        }
        true
    }

    /// Gives those of the candidates that match to `found`.
    fn try_candidates(
        &mut self,
        rules: &RuleSet,
        scope: &Scope,
        line: &[u8],
        found: &mut dyn FnMut(&Matched<'_>),
    ) {
        let starred = redact(rules.redactors(scope), line, &mut self.redacted, &mut self.redact);
        let line = if starred { &self.redacted[..] } else { line };
        self.matcher.fields_of = None;
        while let Some((candidate, literal)) = self.candidates.pop() {
            let (file, number) = scope.rules[candidate as usize];
            let rule = rules.rule(file, number);
            // Stars move what stands behind them.
            let literal = if starred { Literal::default() } else { literal };
            if !self.matcher.matches(rules, rule, line, literal) {
                continue;
            }
            let captures = self.matcher.slots.captures(line);
            found(&Matched { file, number, rule, captures, line, starred });
            if !rule.goes_on {
                break;
            }
        }
    }
}

impl MatchScratch {
    /// Whether the rule matches; if it does, `slots` holds what it captured.
    // Within its caller, whose frame stays while events are written, it would cost Fluent Bit's
    // stack.
    #[cfg_attr(target_family = "wasm", inline(never))]
    fn matches(&mut self, rules: &RuleSet, rule: &Rule, line: &[u8], literal: Literal) -> bool {
        self.slots.begin(rule.names.len());
        match &rule.matches {
            Match::Text(pattern) => {
                let Literal { step, place } = literal;
                let start = pattern.earliest_start(line, step as usize, place as usize);
                let spans = self.slots.spans(rule.names.len());
                let found = pattern.find(line, start, spans, &mut self.pattern).is_some();
                found && self.slots.take_line(pattern, line)
            }
            Match::Json(fields) => {
                self.read_fields(Format::Json, rules, line) && self.match_fields(fields, line)
            }
            Match::Logfmt(fields) => {
                self.read_fields(Format::Logfmt, rules, line) && self.match_fields(fields, line)
            }
            Match::Regex(matches) => self.slots.take_regex(matches, line, &mut self.regex),
        }
    }

    /// Reads the line's fields, once for all rules. Returns whether it has the format.
    fn read_fields(&mut self, format: Format, rules: &RuleSet, line: &[u8]) -> bool {
        match self.fields_of {
            Some((known, fits)) if known == format => return fits,
            _ => self.fields.begin(),
        }
        let fields = &mut self.fields;
        let mut put = |number, field| fields.put(number, field);
        let fits = match format {
            Format::Json => json::read(line, &rules.paths, &mut put, &mut self.walk),
            Format::Logfmt => logfmt::read(line, &rules.paths, &mut put),
        };
        self.fields_of = Some((format, fits));
        fits
    }

    fn match_fields(&mut self, fields: &[FieldMatch], line: &[u8]) -> bool {
        fields.iter().all(|wanted| {
            let Some(field) = self.fields.get(wanted.path_number) else { return false };
            match &wanted.value {
                FieldPattern::Whole(slot) => {
                    self.slots.take_whole(*slot, field, line);
                    true
                }
                FieldPattern::Pattern(pattern) => {
                    self.slots.take_field(pattern, field, line, &mut self.pattern)
                }
            }
        })
    }
}

/// The line without the newlines at its end: some readers leave them on, and the same line must
/// be the same event.
fn without_newline(bytes: &[u8]) -> &[u8] {
    let mut end = bytes.len();
    while end > 0 && matches!(bytes[end - 1], b'\n' | b'\r') {
        end -= 1;
    }
    &bytes[..end]
}
