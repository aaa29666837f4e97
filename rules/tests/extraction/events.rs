//! What events carry beside what samples show: source, line, ids, and what is counted.

use statetrail_event::{LineIdentity, Source, Time, Value, seq_of};
use statetrail_rules::{ContainerName, Extractor, Line, Origin, Outcome, RuleCount, RuleSet};

use crate::help::{extract, file, line, rule_set};

const SHOP: &str = "
namespaces: [shop]
redact: ['card=<_>']
rules:
  - name: paid
    match: 'order <order> paid <amount> card=<card>'
    continue: true
    emit:
      - {entity: order/<order>, event: paid, set: {amount: '<amount:number>', card: <card>}}
      - {entity: payment/<order>, event: accepted}
  - name: seen
    match: 'order <order>'
    emit:
      - {entity: order/<order>, event: seen}
  - name: dropped
    match: 'health'
    emit: []
";

fn shop() -> RuleSet {
    rule_set(&[file("rules/shop.yaml", SHOP)])
}

fn origin() -> Origin {
    let name = ContainerName { namespace: "shop", pod: "checkout-6f9c", container: "app" };
    Origin::container(name, Some("node-1"), Some("/var/log/a.log"))
}

#[test]
fn an_event_says_where_it_comes_from() {
    let mut rules = shop();
    let scope = rules.scope("shop", "app").unwrap();
    let line = Line {
        bytes: b"order o-1 paid 12.50 card=4111\r\n",
        time: Time::from_nanos(77),
        position: 3,
        offset: Some(4_096),
    };
    let (events, outcome) = extract(&rules, scope, &origin(), &line);
    assert_eq!(outcome, Outcome { matched: 2, events: 3, failed: 0 });
    let redacted = "order o-1 paid 12.50 card=***";
    let names = ["order/o-1 paid", "payment/o-1 accepted", "order/o-1 seen"];
    let identity = LineIdentity::new(
        LineIdentity::source_hash("/shop/checkout-6f9c/app"),
        line.time,
        redacted.as_bytes(),
    );
    for (index, (event, name)) in events.iter().zip(names).enumerate() {
        assert_eq!(format!("{} {}", event.entity.subject(), event.name), name);
        assert_eq!(event.entity.namespace(), "shop");
        assert_eq!(event.time, line.time);
        assert_eq!(event.seq, seq_of(3, index as u8));
        assert_eq!(event.id, identity.event_id(event.seq));
        assert_eq!(event.line.as_deref(), Some(redacted));
        assert_eq!(event.offset, Some(4_096));
        let source = Source {
            uri: "/shop/checkout-6f9c/app".to_owned(),
            node: Some("node-1".to_owned()),
            file: Some("/var/log/a.log".to_owned()),
        };
        assert_eq!(*event.source, source);
    }
    let rules: Vec<_> = events.iter().map(|event| event.rule.as_deref().unwrap()).collect();
    assert_eq!(rules, ["shop.yaml/paid", "shop.yaml/paid", "shop.yaml/seen"]);
    assert_eq!(events[0].changes[1].value, Some(Value::from("***")), "values are redacted, too");
}

/// Invariant I2: the same line gives the same ids, other lines others.
#[test]
fn ids_depend_on_source_time_position_and_content_alone() {
    let mut rules = shop();
    let scope = rules.scope("shop", "app").unwrap();
    let first = line(b"order o-1 here");
    let ids = |origin: &Origin, line: &Line<'_>| -> Vec<_> {
        let (events, _) = extract(&rules, scope, origin, line);
        events.iter().map(|event| event.id).collect()
    };
    let original = ids(&origin(), &first);
    assert_eq!(original.len(), 1);

    let same = [
        (origin(), Line { offset: Some(99), ..first }),
        (origin(), line(b"order o-1 here\n")),
        (
            Origin::container(
                ContainerName { namespace: "shop", pod: "checkout-6f9c", container: "app" },
                None,
                Some("/var/log/rotated.log"),
            ),
            first,
        ),
    ];
    for (origin, line) in same {
        assert_eq!(ids(&origin, &line), original, "{line:?}");
    }
    let name = ContainerName { namespace: "shop", pod: "checkout-6f9c", container: "app2" };
    let others = [
        (origin(), Line { position: 1, ..first }),
        (origin(), Line { time: Time::from_nanos(1_001), ..first }),
        (origin(), line(b"order o-1 here ")),
        (Origin::container(name, None, None), first),
        (Origin::plain(Some("shop"), None, None), first),
    ];
    for (origin, line) in others {
        assert_ne!(ids(&origin, &line), original, "{line:?}");
    }
}

/// Two lines that differ only in what is redacted cannot be told apart: ids must not give away
/// what may not leave the node.
#[test]
fn ids_are_made_of_the_redacted_line() {
    let mut rules = shop();
    let scope = rules.scope("shop", "app").unwrap();
    let id = |text: &[u8]| extract(&rules, scope, &origin(), &line(text)).0[0].id;
    assert_eq!(id(b"order o-1 paid 1 card=4111"), id(b"order o-1 paid 1 card=4222"));
    assert_ne!(id(b"order o-1 paid 1 card=4111"), id(b"order o-1 paid 2 card=4111"));
}

