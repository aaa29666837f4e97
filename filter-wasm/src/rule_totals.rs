//! How often each rule was at work since the filter was started, whatever happened to the rule files,
//! and what of it has been told.

use std::collections::BTreeMap;

use statetrail_event::Change;
use statetrail_rules::{RuleCount, RuleSet};

use crate::report::number as number_of;

/// How the fields begin that count lines: `matched.FILE` for all rules of a file, `matched.FILE/RULE`
/// for one.
pub(crate) const MATCHED: &str = "matched.";
/// The counts of a rule, which are told where they are not 0.
const FIELDS: [&str; 3] = [MATCHED, "failed.", "redacted."];
/// Rules that an event tells of: with thousands of them it would become too large.
const RULES_AT_ONCE: usize = 100;

/// What became of a rule's lines: those matched, events that could not be made, lines with something
/// starred out.
type Counts = [u64; 3];

fn counts_of(count: Option<&RuleCount>) -> Counts {
    count.map_or([0; 3], |count| [count.matched, count.failed, count.redacted])
}

/// Adds lines to those of a file.
fn add(matched: &mut BTreeMap<Box<str>, u64>, file: &str, lines: u64) {
    match matched.get_mut(file) {
        Some(known) => *known += lines,
        None if !file.is_empty() => drop(matched.insert(file.into(), lines)),
        None => {}
    }
}

fn sum(one: Counts, other: Counts) -> Counts {
    [one[0] + other[0], one[1] + other[1], one[2] + other[2]]
}

/// The totals of all rules.
#[derive(Debug, Default)]
pub(crate) struct RuleTotals {
    /// Lines that matched a rule of a file, under rules that were in force before, by the file's name.
    files_before: BTreeMap<Box<str>, u64>,
    /// Of each rule in force, by its number.
    rules: Vec<Total>,
    is_aligned: bool,
    /// Of rules that were in force, by their names, until those that are now are seen.
    kept: BTreeMap<Box<str>, Total>,
    /// Fields of rules that are gone.
    gone: Vec<String>,
    /// The rule of which is told first the next time.
    next: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    /// Under rules that were in force before.
    before: Counts,
    /// Nothing yet: what is known of it may be of an earlier life of the filter.
    told: Option<Counts>,
}

impl RuleTotals {
    /// Keeps the counts of rules that are about to go. Those that come back go on with theirs.
    pub(crate) fn will_change(&mut self, rules: &RuleSet, counts: &[RuleCount]) {
        self.align(rules);
        self.files_before = self.files(rules, counts);
        let totals = std::mem::take(&mut self.rules);
        for (number, (name, total)) in rules.rule_names().zip(totals).enumerate() {
            let before = sum(total.before, counts_of(counts.get(number)));
            self.kept.insert(name.into(), Total { before, ..total });
        }
        self.is_aligned = false;
    }

    /// Gives the rules in force the totals that they had under their names.
    fn align(&mut self, rules: &RuleSet) {
        if self.is_aligned {
            return;
        }
        self.rules =
            rules.rule_names().map(|name| self.kept.remove(name).unwrap_or_default()).collect();
        for (name, total) in std::mem::take(&mut self.kept) {
            let told = FIELDS.iter().zip(total.told.unwrap_or_default());
            let told = told.filter(|(_, told)| *told > 0);
            self.gone.extend(told.map(|(start, _)| format!("{start}{name}")));
        }
        self.next = 0;
        self.is_aligned = true;
    }

    /// Tells everything anew the next time.
    pub(crate) fn forget(&mut self) {
        self.rules.iter_mut().chain(self.kept.values_mut()).for_each(|total| total.told = None);
    }

    /// Lines that matched a rule of a file, by the files in force and those that were.
    pub(crate) fn files(&self, rules: &RuleSet, counts: &[RuleCount]) -> BTreeMap<Box<str>, u64> {
        let mut matched = self.files_before.clone();
        let counts = counts.iter().map(|count| count.matched).chain(std::iter::repeat(0));
        // Rules stand file by file: each file is looked up once.
        let (mut last, mut sum) = ("", 0);
        for (name, count) in rules.rule_names().zip(counts) {
            let file = name.split_once('/').map_or(name, |(file, _)| file);
            if file != last {
                add(&mut matched, last, sum);
                (last, sum) = (file, 0);
            }
            sum += count;
        }
        add(&mut matched, last, sum);
        matched
    }

