//! Rules and lines side by side.

use std::collections::BTreeMap;
use std::ops::Range;

use statetrail_event::{EntityName, Event, EventId, OrderKey, State, Time};
use statetrail_rules::{Diagnostic, NearMiss, RuleText, Severity, check_one};
use statetrail_workshop::{
    Capture, MatchedRule, NoSample, Trial, add_sample, format, forms, suggest,
};

use crate::views::{
    CaptureView, EntityView, FaultView, FieldView, FormView, LineView, MadeView, MatchView,
    NearView, RuleView, RulesView, RunView, StepView, SuggestionView, shown,
};

/// What the one rule file is called.
const FILE: &str = "rules.yaml";
/// Lines that are looked at: more take longer than one wants to wait for a key.
const LINES_MAX: usize = 20_000;
/// Entities whose states are told.
const STATES_MAX: usize = 200;
/// Events of an entity that are told.
const TRAIL_MAX: usize = 50;
/// Suggestions that are made.
const SUGGESTIONS_MAX: usize = 5;

/// A rule file, and lines to try it on.
#[derive(Default)]
pub struct Desk {
    rules: String,
    /// The last version of the rules that could be used.
    trial: Option<Trial>,
    lines: Vec<String>,
    /// Lines that are not looked at.
    more: usize,
}

impl Desk {
    /// Takes a rule file and tells what is wrong with it, its samples included. One that cannot be
    /// used leaves the one before in force.
    pub fn set_rules(&mut self, text: &str) -> RulesView {
        text.clone_into(&mut self.rules);
        let (rules, faults) = check_one(&RuleText { name: FILE.to_owned(), text: text.to_owned() });
        let in_force = !rules.is_empty();
        if in_force {
            self.trial = Some(Trial::of_file(rules));
        }
        let faults = faults.iter().map(fault_view).collect();
        let rules = self.trial.as_ref().map_or_else(Vec::new, |trial| {
            let numbered = trial.rules().rule_names().zip(trial.rules().rule_lines());
            numbered.map(|(name, line)| RuleView { name: short_name(name), line }).collect()
        });
        RulesView { faults, rules, in_force }
    }

    /// Takes the lines, of which the first 20,000 are looked at.
    pub fn set_lines(&mut self, text: &str) {
        let mut lines = text.lines();
        self.lines = lines.by_ref().take(LINES_MAX).map(str::to_owned).collect();
        self.more = lines.count();
    }

    /// Tries the rules on all lines, and makes states of what comes of them: a line further down counts
    /// as later.
    pub fn run(&mut self) -> RunView {
        let lines = self.lines.len();
        let mut view = RunView { lines, more: self.more, ..RunView::default() };
        let Some(trial) = &mut self.trial else { return view };
        let numbers: BTreeMap<String, usize> =
            trial.rules().rule_names().map(str::to_owned).zip(0..).collect();
        view.by_rule = vec![0; numbers.len()];
        let mut lives: BTreeMap<EntityName, Life> = BTreeMap::new();
        for (number, line) in self.lines.iter().enumerate() {
            let tried = trial.line(line.as_bytes());
            for matched in &tried.matched {
                view.by_rule[numbers[&matched.rule]] += 1;
            }
            let first = tried.matched.first();
            view.matched += usize::from(first.is_some());
            view.marks.push(first.map(|matched| {
                // Stars move what stands behind them.
                let seen = tried.redacted.is_none().then_some(line.as_str());
                (numbers[&matched.rule], spans(matched, seen))
            }));
            view.failed += tried.failed;
            view.events += tried.events.len();
            for (seq, event) in (0..).zip(&tried.events) {
                lives.entry(event.entity.clone()).or_default().take(event, number, seq);
            }
        }
        view.entities = lives.len();
        view.states = states(lives);
        view
    }

