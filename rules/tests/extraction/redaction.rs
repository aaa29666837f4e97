//! What is to be starred out never leaves, wherever it stands and wherever the line is cut off.

use proptest::collection::vec;
use proptest::prelude::*;
use statetrail_event::Time;
use statetrail_rules::{Extractor, Line, Origin, RuleSet, RuleText, ScopeId};

use crate::help::{file, line, rule_set};

const RULES: &str = r#"
namespaces: [shop]
redact:
  - 'card=<_:int>'
  - 'said <_:quoted>'
  - json: secret
  - json: user.secret
  - logfmt: secret
rules:
  - name: json
    continue: true
    match: {json: {user: <user>}}
    emit: [{entity: line/json, event: seen, set: {user: <user>}}]
  - name: logfmt
    continue: true
    match: {logfmt: {kept: <kept>}}
    emit: [{entity: line/logfmt, event: seen, set: {kept: <kept>}}]
  - name: any
    match: '^<all:rest>'
    emit: [{entity: line/any, event: seen, set: {all: <all>}}]
"#;

/// Stands in what must not leave, and nowhere else.
const SECRET: &str = "424242";

fn rules() -> (RuleSet, ScopeId) {
    let mut rules = rule_set(&[file("a.yaml", RULES)]);
    let scope = rules.scope("shop", "app").unwrap();
    (rules, scope)
}

fn written(line_text: &str) -> String {
    let (rules, scope) = rules();
    let origin = Origin::plain(Some("shop"), None, None);
    let mut json = Vec::new();
    Extractor::new().write_json(&rules, scope, &origin, &line(line_text.as_bytes()), &mut json);
    String::from_utf8(json).unwrap()
}

fn json_secret() -> impl Strategy<Value = String> {
    proptest::sample::select(vec![
        "424242",
        "-424242.5e3",
        "\"424242\"",
        "\"a \\\" 424242 \\\\\"",
        "{\"a\":[\"424242\"]}",
        "[1, 424242, {\"secret\": 424242}]",
    ])
    .prop_map(str::to_owned)
}

fn json_line() -> impl Strategy<Value = String> {
    let secret_key = proptest::sample::select(vec!["secret", "s\\u0065cret"]);
    let member = prop_oneof![
        Just("\"kept\":\"x y\"".to_owned()),
        Just("\"deep\":[{\"a\":{}}]".to_owned()),
        (secret_key.clone(), json_secret()).prop_map(|(key, value)| format!("\"{key}\" : {value}")),
        (secret_key.clone(), json_secret())
            .prop_map(|(key, value)| format!("\"user\":{{\"id\":1,\"{key}\":{value}}}")),
        json_secret().prop_map(|value| format!("\"user.secret\":{value}")),
    ];
    vec(member, 1..6).prop_map(|members| format!(" {{{}}}", members.join(", ")))
}

fn text_line() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(vec![
        "word",
        "kept=x",
        "card=424242",
        "said \"it is 424242 and \\\" so on\"",
        "said '424242'",
        "secret=424242",
        "secret=\"424242\"",
        "secret=\"a \\\" 424242\"",
    ]);
    vec(word, 1..6).prop_map(|words| words.join(" "))
}

/// Whether the text stands in what events say; their ids may hold any digits.
fn tells(written: &str, text: &str) -> bool {
    written.split("\"data\":").skip(1).any(|data| {
        let data = data.split("\"specversion\"").next().unwrap_or_default();
        data.contains(text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn nothing_secret_leaves(line in prop_oneof![json_line(), text_line()]) {
        let written = written(&line);
        prop_assert!(written.contains("line/any"), "{} gives {}", line, written);
        prop_assert!(!tells(&written, SECRET), "{} gives {}", line, written);
    }

    /// A line that a runtime or a full buffer cut off is no JSON any more, and a quotation in it
    /// may have no end.
    #[test]
    fn nothing_secret_leaves_of_a_line_that_is_cut_off(
        line in prop_oneof![json_line(), text_line()], at in any::<proptest::sample::Index>(),
    ) {
        let line = &line[..at.index(line.len())];
        // A pattern needs its closing quote: for that there are fields.
        prop_assume!(!line.contains("said"));
        let written = written(line);
        prop_assert!(!tells(&written, "4242"), "{} gives {}", line, written);
    }
}

/// Rules on fields see a text without its escapes; the secret may not get past the pattern by
/// them.
#[test]
fn escapes_hide_no_secret() {
    let file = r#"
namespaces: [shop]
redact: ['password="<_>"']
rules:
  - name: json
    match: {json: {msg: 'login <user> password="<p>"'}}
    emit: [{entity: user/<user>, event: login, set: {p: <p>}}]
  - name: json-whole
    match: {json: {msg: <msg>}}
    emit: [{entity: line/any, event: seen, set: {msg: <msg>}}]
  - name: logfmt
    match: {logfmt: {text: <text>}}
    emit: [{entity: line/any, event: seen, set: {text: <text>}}]
"#;
    let lines = [
        r#"{"msg":"login u4 password=\"LEAKED\""}"#,
        r#"{"msg":"login u4 \u0070assword=\u0022LEAKED\u0022"}"#,
        r#"level=info text="login a password=\"LEAKED\"""#,
    ];
    let texts = [RuleText { name: "shop.yaml".to_owned(), text: file.to_owned() }];
    let (mut rules, faults) = RuleSet::parse(&texts);
    assert_eq!(faults, []);
    let scope = rules.scope("shop", "").unwrap();
    let origin = Origin::plain(Some("shop"), None, None);
    for text in lines {
        let mut out = Vec::new();
        let line =
            Line { bytes: text.as_bytes(), time: Time::from_nanos(1), position: 0, offset: None };
        let outcome = Extractor::new().write_json(&rules, scope, &origin, &line, &mut out);
        let written = String::from_utf8(out).unwrap();
        assert_eq!(outcome.matched, 1, "{text}");
        assert!(!written.contains("LEAKED"), "{text} gives {written}");
    }
}

#[test]
fn what_is_not_secret_stays_as_it_is() {
    let cases = [
        (
            r#"{"a":1,"secret":{"x":"424242"},"user":{"secret":"424242","id":5},"b":"c"}"#,
            r#"{"a":1,"secret":"***","user":{"secret":"***","id":5},"b":"c"}"#,
        ),
        (r#"{"a":1,"secret":"424"#, r#"{"a":1,"secret":"***""#),
        (r#"{"a":1,"user":{"secret":[1,{"x":"424"#, r#"{"a":1,"user":{"secret":"***""#),
        (r#"{"secret":"#, r#"{"secret":"#),
        (r#"a=1 secret="4 2 4 b=2"#, r#"a=1 secret=***"#),
        (r#"a=1 secret=4 b=2"#, r#"a=1 secret=*** b=2"#),
        (r#"a=1 secret="\"4" b=2"#, r#"a=1 secret="***" b=2"#),
    ];
    for (line, redacted) in cases {
        let events: serde_json::Value = serde_json::from_str(&written(line)).unwrap();
        let event = events.as_array().and_then(|events| events.last()).unwrap_or(&events);
        assert_eq!(event["data"]["line"].as_str(), Some(redacted), "{line}");
    }
}
