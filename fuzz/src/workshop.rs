//! The rule workshop: what it suggests can be used, and the usual form changes no meaning.

use statetrail_rules::{RuleSet, RuleText, Severity, check};
use statetrail_workshop::{format, forms, suggest};

/// Lines of which rules are suggested.
const LINES_MAX: usize = 200;

/// The input is a log: what is suggested for it has no faults.
pub fn suggested_rules(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.lines().take(LINES_MAX).collect();
    let named = forms(&lines).iter().map(|form| form.lines.len()).sum::<usize>();
    assert!(named <= lines.len(), "a line has two forms");
    let texts: Vec<RuleText> = suggest(&lines, "shop", 3)
        .into_iter()
        .map(|suggestion| RuleText { name: suggestion.file, text: suggestion.text })
        .collect();
    for fault in check(&texts) {
        assert!(fault.severity == Severity::Warning, "{fault}");
    }
}

/// The input is a rule file: in the usual form it stays as it is, and has as many faults and rules as
/// before.
pub fn formatted_rules(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(once) = format(text) else { return };
    assert_eq!(format(&once).as_ref(), Ok(&once), "formatting again changes it");
    let read = |text: &str| {
        let text = RuleText { name: "a.yaml".to_owned(), text: text.to_owned() };
        let faults = check(std::slice::from_ref(&text)).len();
        let (rules, _) = RuleSet::parse(&[text]);
        let names: Vec<String> = rules.rule_names().map(str::to_owned).collect();
        (faults, names)
    };
    assert_eq!(read(text), read(&once), "{once}");
}