    /// What the rules do with one line, by its number from 0.
    pub fn line(&mut self, number: usize) -> Option<LineView> {
        let (trial, line) = (self.trial.as_mut()?, self.lines.get(number)?);
        let tried = trial.line(line.as_bytes());
        let near = match tried.matched.is_empty() {
            true => trial.near_miss(line.as_bytes()),
            false => None,
        };
        let redacted = tried.redacted.is_some();
        let text = tried.redacted.unwrap_or_else(|| line.clone());
        let matched = |it: &MatchedRule| MatchView {
            rule: short_name(&it.rule),
            captures: it.captures.iter().map(|capture| capture_view(capture, &text)).collect(),
        };
        Some(LineView {
            rules: tried.matched.iter().map(matched).collect(),
            events: tried.events.iter().map(MadeView::from).collect(),
            failed: tried.failed,
            near: near.map(|near| near_view(near, &text)),
            redacted,
            text,
        })
    }

    /// The rule file with a line as a sample of the rule that matches it.
    ///
    /// # Errors
    /// When there is none, or no place for it: what to tell.
    pub fn add_sample(&mut self, number: usize) -> Result<String, String> {
        let (Some(trial), Some(line)) = (self.trial.as_mut(), self.lines.get(number)) else {
            return Err("There is no such line.".to_owned());
        };
        let tried = trial.line(line.as_bytes());
        // What was to be starred out need not stand in a rule file either.
        let line = tried.redacted.as_deref().unwrap_or(line);
        let Some(matched) = tried.matched.first() else {
            return Err("No rule takes this line.".to_owned());
        };
        let told = |why| match why {
            NoSample::Known => "It is one already.",
            NoSample::NoRule => "The rules as they stand now do not have that rule.",
            NoSample::NoPlace => {
                "Its samples stand where another one cannot be put: write it by hand."
            }
        };
        add_sample(&self.rules, &short_name(&matched.rule), line, &tried.events)
            .map_err(|why| told(why).to_owned())
    }

    /// The rule file in the usual form, or what keeps it from being that.
    ///
    /// # Errors
    /// When it is no YAML.
    pub fn format(&self) -> Result<String, String> {
        format(&self.rules)
            .map_err(|fault| format!("{}:{}: {}", fault.line, fault.column, fault.message))
    }

    /// The lines that no rule matches, by their forms, those of most lines first.
    pub fn left_over(&mut self) -> Vec<FormView> {
        let Desk { trial, lines, .. } = self;
        let mut is_left = |line: &str| match trial {
            Some(trial) => trial.takers(line.as_bytes()).is_empty(),
            None => true,
        };
        let left: Vec<usize> = (0..lines.len()).filter(|number| is_left(&lines[*number])).collect();
        let texts: Vec<&str> = left.iter().map(|number| &*lines[*number]).collect();
        let view = |form: statetrail_workshop::Form| FormView {
            first: left[form.lines[0]],
            lines: form.lines.len(),
            text: form.text,
        };
        forms(&texts).into_iter().map(view).collect()
    }

    /// Rule files for these lines.
    pub fn suggest(&self) -> Vec<SuggestionView> {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        let view = |it: statetrail_workshop::Suggestion| SuggestionView {
            entity_type: it.entity_type,
            text: it.text,
            rules: it.rules,
            entities: it.entities,
            lines: it.lines,
        };
        suggest(&lines, "my-namespace", SUGGESTIONS_MAX).into_iter().map(view).collect()
    }
}

/// What the lines tell of one entity.
#[derive(Default)]
struct Life {
    state: State,
    events: usize,
    trail: Vec<StepView>,
}

impl Life {
    fn take(&mut self, event: &Event, line: usize, seq: u64) {
        // The time only says which line it was.
        let time = Time::from_nanos(line as i64);
        self.state.apply(OrderKey { time, seq, id: EventId::default() }, &event.changes);
        self.events += 1;
        self.trail.push(StepView { event: event.name.clone(), line });
    }
}

