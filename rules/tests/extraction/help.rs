//! What the tests share.

use statetrail_event::{Event, Time};
use statetrail_rules::{Extractor, Line, Origin, Outcome, RuleSet, RuleText, ScopeId};

pub(crate) fn file(name: &str, text: &str) -> RuleText {
    RuleText { name: name.to_owned(), text: text.to_owned() }
}

/// A file without faults with one rule, which makes an event named `event` of lines with `text`.
pub(crate) fn one_rule(name: &str, head: &str, text: &str, event: &str) -> RuleText {
    let text = format!(
        "{head}\nrules:\n  - {{name: it, match: '{text} <x>', emit: [{{entity: x/<x>, event: {event}}}]}}\n"
    );
    file(name, &text)
}

/// The rule set of files without faults.
pub(crate) fn rule_set(files: &[RuleText]) -> RuleSet {
    let (rules, faults) = RuleSet::parse(files);
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    rules
}

pub(crate) fn line(bytes: &[u8]) -> Line<'_> {
    Line { bytes, time: Time::from_nanos(1_000), position: 0, offset: None }
}

/// The events of one line with what became of it.
pub(crate) fn extract(
    rules: &RuleSet,
    scope: ScopeId,
    origin: &Origin,
    line: &Line<'_>,
) -> (Vec<Event>, Outcome) {
    let mut events = Vec::new();
    let outcome = Extractor::new().events(rules, scope, origin, line, &mut events);
    (events, outcome)
}

/// The names of the events that a scope makes of a line.
pub(crate) fn event_names(rules: &RuleSet, scope: ScopeId, text: &str) -> Vec<String> {
    let origin = Origin::plain(Some("any"), None, None);
    let (events, _) = extract(rules, scope, &origin, &line(text.as_bytes()));
    events.into_iter().map(|event| event.name).collect()
}
