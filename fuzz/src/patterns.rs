//! Patterns over lines.

use statetrail_event::cloudevents::{read, write_batch};
use statetrail_event::{Time, Value};
use statetrail_rules::{Extractor, Line, Origin, RuleSet, RuleText, ScopeId};

/// The first line is a pattern, the others are lines of a log. The pattern is tried as a text,
/// as the value of a field, as a regular expression, and as what is to be starred out.
pub fn patterns(input: &[u8]) {
    let (pattern, log) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[][..]),
    };
    let Some(pattern) = in_yaml(pattern) else { return };
    let matches = [
        pattern.clone(),
        format!("{{json: {{msg: {pattern}, a.0: <whole>}}}}"),
        format!("{{logfmt: {{msg: {pattern}}}}}"),
        format!("{{regex: {pattern}}}"),
    ];
    for matches in matches {
        let rule = format!("{{name: it, match: {matches}, emit: [{{entity: a/b, event: c}}]}}");
        try_rules(&format!("namespaces: [shop]\nrules: [{rule}]\n"), log);
    }
    let rest = "{name: it, match: '^<all:rest>', emit: [{entity: a/b, event: c}]}";
    try_rules(&format!("namespaces: [shop]\nredact: [{pattern}]\nrules: [{rest}]\n"), log);
}

/// The pattern between single quotes, in which YAML takes everything but control characters.
fn in_yaml(pattern: &[u8]) -> Option<String> {
    let pattern = std::str::from_utf8(pattern).ok()?;
    let plain = pattern.chars().all(|c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}'));
    plain.then(|| format!("'{}'", pattern.replace('\'', "''")))
}

fn try_rules(text: &str, log: &[u8]) {
    let file = RuleText { name: "fuzz.yaml".to_owned(), text: text.to_owned() };
    let (mut rules, _) = RuleSet::parse(&[file]);
    let Some(scope) = rules.scope("shop", "") else { return };
    let mut extractor = Extractor::new();
    for bytes in log.split(|byte| *byte == b'\n') {
        try_line(&rules, scope, bytes, &mut extractor);
    }
}

fn try_line(rules: &RuleSet, scope: ScopeId, bytes: &[u8], extractor: &mut Extractor) {
    let origin = Origin::plain(Some("shop"), None, None);
    let line = Line { bytes, time: Time::from_nanos(7), position: 0, offset: None };
    let mut events = Vec::new();
    let outcome = extractor.events(rules, scope, &origin, &line, &mut events);
    assert_eq!(outcome.events as usize, events.len());

    let mut written = Vec::new();
    assert_eq!(extractor.write_json(rules, scope, &origin, &line, &mut written), outcome);
    let mut expected = Vec::new();
    if !events.is_empty() {
        write_batch(&mut expected, &events);
        assert_eq!(read(&written).ok().as_deref(), Some(events.as_slice()));
    }
    assert_eq!(written, expected);

    // The memory of other lines changes nothing, nor does a newline at the end.
    let ended = [bytes, b"\r\n"].concat();
    let mut fresh = Vec::new();
    Extractor::new().events(rules, scope, &origin, &Line { bytes: &ended, ..line }, &mut fresh);
    assert_eq!(fresh, events);

    // What a rule captures stands in the line, or is made shorter by its escapes.
    let found = extractor.matches(rules, scope, bytes, &mut |matched| {
        for (name, value) in matched.captures() {
            if let Some(Value::Text(text)) = value.map(|value| value.to_value()) {
                let longest = 3 * (bytes.len() + text.matches("***").count() * 5);
                assert!(text.len() <= longest, "{name} is longer than the line: {text:?}");
            }
        }
    });
    assert_eq!(found, outcome.matched);
}