/// The entities with most events; of those with as many, in the order of their names.
fn states(lives: BTreeMap<EntityName, Life>) -> Vec<EntityView> {
    let mut lives: Vec<(EntityName, Life)> = lives.into_iter().collect();
    lives.sort_by_key(|(_, life)| std::cmp::Reverse(life.events));
    lives.truncate(STATES_MAX);
    let view = |(name, mut life): (EntityName, Life)| EntityView {
        name: name.subject().to_owned(),
        events: life.events,
        trail: life.trail.split_off(life.trail.len().saturating_sub(TRAIL_MAX)),
        fields: life.state.fields().map(field_view).collect(),
    };
    lives.into_iter().map(view).collect()
}

fn field_view((field, value, by): (&str, &statetrail_event::Value, OrderKey)) -> FieldView {
    let line = usize::try_from(by.time.nanos()).unwrap_or_default();
    FieldView { field: field.to_owned(), value: shown(value), line }
}

fn short_name(rule: &str) -> String {
    rule.split_once('/').map_or(rule, |(_, name)| name).to_owned()
}

/// How many UTF-16 units stand before a byte.
fn units_before(text: &str, byte: usize) -> usize {
    let (before, _) = text.split_at_checked(byte).unwrap_or((text, ""));
    if before.is_ascii() { before.len() } else { before.encode_utf16().count() }
}

fn place(text: &str, bytes: &Range<usize>) -> (usize, usize) {
    (units_before(text, bytes.start), units_before(text, bytes.end))
}

fn spans(matched: &MatchedRule, line: Option<&str>) -> Vec<(usize, usize)> {
    let Some(line) = line else { return Vec::new() };
    let places = matched.captures.iter().filter_map(|capture| capture.place.as_ref());
    places.map(|bytes| place(line, bytes)).collect()
}

fn capture_view(capture: &Capture, line: &str) -> CaptureView {
    CaptureView {
        name: capture.name.clone(),
        text: capture.text.clone(),
        place: capture.place.as_ref().map(|bytes| place(line, bytes)),
    }
}

fn near_view(near: NearMiss, line: &str) -> NearView {
    // Stars move what stands behind them, and a field's value is no place in the line.
    let is_in_line = near.field.is_none() && !near.redacted;
    NearView {
        rule: short_name(&near.rule),
        place: near.place.filter(|_| is_in_line).map(|place| units_before(line, place)),
        nowhere: near.field.is_none() && near.place.is_none(),
        field: near.field,
        expected: near.expected,
    }
}