    /// What has changed of rules since it was told, of so many rules as one event can tell.
    pub(crate) fn changes(&mut self, rules: &RuleSet, counts: &[RuleCount]) -> Vec<Change> {
        self.align(rules);
        let gone = self.gone.len().min(RULES_AT_ONCE);
        let mut changes: Vec<Change> = self.gone.drain(..gone).map(Change::unset).collect();
        let names: Vec<&str> = rules.rule_names().collect();
        let mut told = 0;
        for step in 0..names.len() {
            let number = (self.next + step) % names.len();
            let total = &mut self.rules[number];
            let now = sum(total.before, counts_of(counts.get(number)));
            if total.told == Some(now) {
                continue;
            }
            if told == RULES_AT_ONCE {
                self.next = number;
                break;
            }
            told += 1;
            for (index, start) in FIELDS.iter().enumerate() {
                let (now, told) = (now[index], total.told.map(|told| told[index]));
                let field = format!("{start}{}", names[number]);
                match (now, told) {
                    (now, Some(told)) if now == told => {}
                    (0, _) => changes.push(Change::unset(field)),
                    _ => changes.push(Change::set(field, number_of(now))),
                }
            }
            total.told = Some(now);
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use statetrail_event::{State, Value};
    use statetrail_rules::RuleText;

    use super::*;

    fn rules(names: impl Iterator<Item = usize>) -> RuleSet {
        let mut text = "namespaces: [shop]\nrules:\n".to_owned();
        for number in names {
            text.push_str(&format!(
                "  - {{name: r{number}, match: 'rule {number} <x>', emit: []}}\n"
            ));
        }
        let (rules, faults) = RuleSet::parse(&[RuleText { name: "a.yaml".to_owned(), text }]);
        assert_eq!(faults, []);
        rules
    }

    fn count(matched: u64) -> RuleCount {
        RuleCount { matched, failed: matched / 10, redacted: matched / 100, ..RuleCount::default() }
    }

    /// What is known by what was told.
    #[derive(Default)]
    struct Known {
        state: State,
        events: u64,
    }

    impl Known {
        fn hear(&mut self, changes: &[Change]) {
            self.events += 1;
            let key = statetrail_event::OrderKey {
                time: statetrail_event::Time::from_nanos(0),
                seq: self.events,
                id: statetrail_event::EventId([0; 16]),
            };
            self.state.apply(key, changes);
        }

        fn of(&self, field: &str) -> i64 {
            match self.state.get(field) {
                Some(Value::Int(count)) => *count,
                _ => 0,
            }
        }
    }

    #[test]
    fn counts_outlive_the_rules_that_they_are_of() {
        let (mut totals, mut known) = (RuleTotals::default(), Known::default());
        let two = rules(0..2);
        known.hear(&totals.changes(&two, &[count(200), count(5)]));
        assert_eq!((known.of("matched.a.yaml/r0"), known.of("failed.a.yaml/r0")), (200, 20));
        assert_eq!((known.of("redacted.a.yaml/r0"), known.of("matched.a.yaml/r1")), (2, 5));
        assert_eq!(totals.changes(&two, &[count(200), count(5)]), []);
        totals.will_change(&two, &[count(201), count(5)]);
        let other = rules(1..3);
        known.hear(&totals.changes(&other, &[count(1), count(7)]));
        assert_eq!((known.of("matched.a.yaml/r0"), known.of("failed.a.yaml/r0")), (0, 0));
        assert_eq!((known.of("matched.a.yaml/r1"), known.of("matched.a.yaml/r2")), (6, 7));
        let files = totals.files(&other, &[count(1), count(7)]);
        assert_eq!(files.into_iter().collect::<Vec<_>>(), [("a.yaml".into(), 214)]);
        totals.forget();
        let again = totals.changes(&other, &[count(1), count(7)]);
        assert_eq!(again.iter().filter(|change| change.value.is_some()).count(), 2);
    }

    #[test]
    fn what_an_earlier_life_told_of_a_rule_does_not_stay() {
        let (mut earlier, mut known) = (RuleTotals::default(), Known::default());
        let two = rules(0..2);
        known.hear(&earlier.changes(&two, &[count(200), count(5)]));
        let mut later = RuleTotals::default();
        known.hear(&later.changes(&two, &[count(0), count(3)]));
        assert_eq!((known.of("matched.a.yaml/r0"), known.of("failed.a.yaml/r0")), (0, 0));
        assert_eq!((known.of("redacted.a.yaml/r0"), known.of("matched.a.yaml/r1")), (0, 3));
        assert_eq!(later.changes(&two, &[count(0), count(3)]), []);
    }

    /// As after a trap, which takes the counts of the rules in force with it.
    #[test]
    fn counts_that_begin_anew_go_on_from_what_they_were() {
        let (mut totals, mut known) = (RuleTotals::default(), Known::default());
        let two = rules(0..2);
        known.hear(&totals.changes(&two, &[count(200), count(5)]));
        totals.will_change(&two, &[count(200), count(6)]);
        totals.forget();
        known.hear(&totals.changes(&two, &[]));
        assert_eq!((known.of("matched.a.yaml/r0"), known.of("matched.a.yaml/r1")), (200, 6));
    }

    #[test]
    fn all_of_many_rules_are_told_in_time() {
        let (mut totals, mut known) = (RuleTotals::default(), Known::default());
        let many = rules(0..250);
        for round in 1..=3 {
            // Every rule is at work all the time.
            let counts = vec![count(round); 250];
            let changes = totals.changes(&many, &counts);
            let set = changes.iter().filter(|change| change.value.is_some()).count();
            assert!(set <= RULES_AT_ONCE);
            known.hear(&changes);
        }
        assert!((0..250).all(|number| known.of(&format!("matched.a.yaml/r{number}")) > 0));
    }
}
