//! The prefilter may give too many rules, but never leaves one out that matches.

use proptest::collection::vec;
use proptest::prelude::*;

use statetrail_event::ValueRef;

use crate::file::Rule;
use crate::prefilter::{Candidates, Prefilter};
use crate::{Extractor, RuleSet, RuleText};

fn candidates(prefilter: &Prefilter, line: &[u8]) -> Vec<u32> {
    with_places(prefilter, line).into_iter().map(|(rule, _)| rule).collect()
}

/// The candidates, each with the place of its literal.
fn with_places(prefilter: &Prefilter, line: &[u8]) -> Vec<(u32, u32)> {
    let mut candidates = Candidates::default();
    prefilter.find(line, &mut candidates);
    let pop = || candidates.pop();
    std::iter::from_fn(pop).map(|(rule, literal)| (rule, literal.place)).collect()
}

fn text() -> impl Strategy<Value = String> {
    vec(proptest::sample::select(vec!['a', 'b', 'c', ' ', '=', '.']), 1..30)
        .prop_map(|characters| characters.into_iter().collect())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A rule set with a rule for each match, none hiding another.
fn rule_set(matches: &[String]) -> RuleSet {
    let mut text = "namespaces: [shop]\nredact: ['pw=<_>']\nrules:\n".to_owned();
    for (number, matches) in matches.iter().enumerate() {
        text += &format!(
            "  - {{name: r{number}, continue: true, match: {matches}, emit: [{{entity: a/b, event: r{number}}}]}}\n"
        );
    }
    let (rules, faults) = RuleSet::parse(&[RuleText { name: "a.yaml".to_owned(), text }]);
    assert!(faults.is_empty(), "{}", faults[0]);
    rules
}

fn rules_of(rules: &RuleSet) -> Vec<&Rule> {
    rules.files[0].rules.iter().collect()
}

/// The same rules without their literals: each is tried on every line.
fn without_prefilter(matches: &[String]) -> RuleSet {
    let mut rules = rule_set(matches);
    for rule in &mut rules.files[0].rules {
        rule.literals.clear();
    }
    rules
}

/// The rules that match, each with what it captures.
fn matching(rules: &mut RuleSet, line: &[u8]) -> Vec<(u32, String)> {
    let scope = rules.scope("shop", "app").unwrap();
    let mut found = Vec::new();
    Extractor::new().matches(rules, scope, line, &mut |matched| {
        let number = matched.rule_name().strip_prefix("a.yaml/r").unwrap();
        let captures: Vec<_> = matched.captures().collect();
        found.push((number.parse().unwrap(), format!("{captures:?}")));
    });
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// For texts without captures the candidates are known: the rules whose text the line holds,
    /// as a search for each alone tells.
    #[test]
    fn candidates_are_the_rules_whose_text_the_line_holds(
        texts in vec(text(), 1..40), lines in vec(text(), 1..8),
    ) {
        let matches: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
        let rules = rule_set(&matches);
        let prefilter = Prefilter::new(&rules_of(&rules));
        // Lines of their own, and lines made of the texts.
        let lines = lines.iter().cloned().chain(texts.windows(2).map(|pair| pair.concat()));
        for line in lines {
            let place = |text: &String| line.find(text).map(|place| place as u32);
            let expected: Vec<(u32, u32)> =
                (0..).zip(&texts).filter_map(|(rule, text)| Some((rule, place(text)?))).collect();
            prop_assert_eq!(with_places(&prefilter, line.as_bytes()), expected, "{}", line);
        }
    }

    /// Most of a long line is passed over a few jumps at a time.
    #[test]
    fn a_literal_is_found_wherever_it_stands_in_a_long_line(
        texts in vec("[a-d]{4}[a-z ]{0,40}", 1..4),
        parts in vec((0..4_usize, "[a-z]{0,9}", 0..130_usize), 1..4), rest in 0..130_usize,
    ) {
        let matches: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
        let rules = rule_set(&matches);
        let prefilter = Prefilter::new(&rules_of(&rules));
        let mut line = String::new();
        for (number, before, length) in parts {
            line += &before;
            line += &"-".repeat(length);
            line += texts.get(number).map_or("", |text| text);
        }
        line += &"-".repeat(rest);
        let place = |text: &String| line.find(text).map(|place| place as u32);
        let expected: Vec<(u32, u32)> =
            (0..).zip(&texts).filter_map(|(rule, text)| Some((rule, place(text)?))).collect();
        prop_assert_eq!(with_places(&prefilter, line.as_bytes()), expected, "{}", line);
    }
}

/// Matches of every form, whose literals can hide behind escapes, numbers of elements and stars.
fn any_match() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("<x>".to_owned()),
        Just("'order <x:any> paid'".to_owned()),
        Just("paid".to_owned()),
        Just("'é<x:any>paid'".to_owned()),
        Just("'a/b<x:any>'".to_owned()),
    ];
    let path = proptest::sample::select(vec!["k", "key", "a.0", "a.1", "a.key", "a.b"]);
    prop_oneof![
        ("[ab=]{1,4}", "[ab=]{1,4}").prop_map(|(a, b)| format!("'{a}<x>{b}'")),
        ("[ab= ]{0,3}", "[ab= ]{1,3}", "(\\*{3})?[ab= ]{0,3}(\\*{3})?[ab= ]{1,6}")
            .prop_map(|(a, b, c)| format!("'{a}<x>{b}<y>{c}'")),
        (path.clone(), value.clone())
            .prop_map(|(path, value)| format!("{{json: {{{path}: {value}}}}}")),
        (path, value).prop_map(|(path, value)| format!("{{logfmt: {{{path}: {value}}}}}")),
        proptest::sample::select(vec![
            "{regex: 'order|paid'}",
            "{regex: '(?:order )?paid'}",
            "{regex: '(?i)order'}",
            "{regex: 'or(?:der){2,3}'}",
            "{regex: '[op]rder'}",
            "{regex: '^a+b*k'}",
            "{regex: 'k(?P<x>e|y)y'}",
            "{regex: '(?x) o r d e r'}",
            "{regex: 'pa(?:id)?'}",
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_line() -> impl Strategy<Value = String> {
    let value = proptest::sample::select(vec![
        "order a paid",
        "paid",
        "p\\u0061id",
        "\\u006frder x paid",
        "éx paid",
        "\\u00e9 paid",
        "a\\/b",
        "a/b",
        "ord\\er  p\\aid",
        "\\\\paid",
        "1",
    ]);
    let json = (value.clone(), any::<bool>(), 0..5_u8).prop_map(|(value, space, form)| {
        let space = if space { " " } else { "" };
        match form {
            0 => format!("{space}{{\"k\":\"{value}\",\"key\":\"{value}\"}}"),
            1 => format!("{space}{{\"a\":[\"{value}\",\"paid\"]}}"),
            2 => format!("{space}{{\"a\":{{\"0\":1,\"b\":\"{value}\",\"key\":2}}}}"),
            3 => format!("{space}{{\"k\\u0065y\":\"{value}\",\"\\u006b\":0}}"),
            _ => format!("{space}{{\"\\u0061\":[0,\"{value}\"],\"a.key\":true}}"),
        }
    });
    let logfmt =
        value.prop_map(|value| format!("k=paid a.0=\"{value}\" key=\"{value}\" a.b={value}"));
    let text = "[ab= ]{0,12}(pw=[ab]{1,9})?[abk=ey ]{0,12}(order|paid|orderder)?[abk=ey ]{0,12}";
    prop_oneof![json, logfmt, text]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_rule_that_matches_is_left_out(
        matches in vec(any_match(), 1..12), lines in vec(any_line(), 1..6),
    ) {
        let (mut rules, mut all) = (rule_set(&matches), without_prefilter(&matches));
        for line in lines {
            let line = line.as_bytes();
            prop_assert_eq!(
                matching(&mut rules, line), matching(&mut all, line),
                "{} {:?}", String::from_utf8_lossy(line), matches
            );
        }
    }
}

/// Whether a line with quotes is ruled out by its form within JSON, as a filter finds it there.
fn is_ruled_out(rules: &mut RuleSet, line: &str) -> bool {
    let scope = rules.scope("shop", "app").unwrap();
    let json = serde_json::to_string(line).unwrap();
    let inside = &json[1..json.len() - 1];
    let simple = !inside.contains("\\\\") && !inside.contains("\\u");
    simple && Extractor::new().rules_out(rules, scope, inside.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_rule_that_matches_is_ruled_out(
        matches in vec(any_match(), 1..12), lines in vec(any_line(), 1..6),
    ) {
        let mut rules = rule_set(&matches);
        for line in lines {
            let found = matching(&mut rules, line.as_bytes());
            prop_assert!(found.is_empty() || !is_ruled_out(&mut rules, &line), "{} {:?}", line, found);
        }
    }
}

#[test]
fn lines_of_json_are_ruled_out_before_they_are_read() {
    let paid = "{json: {msg: 'order paid', order: <order>}}".to_owned();
    let mut rules = rule_set(&[paid, quoted("order <id> lost")]);
    let line = |msg: &str| format!(r#"{{"msg":"{msg}","order":"o-1"}}"#);
    assert!(is_ruled_out(&mut rules, &line("basket emptied")));
    assert!(!is_ruled_out(&mut rules, &line("order paid")));
    assert!(!is_ruled_out(&mut rules, &line("p\\u0061id")), "an escape may hide anything");
    // A literal with a quote stands there in another form.
    let mut rules = rule_set(&[quoted("said \"yes\" to <id>")]);
    assert!(!is_ruled_out(&mut rules, "he said \"yes\" to o-1"));
    assert!(!is_ruled_out(&mut rules, "nothing"), "which is not looked for");
}

/// A literal's place is one in the line as it came; stars move what stands behind them, and the
/// part of a literal that is looked for may stand behind stars, too.
#[test]
fn stars_before_a_literal_hide_no_match() {
    let mut rules = rule_set(&[quoted("order <id> paid"), quoted("key=*** for order <id>")]);
    let captured = |id: &str| format!("{:?}", [("id", Some(ValueRef::Text(id.as_bytes())))]);
    assert_eq!(
        matching(&mut rules, b"pw=a-secret-longer-than-stars order o-1 paid"),
        [(0, captured("o-1"))]
    );
    assert_eq!(matching(&mut rules, b"key=*** for order o-2"), [(1, captured("o-2"))]);
}

/// More rules than one word of candidates, and more of the same literal than one.
#[test]
fn many_rules_are_told_apart() {
    let matches: Vec<String> =
        (0..1_000).map(|number| quoted(&format!("service {} said <x>", number / 2))).collect();
    let rules = rule_set(&matches);
    let prefilter = Prefilter::new(&rules_of(&rules));
    for number in 0..500_u32 {
        let line = format!("today service {number} said it");
        assert_eq!(candidates(&prefilter, line.as_bytes()), [number * 2, number * 2 + 1]);
    }
    assert_eq!(candidates(&prefilter, b"today service 500 said it"), [0; 0]);
    assert_eq!(candidates(&prefilter, b""), [0; 0]);
}
