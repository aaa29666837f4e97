//! Rule files.

use statetrail_event::Time;
use statetrail_rules::{Extractor, Line, Origin, RuleSet, RuleText, Severity, check};

/// A rule file is read or refused with messages that point into it; if it is read, its own
/// lines can be run through it.
pub fn rule_files(text: &[u8]) {
    let text = String::from_utf8_lossy(text).into_owned();
    let file = RuleText { name: "fuzz.yaml".to_owned(), text };
    let (mut rules, faults) = RuleSet::parse(std::slice::from_ref(&file));
    let refused = faults.iter().any(|fault| fault.severity == Severity::Error);
    assert_eq!(refused, rules.is_empty(), "refused without a reason, or used in spite of one");

    // A carriage return alone ends a line in YAML.
    let lines = file.text.replace("\r\n", "\n").split(['\n', '\r']).count();
    for fault in faults.iter().chain(&check(std::slice::from_ref(&file))) {
        assert!((1..=lines).contains(&fault.line), "line {} of {lines}", fault.line);
        assert!(fault.column >= 1 && fault.width >= 1);
        let shown = fault.to_string();
        let control = |c: char| c.is_control() && c != '\n' && !fault.text.contains(c);
        assert!(!shown.contains(control), "{shown:?}");
    }
    run_own_lines(&mut rules, &file.text);
    assert_eq!(rules.reload(std::slice::from_ref(&file)), faults, "read again, other messages");
}

fn run_own_lines(rules: &mut RuleSet, text: &str) {
    let Some(scope) = rules.scope_of_all() else { return };
    let origin = Origin::plain(None, None, None);
    let mut extractor = Extractor::new();
    for line in text.lines().take(20) {
        let line =
            Line { bytes: line.as_bytes(), time: Time::from_nanos(0), position: 0, offset: None };
        let mut events = Vec::new();
        let outcome = extractor.events(rules, scope, &origin, &line, &mut events);
        assert_eq!(outcome.events as usize, events.len());
    }
}
