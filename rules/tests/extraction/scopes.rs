//! Which files apply to a container, and in which order.

use statetrail_rules::{ContainerName, Origin, RuleSet};

use crate::help::{event_names, extract, line, one_rule, rule_set};

/// What the rules of a container make of a line that every rule matches, each going on.
fn applied(rules: &mut RuleSet, namespace: &str, container: &str) -> Vec<String> {
    match rules.scope(namespace, container) {
        Some(scope) => event_names(rules, scope, "do it"),
        None => vec!["no scope".to_owned()],
    }
}

fn going_on(name: &str, head: &str) -> statetrail_rules::RuleText {
    let event = name.trim_end_matches(".yaml");
    let mut file = one_rule(name, head, "do", event);
    file.text = file.text.replace("name: it,", "name: it, continue: true,");
    file
}

#[test]
fn a_file_applies_to_its_namespaces_and_containers() {
    let mut rules = rule_set(&[
        going_on("a.yaml", "namespaces: [shop]"),
        going_on("b.yaml", "namespaces: [shop, bank]\ncontainers: ['app*']"),
        going_on("c.yaml", "namespaces: ['shop-?']\ncontainers: [app]"),
        going_on("d.yaml", "namespaces: [bank]\ncontainers: [db]"),
    ]);
    let cases: [(&str, &str, &[&str]); 10] = [
        ("shop", "app", &["a", "b"]),
        ("shop", "app-2", &["a", "b"]),
        ("shop", "db", &["a"]),
        ("shop", "", &["a"]),
        ("bank", "app", &["b"]),
        ("bank", "db", &["d"]),
        ("bank", "web", &["no scope"]),
        ("shop-1", "app", &["c"]),
        ("shop-12", "app", &["no scope"]),
        ("Shop", "app", &["no scope"]),
    ];
    for (namespace, container, events) in cases {
        assert_eq!(applied(&mut rules, namespace, container), events, "{namespace} {container}");
    }
}

#[test]
fn exact_namespaces_come_before_globs_and_names_decide_the_rest() {
    let mut rules = rule_set(&[
        going_on("d.yaml", "namespaces: [shop]"),
        going_on("c.yaml", "namespaces: ['*', shop]"),
        going_on("b.yaml", "namespaces: ['s*']"),
        going_on("a.yaml", "namespaces: ['*']"),
    ]);
    assert_eq!(applied(&mut rules, "shop", "app"), ["c", "d", "a", "b"]);
    assert_eq!(applied(&mut rules, "sea", "app"), ["a", "b", "c"]);
    assert_eq!(applied(&mut rules, "bank", "app"), ["a", "c"]);
}

#[test]
fn the_first_rule_that_matches_wins_across_files() {
    let mut rules = rule_set(&[
        one_rule("a.yaml", "namespaces: ['*']", "do", "glob"),
        one_rule("b.yaml", "namespaces: [shop]", "do", "exact"),
        one_rule("c.yaml", "namespaces: [shop]", "do it", "late"),
    ]);
    let scope = rules.scope("shop", "app").unwrap();
    assert_eq!(event_names(&rules, scope, "do it now"), ["exact"]);
    assert_eq!(event_names(&rules, scope, "undo nothing"), ["exact"]);
    assert_eq!(event_names(&rules, scope, "rest"), [""; 0]);
}

/// A plain file says nothing of its namespace: every file that names one exactly applies, and
/// its events take that namespace.
#[test]
fn plain_files_without_a_namespace_take_that_of_the_rule_file() {
    let mut rules = rule_set(&[
        one_rule("a.yaml", "namespaces: ['*']", "do", "glob"),
        one_rule("b.yaml", "namespaces: ['x*', shop, bank]", "do", "shop"),
        one_rule("c.yaml", "namespaces: [bank]\ncontainers: [db]", "pay", "bank"),
    ]);
    let scope = rules.scope_of_all().unwrap();
    let origin = Origin::plain(None, None, Some("app.log"));
    let entity_and_source = |text: &str| {
        let (events, _) = extract(&rules, scope, &origin, &line(text.as_bytes()));
        let event = events.into_iter().next().unwrap();
        assert_eq!(event.source.file.as_deref(), Some("app.log"));
        (event.entity.to_string(), event.source.uri.clone())
    };
    assert_eq!(entity_and_source("do it"), ("shop/x/it".to_owned(), "/shop".to_owned()));
    assert_eq!(entity_and_source("pay it"), ("bank/x/it".to_owned(), "/bank".to_owned()));
    // The ids are those of the same line with the namespace given.
    let given = Origin::plain(Some("shop"), None, Some("other.log"));
    let (events, _) = extract(&rules, scope, &given, &line(b"do it"));
    let (again, _) = extract(&rules, scope, &origin, &line(b"do it"));
    assert_eq!(events[0].id, again[0].id);
}

#[test]
fn without_an_exact_namespace_nothing_applies_to_plain_files() {
    let mut rules = rule_set(&[one_rule("a.yaml", "namespaces: ['*']", "do", "glob")]);
    assert_eq!(rules.scope_of_all(), None);
    assert!(rules.scope("any", "thing").is_some());
    let (mut none, _) = RuleSet::parse(&[]);
    assert_eq!((none.scope_of_all(), none.scope("shop", "app")), (None, None));
}

/// A plain file is of no container, wherever it is known which namespace it is of.
#[test]
fn for_plain_files_of_a_namespace_containers_do_not_count() {
    let mut rules = rule_set(&[
        going_on("a.yaml", "namespaces: ['sh*']\ncontainers: [db]"),
        going_on("b.yaml", "namespaces: [shop]\ncontainers: [app]"),
        going_on("c.yaml", "namespaces: [bank]"),
    ]);
    let scope = rules.scope_of_plain("shop").unwrap();
    assert_eq!(event_names(&rules, scope, "do it"), ["b", "a"]);
    assert_eq!(rules.scope_of_plain("nowhere"), None);
    let plain = Origin::plain(Some("shop"), None, None);
    assert_eq!(rules.scope_of_origin(&plain), Some(scope));
    let name = ContainerName { namespace: "shop", pod: "p", container: "app" };
    let of_container = rules.scope_of_origin(&Origin::container(name, None, None)).unwrap();
    assert_eq!(event_names(&rules, of_container, "do it"), ["b"]);
    let unknown = rules.scope_of_origin(&Origin::plain(None, None, None));
    assert_eq!(unknown, rules.scope_of_all());
}

/// Asking again gives the same scope, so that a source can keep it.
#[test]
fn containers_with_the_same_files_share_a_scope() {
    let mut rules = rule_set(&[
        one_rule("a.yaml", "namespaces: ['shop-*']", "do", "a"),
        one_rule("b.yaml", "namespaces: [shop-2]", "do", "b"),
    ]);
    let first = rules.scope("shop-1", "app").unwrap();
    assert_eq!(rules.scope("shop-3", "db"), Some(first));
    assert_ne!(rules.scope("shop-2", "app"), Some(first));
}