/// An event that cannot be made is counted and keeps its number, so that the ids of the others
/// do not depend on it. Nothing vanishes (invariant I7).
#[test]
fn what_cannot_be_made_is_counted() {
    let mut rules = shop();
    let scope = rules.scope("shop", "app").unwrap();
    let mut extractor = Extractor::new();
    let mut events = Vec::new();
    let mut run = |text: &str| {
        events.clear();
        let line = line(text.as_bytes());
        let outcome = extractor.events(&rules, scope, &origin(), &line, &mut events);
        let mut json = Vec::new();
        let same = Extractor::new().write_json(&rules, scope, &origin(), &line, &mut json);
        assert_eq!(outcome, same);
        (outcome, events.iter().map(|event| event.seq).collect::<Vec<_>>())
    };
    let failed = Outcome { matched: 2, events: 2, failed: 1 };
    assert_eq!(run("order o-1 paid much card=1"), (failed, vec![1, 2]));
    let all = Outcome { matched: 2, events: 3, failed: 0 };
    assert_eq!(run("order o-1 paid 5 card=1"), (all, vec![0, 1, 2]));
    // A control character cannot stand in a name.
    let one = Outcome { matched: 1, events: 0, failed: 1 };
    assert_eq!(run("order o\u{85}1"), (one, vec![]));
    let long = format!("order {}", "o".repeat(1_025));
    assert_eq!(run(&long), (one, vec![]));
    let dropped = Outcome { matched: 1, events: 0, failed: 0 };
    assert_eq!(run("health"), (dropped, vec![]));
    assert_eq!(run("nothing of this"), (Outcome::default(), vec![]));

    let counts = extractor.counts();
    let paid = RuleCount { matched: 2, events: 3, failed: 1, redacted: 2 };
    let seen = RuleCount { matched: 4, events: 2, failed: 2, redacted: 2 };
    let health = RuleCount { matched: 1, events: 0, failed: 0, redacted: 0 };
    assert_eq!(counts, [paid, seen, health]);
    extractor.reset_counts();
    assert!(extractor.counts().is_empty());
}

/// What the reader of CloudEvents would refuse is not written.
#[test]
fn a_name_that_no_reader_would_take_makes_no_event() {
    let text = "namespaces: [shop]\nrules:\n  - name: it\n    match: 'did <what:any> now'\n    \
                emit: [{entity: x/it, event: <what>}]\n";
    let mut rules = rule_set(&[file("a.yaml", text)]);
    let scope = rules.scope("shop", "app").unwrap();
    let made = |what: &[u8]| {
        let bytes = [b"did ", what, b" now"].concat();
        let mut json = Vec::new();
        let outcome =
            Extractor::new().write_json(&rules, scope, &origin(), &line(&bytes), &mut json);
        if outcome.events == 1 {
            statetrail_event::cloudevents::read(&json).unwrap();
        }
        outcome.events
    };
    assert_eq!(made(b"it all"), 1);
    assert_eq!(made(b""), 0);
    assert_eq!(made("x".repeat(256).as_bytes()), 1);
    assert_eq!(made("x".repeat(257).as_bytes()), 0);
    assert_eq!(made("a\u{85}b".as_bytes()), 0);
    assert_eq!(made(b"a\x00b"), 0);
    assert_eq!(made(&[0xff; 85]), 1);
    // Each byte that is not UTF-8 becomes a character of three bytes.
    assert_eq!(made(&[0xff; 86]), 0);
}

#[test]
fn a_line_makes_at_most_255_events() {
    let emit = "      - {entity: x/<x>, event: again}\n".repeat(300);
    let text =
        format!("namespaces: [shop]\nrules:\n  - name: it\n    match: 'do <x>'\n    emit:\n{emit}");
    let mut rules = rule_set(&[file("a.yaml", &text)]);
    let scope = rules.scope("shop", "app").unwrap();
    let (events, outcome) = extract(&rules, scope, &origin(), &line(b"do it"));
    assert_eq!(outcome, Outcome { matched: 1, events: 255, failed: 45 });
    let mut ids: Vec<_> = events.iter().map(|event| event.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 255);
}

#[test]
fn matches_tell_what_rules_captured_without_making_events() {
    let mut rules = shop();
    let scope = rules.scope("shop", "app").unwrap();
    let mut found = Vec::new();
    let count = Extractor::new().matches(
        &rules,
        scope,
        b"order o-1 paid 12.50 card=4111\n",
        &mut |matched| {
            let captures: Vec<String> = matched
                .captures()
                .map(|(name, value)| format!("{name}={}", value.unwrap().to_value()))
                .collect();
            found.push(format!("{} {}", matched.rule_name(), captures.join(" ")));
        },
    );
    assert_eq!(count, 2);
    assert_eq!(
        found,
        ["shop.yaml/paid order=o-1 amount=12.50 card=***", "shop.yaml/seen order=o-1"]
    );
}
