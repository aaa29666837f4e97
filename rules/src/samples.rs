//! The samples of a rule file: what each line shall give, and what it gives.

use statetrail_event::{Change, Event, Time, cloudevents};

use crate::extract::{Extractor, Line};
use crate::file::{ExpectedEvent, Sample};
use crate::origin::Origin;
use crate::set::{RuleSet, ScopeId};

/// A sample, and what came of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleRun {
    /// The rule beside which it stands, as events carry it.
    pub rule: String,
    /// The line of the file on which it begins, from 1.
    pub place: usize,
    /// The sample's line.
    pub line: String,
    /// The events that it shall give, as [`shown`] writes them.
    pub want: Vec<String>,
    /// The events that it gives.
    pub got: Vec<String>,
}

/// Runs the samples of the first file of a rule set.
pub fn run_samples(rules: &mut RuleSet) -> Vec<SampleRun> {
    let Some((namespace, container)) = rules.sample_place() else { return Vec::new() };
    let Some(scope) = rules.scope(&namespace, &container) else { return Vec::new() };
    let origin = Origin::plain(Some(&namespace), None, None);
    let mut extractor = Extractor::new();
    let mut runs = Vec::new();
    let rules = &*rules;
    let of_first = rules.files().iter().take(1).flat_map(|file| &file.rules);
    for (rule, sample) in of_first.flat_map(|rule| rule.samples.iter().map(move |it| (rule, it))) {
        let (events, _) = run(&mut extractor, rules, scope, &origin, sample);
        runs.push(SampleRun {
            rule: rule.full_name.to_string(),
            place: sample.place.line,
            line: sample.line.to_string(),
            want: sample.events.iter().map(show).collect(),
            got: events.iter().map(show).collect(),
        });
    }
    runs
}

/// An event without what depends on where its line came from: `order/o-1 paid {"set":{...}}`. Two
/// events are the same in this if and only if they read the same.
pub fn shown(event: &Event) -> String {
    show(&expected_of(event.clone()))
}

/// The events that a sample's line really gives, and how many could not be made.
pub(crate) fn run(
    extractor: &mut Extractor,
    rules: &RuleSet,
    scope: ScopeId,
    origin: &Origin,
    sample: &Sample,
) -> (Vec<ExpectedEvent>, u32) {
    let line = Line {
        bytes: sample.line.as_bytes(),
        time: Time::from_nanos(0),
        position: 0,
        offset: None,
    };
    let mut events = Vec::new();
    let outcome = extractor.events(rules, scope, origin, &line, &mut events);
    (events.into_iter().map(expected_of).collect(), outcome.failed)
}

fn expected_of(event: Event) -> ExpectedEvent {
    let mut changes = event.changes;
    changes.sort_by(|a, b| a.field.cmp(&b.field));
    ExpectedEvent { entity: event.entity.subject().to_owned(), event: event.name, changes }
}

pub(crate) fn show(event: &ExpectedEvent) -> String {
    let mut json = vec![b'{'];
    cloudevents::write_changes(&mut json, &mut |writer| {
        for Change { field, value } in &event.changes {
            writer(field, value.as_ref().map(|value| value.as_ref()));
        }
    });
    json.push(b'}');
    format!("{} {} {}", event.entity, event.event, String::from_utf8_lossy(&json))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleText;

    #[test]
    fn each_sample_tells_what_it_wants_and_gets() {
        let text = "
namespaces: [shop]
rules:
  - name: paid
    match: 'order <order> paid <amount:number>'
    emit: [{entity: 'order/<order>', event: paid, set: {amount: <amount>}, unset: [due]}]
    samples:
      - line: order o-1 paid 5
        events: [{entity: order/o-1, event: paid, set: {amount: 5}, unset: [due]}]
      - line: order o-1 paid 5.0
        events: [{entity: order/o-1, event: paid, set: {amount: 5}}]
";
        let text = RuleText { name: "rules/shop.yaml".to_owned(), text: text.to_owned() };
        let runs = run_samples(&mut RuleSet::parse(&[text]).0);
        let want = r#"order/o-1 paid {"set":{"amount":5},"unset":["due"]}"#;
        assert_eq!((&*runs[0].rule, runs[0].place), ("shop.yaml/paid", 8));
        assert_eq!((&runs[0].want, &runs[0].got), (&vec![want.to_owned()], &vec![want.to_owned()]));
        assert_eq!(runs[1].want, [r#"order/o-1 paid {"set":{"amount":5}}"#]);
        assert_eq!(runs[1].got, [r#"order/o-1 paid {"set":{"amount":5.0},"unset":["due"]}"#]);
    }
}
