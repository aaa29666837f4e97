//! A bad file never takes extraction down.

use statetrail_rules::{RuleSet, Severity};

use crate::help::{event_names, file, one_rule, rule_set};

fn events(rules: &mut RuleSet, text: &str) -> Vec<String> {
    match rules.scope("shop", "app") {
        Some(scope) => event_names(rules, scope, text),
        None => Vec::new(),
    }
}

const HEAD: &str = "namespaces: [shop]";
const BROKEN: &str = "namespaces: [shop]\nrules: [{name: it}]\n";

#[test]
fn the_last_good_version_of_a_file_stays_in_force() {
    let good = one_rule("a.yaml", HEAD, "do", "old");
    let other = one_rule("b.yaml", HEAD, "go", "other");
    let mut rules = rule_set(&[good.clone(), other.clone()]);

    let broken = file("a.yaml", BROKEN);
    for _ in 0..2 {
        let faults = rules.reload(&[broken.clone(), other.clone()]);
        assert_eq!(faults.len(), 2);
        assert!(faults.iter().all(|fault| fault.severity == Severity::Error));
        assert!(faults.iter().all(|fault| fault.file == "a.yaml"));
        assert_eq!(events(&mut rules, "do it"), ["old"]);
        assert_eq!(events(&mut rules, "go it"), ["other"]);
    }
    let new = one_rule("a.yaml", HEAD, "do", "new");
    assert_eq!(rules.reload(&[new, other]), []);
    assert_eq!(events(&mut rules, "do it"), ["new"]);
}

#[test]
fn a_file_that_is_broken_from_the_start_is_left_out() {
    let good = one_rule("b.yaml", HEAD, "do", "good");
    let (mut rules, faults) = RuleSet::parse(&[file("a.yaml", BROKEN), good]);
    assert_eq!(faults.len(), 2);
    assert_eq!(rules.file_names().collect::<Vec<_>>(), ["b.yaml"]);
    assert_eq!(events(&mut rules, "do it"), ["good"]);
    let (rules, _) = RuleSet::parse(&[file("a.yaml", BROKEN)]);
    assert!(rules.is_empty());
}

#[test]
fn a_file_that_is_gone_is_no_longer_in_force() {
    let a = one_rule("a.yaml", HEAD, "do", "a");
    let b = one_rule("b.yaml", HEAD, "do", "b");
    let mut rules = rule_set(&[a, b.clone()]);
    assert_eq!(events(&mut rules, "do it"), ["a"]);
    assert_eq!(rules.reload(&[b]), []);
    assert_eq!(events(&mut rules, "do it"), ["b"]);
    // A version that was dropped does not come back.
    assert_eq!(rules.reload(&[]), []);
    rules.reload(&[file("b.yaml", BROKEN)]);
    assert!(rules.is_empty());
    assert_eq!(events(&mut rules, "do it"), [""; 0]);
}

#[test]
fn files_count_in_the_order_of_their_names_however_they_are_given() {
    let a = one_rule("a.yaml", HEAD, "do", "a");
    let b = one_rule("b.yaml", HEAD, "do", "b");
    let mut rules = rule_set(&[b.clone(), a.clone()]);
    assert_eq!(events(&mut rules, "do it"), ["a"]);
    assert_eq!(rules.rule_names().collect::<Vec<_>>(), ["a.yaml/it", "b.yaml/it"]);
    assert_eq!(rules.revision(), rule_set(&[a, b]).revision());
}

#[test]
fn the_revision_tells_what_is_in_force() {
    let old = one_rule("a.yaml", HEAD, "do", "old");
    let new = one_rule("a.yaml", HEAD, "do", "new");
    let renamed = one_rule("b.yaml", HEAD, "do", "old");
    let mut rules = rule_set(std::slice::from_ref(&old));
    let revision = rules.revision();

    rules.reload(std::slice::from_ref(&old));
    assert_eq!(rules.revision(), revision, "the same files");
    rules.reload(&[file("a.yaml", BROKEN)]);
    assert_eq!(rules.revision(), revision, "the last good version is in force");
    rules.reload(&[new]);
    let changed = rules.revision();
    assert_ne!(changed, revision);
    rules.reload(&[renamed]);
    assert_ne!(rules.revision(), revision);
    assert_ne!(rules.revision(), changed);
    rules.reload(&[old]);
    assert_eq!(rules.revision(), revision, "the first files again");
}

/// The fields that rules ask for are numbered anew with every reload.
#[test]
fn kept_files_find_their_fields_after_a_reload() {
    let fields = |name: &str, field: &str, event: &str| {
        let text = format!(
            "{HEAD}\nrules:\n  - name: it\n    continue: true\n    match: {{json: {{{field}: <x>}}}}\n    \
             emit: [{{entity: x/<x>, event: {event}}}]\n"
        );
        file(name, &text)
    };
    let b = fields("b.yaml", "bbb", "b");
    let mut rules = rule_set(&[fields("a.yaml", "aaa", "a"), b.clone()]);
    let line = r#"{"aaa":1,"bbb":2,"ccc":3}"#;
    assert_eq!(events(&mut rules, line), ["a", "b"]);
    rules.reload(&[fields("a.yaml", "ccc", "c"), file("b.yaml", BROKEN)]);
    assert_eq!(events(&mut rules, line), ["c", "b"]);
    rules.reload(&[b]);
    assert_eq!(events(&mut rules, line), ["b"]);
}

/// Events name their rule by the file's name without its folder, so that it is the same name
/// wherever the rules lie.
#[test]
fn of_files_with_the_same_name_only_the_first_is_in_force() {
    let a = one_rule("b/rules.yaml", HEAD, "do", "a");
    let b = one_rule("c/rules.yaml", HEAD, "go", "b");
    let other = one_rule("d/another.yaml", HEAD, "do", "other");
    let mut rules = rule_set(std::slice::from_ref(&b));
    for _ in 0..2 {
        let faults = rules.reload(&[b.clone(), a.clone(), other.clone()]);
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert_eq!((fault.severity, &*fault.file), (Severity::Error, "c/rules.yaml"));
        assert!(fault.to_string().contains("b/rules.yaml"), "{fault}");
        assert!(fault.to_string().contains("another name"), "{fault}");
        assert_eq!(events(&mut rules, "do it"), ["other"], "folders do not count in the order");
        assert_eq!(events(&mut rules, "go it"), [""; 0], "not even the version before");
        let names: Vec<&str> = rules.rule_names().collect();
        assert_eq!(names, ["another.yaml/it", "rules.yaml/it"]);
    }
    let found = |files: &[_]| {
        let faults = statetrail_rules::check(files);
        faults.iter().filter(|fault| fault.message.contains("already")).count()
    };
    assert_eq!((found(&[a.clone(), b]), found(&[a, other])), (1, 0), "the check tells it too");
}