fn fault_view(fault: &Diagnostic) -> FaultView {
    let units = |characters: usize| -> usize {
        fault.text.chars().take(characters).map(char::len_utf16).sum()
    };
    FaultView {
        severity: match fault.severity {
            Severity::Error => "error".to_owned(),
            Severity::Warning => "warning".to_owned(),
        },
        line: fault.line,
        start: units(fault.column - 1),
        end: units(fault.column - 1 + fault.width),
        message: fault.message.clone(),
        expected: fault.expected.clone(),
        help: fault.help.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::views::Mark;
    use crate::{EXAMPLE_LINES, EXAMPLE_RULES};

    fn desk(rules: &str, lines: &str) -> Desk {
        let mut desk = Desk::default();
        desk.set_rules(rules);
        desk.set_lines(lines);
        desk
    }

    const PAID: &str = "
namespaces: ['*']
redact: ['card <_>']
rules:
  - name: paid
    match: 'order <order> paid <amount:number> by <who>'
    emit: [{entity: 'order/<order>', event: paid, set: {amount: <amount>, by: <who>}}]
    samples:
      - line: order o-1 paid 5 by Ann
        events: [{entity: order/o-1, event: paid, set: {amount: 5, by: Ann}}]
";

    #[test]
    fn the_example_has_no_fault_and_leaves_something_to_do() {
        let mut desk = Desk::default();
        let view = desk.set_rules(EXAMPLE_RULES);
        assert_eq!((view.faults, view.in_force), (vec![], true));
        desk.set_lines(EXAMPLE_LINES);
        let run = desk.run();
        assert!(run.matched > 5 && run.matched < run.lines && run.failed == 0, "{run:?}");
        assert!(run.by_rule.iter().all(|count| *count > 0), "{run:?}");
        assert!(!desk.left_over().is_empty());
    }

    #[test]
    fn places_count_as_javascript_does() {
        let mut desk =
            desk(PAID, "🙂 order ö-7 paid 5 by Zoë\nnothing\norder o-8 paid 6 by Bo card 4711");
        let run = desk.run();
        let marks: Vec<Option<Mark>> =
            vec![Some((0, vec![(9, 12), (18, 19), (23, 26)])), None, Some((0, vec![]))];
        assert_eq!((run.marks, run.matched, run.by_rule), (marks, 2, vec![2]));
        let line: Value = serde_json::to_value(desk.line(2)).unwrap();
        assert_eq!(line["text"], "order o-8 paid 6 by Bo card ***");
        assert_eq!(line["rules"][0]["captures"][0]["place"], json!([6, 9]));
        let fault = &desk.set_rules(&PAID.replace("'order <order>", "'🙂ß <order")).faults[0];
        assert_eq!((fault.line, fault.start), (6, 16), "{fault:?}");
    }

    #[test]
    fn states_name_the_lines_behind_their_fields() {
        let mut desk = desk(PAID, "order o-1 paid 5 by Ann\n\norder o-1 paid 7.5 by Ann");
        let run = serde_json::to_value(desk.run()).unwrap();
        let expected = json!([{
            "name": "order/o-1", "events": 2,
            "trail": [{"event": "paid", "line": 0}, {"event": "paid", "line": 2}],
            "fields": [
                {"field": "amount", "value": "7.5", "line": 2}, {"field": "by", "value": "Ann", "line": 2},
            ],
        }]);
        assert_eq!(run["states"], expected);
    }

    #[test]
    fn broken_rules_leave_the_last_good_ones_in_force() {
        let mut desk = desk(PAID, "order o-1 paid 5 by Ann");
        let view = desk.set_rules("namespaces: [");
        assert!(!view.in_force && view.rules.len() == 1 && view.faults[0].severity == "error");
        assert_eq!(desk.run().matched, 1);
        assert!(desk.format().is_err());
    }

    #[test]
    fn a_line_becomes_a_sample_without_what_is_secret() {
        let mut desk = desk(PAID, "order o-2 paid 9 by Cy card 4711\nelse");
        let text = desk.add_sample(0).unwrap();
        assert!(text.contains("by Cy card ***") && !text.contains("4711"), "{text}");
        assert_eq!(desk.set_rules(&text).faults, vec![]);
        assert_eq!(desk.add_sample(0), Err("It is one already.".to_owned()));
        assert!(desk.add_sample(1).is_err() && desk.add_sample(2).is_err());
    }

    #[test]
    fn a_line_that_no_rule_takes_shows_where_the_nearest_stops() {
        let mut desk = desk(PAID, "order ö paid much by Ann");
        let near = desk.line(0).unwrap().near.unwrap();
        assert_eq!((&*near.rule, near.place), ("paid", Some(13)));
        desk.set_lines("card 4711 order o-1 paid much by Ann");
        assert_eq!(desk.line(0).unwrap().near.unwrap().place, None);
        desk.set_lines("ordre o-1 paid 5 by Ann");
        let near = desk.line(0).unwrap().near.unwrap();
        assert_eq!((near.place, near.nowhere, &*near.expected), (None, true, "`order `"));
        desk.set_lines("order ö paid much by Ann");
        assert_eq!(desk.line(1), None);
        assert_eq!(desk.left_over()[0].lines, 1);
    }

    #[test]
    fn lines_without_end_are_cut() {
        let mut desk = desk(PAID, &"order o-1 paid 5 by Ann\n".repeat(LINES_MAX + 7));
        let run = desk.run();
        assert_eq!((run.lines, run.more, run.events), (LINES_MAX, 7, LINES_MAX));
    }
}
