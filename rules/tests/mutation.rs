//! A good rule file is broken in every way there is, one at a time: the first error must be where it was
//! broken, and name what was.

use statetrail_rules::{Diagnostic, RuleText, Severity, check};

const GOOD: &str = "\
namespaces: [shop]
containers: [app]
redact: ['card <_>', {json: holder}, {logfmt: email}]
rules:
  - name: paid
    match: 'order <order> paid <amount:number> by <method>'
    continue: true
    emit:
      - entity: order/<order>
        event: paid
        set: {amount: <amount>, method: <method>}
        unset: [due]
    samples:
      - line: 'order o-1 paid 5 by cash'
        events:
          - entity: order/o-1
            event: paid
            set: {amount: 5, method: cash}
            unset: [due]
  - name: moved
    match:
      json:
        msg: 'parcel <parcel> moved to <city>'
        van: <van>
    emit:
      - entity: parcel/<parcel>
        event: moved
        set: {city: <city>, van: <van:int>}
    samples:
      - line: '{\"msg\":\"parcel p-1 moved to Rom\",\"van\":\"7\"}'
        events:
          - entity: parcel/p-1
            event: moved
            set: {city: Rom, van: 7}
  - name: took
    match: {regex: 'job (?P<job>[a-z]+) took (?P<ms>[0-9]+) ms'}
    emit: [{entity: job/<job>, event: took, set: {ms: <ms:int>}}]
    samples:
      - line: 'job j took 5 ms'
        events: [{entity: job/j, event: took, set: {ms: 5}}]
";

fn errors(text: &str) -> Vec<Diagnostic> {
    let mut faults = check(&[RuleText { name: "shop.yaml".to_owned(), text: text.to_owned() }]);
    faults.retain(|fault| fault.severity == Severity::Error);
    faults
}

/// Line from 1 and column from 1 of a byte.
fn place_of(text: &str, byte: usize) -> (usize, usize) {
    let start = text[..byte].rfind('\n').map_or(0, |at| at + 1);
    (text[..byte].matches('\n').count() + 1, text[start..byte].chars().count() + 1)
}

/// Every place of a text in the good file.
fn places(part: &str) -> Vec<usize> {
    let found: Vec<usize> = GOOD.match_indices(part).map(|(at, _)| at).collect();
    assert!(!found.is_empty(), "{part}");
    found
}

fn with(at: usize, old: &str, new: &str) -> String {
    assert!(GOOD[at..].starts_with(old));
    format!("{}{new}{}", &GOOD[..at], &GOOD[at + old.len()..])
}

/// Breaks each of those places, and expects the first error on that line with that text in it.
#[track_caller]
fn broken(old: &str, new: &str, told: &str) {
    for at in places(old) {
        let text = with(at, old, new);
        let errors = errors(&text);
        let (line, _) = place_of(GOOD, at);
        let Some(first) = errors.first() else { panic!("{old} -> {new}: nothing is said") };
        assert_eq!(first.line, line, "{old} -> {new}\n{first}");
        assert!(first.to_string().contains(told), "{old} -> {new}\n{first}");
    }
}

#[test]
fn the_file_is_good() {
    assert_eq!(errors(GOOD), []);
}

#[test]
fn a_key_that_is_misspelt_is_named_where_it_stands() {
    let keys = [
        "namespaces",
        "containers",
        "redact",
        "rules",
        "name",
        "match",
        "continue",
        "emit",
        "entity",
        "event",
        "set",
        "unset",
        "samples",
        "line",
        "events",
        "json",
        "regex",
        "logfmt",
    ];
    for key in keys {
        for at in places(&format!("{key}:")) {
            // Another key that ends so.
            if GOOD[..at].ends_with(|before: char| before.is_alphanumeric()) {
                continue;
            }
            let text = with(at, key, &format!("{key}z"));
            let errors = errors(&text);
            let (line, column) = place_of(GOOD, at);
            let is_it = |it: &Diagnostic| {
                (it.line, it.column) == (line, column) && it.message.contains(&format!("`{key}z`"))
            };
            assert!(errors.iter().any(is_it), "{key} in line {line}: {errors:?}");
            let help = &errors.iter().find(|it| is_it(it)).unwrap().help;
            assert!(help.iter().any(|help| help.contains(&format!("`{key}`"))), "{key}: {help:?}");
        }
    }
}

#[test]
fn a_key_that_is_missing_is_named() {
    // Of a list within braces the pair is taken out, of a block its lines.
    for (part, key) in [
        ("namespaces: [shop]\n", "namespaces"),
        ("    match: 'order <order> paid <amount:number> by <method>'\n", "match"),
        ("\n        event: paid", "event"),
        ("\n            event: paid", "event"),
        ("entity: job/<job>, ", "entity"),
        ("event: took, ", "event"),
    ] {
        for at in places(part) {
            let errors = errors(&with(at, part, ""));
            let first = errors.first().unwrap_or_else(|| panic!("{part}"));
            assert!(first.message.contains(&format!("`{key}`")), "{part}\n{first}");
        }
    }
}

#[test]
fn a_value_of_another_kind_is_named_where_it_stands() {
    for (old, new, told) in [
        ("[shop]", "{a: b}", "`namespaces`"),
        ("[app]", "{a: b}", "`containers`"),
        ("'card <_>'", "[a]", "redact"),
        ("name: paid", "name: [paid]", "name"),
        ("name: paid", "name: pa id", "pa id"),
        ("name: moved", "name: paid", "`paid`"),
        ("continue: true", "continue: perhaps", "continue"),
        ("unset: [due]\n    samples", "unset: due\n    samples", "unset"),
        ("set: {amount: <amount>, method: <method>}", "set: [amount]", "`set`"),
        ("set: {amount: 5, method: cash}", "set: [amount]", "`set`"),
        ("event: took, set: {ms: <ms:int>}", "event: '', set: {ms: <ms:int>}", "event"),
    ] {
        broken(old, new, told);
    }
}

#[test]
fn a_capture_that_is_wrong_is_named_where_it_stands() {
    for (old, new, told) in [
        ("<amount:number>", "<amount:numbr>", "`numbr`"),
        ("<amount:number>", "<order>", "`<order>` is captured twice"),
        ("<amount:number>", "<amount number>", "`amount number`"),
        ("<order> paid <amount", "<order><amount", "nothing says where `<order>` ends"),
        ("by <method>'", "by <method'", "`<` without `>`"),
        ("entity: order/<order>", "entity: order/<ordr>", "`<ordr>`"),
        ("entity: order/<order>", "entity: <order>", "type/id"),
        ("{amount: <amount>,", "{amount: <amont>,", "`<amont>`"),
        ("van: <van:int>", "van: <van:whole>", "`whole`"),
        ("(?P<job>[a-z]+)", "(?P<job>[a-z+)", "regular expression"),
        ("entity: job/<job>", "entity: job/<jbo>", "`<jbo>`"),
    ] {
        broken(old, new, told);
    }
}

/// What a rule makes of its sample is changed: the sample says so, and what it got instead.
#[test]
fn a_sample_that_does_not_fit_its_rule_tells_both() {
    for (old, new, line, told) in [
        ("paid <amount", "payd <amount", "order o-1 paid 5", "no rule matched the line"),
        ("{amount: <amount>,", "{sum: <amount>,", "order o-1 paid 5", r#""sum":5"#),
        ("unset: [due]\n    samples", "unset: [dew]\n    samples", "order o-1 paid 5", "dew"),
        ("amount: 5", "amount: 6", "order o-1 paid 5", r#""amount":6"#),
        ("amount: 5", "amount: '5'", "order o-1 paid 5", r#""amount":"5""#),
        (
            "moved to <city>'",
            "moved to <city> now'",
            "parcel p-1 moved",
            "no rule matched the line",
        ),
        (r#""van":"7""#, r#""van":"x""#, "parcel p-1 moved", "could not be made"),
        (
            "event: moved\n        set",
            "event: gone\n        set",
            "parcel p-1 moved",
            "parcel/p-1 gone",
        ),
        ("took 5 ms", "took 5 s", "job j took", "no rule matched the line"),
    ] {
        let at = places(old)[0];
        let errors = errors(&with(at, old, new));
        let [only] = &*errors else { panic!("{old} -> {new}: {errors:?}") };
        assert!(only.text.contains(line), "{old} -> {new}\n{only}");
        assert!(only.to_string().contains(told), "{old} -> {new}\n{only}");
    }
}

/// Whatever character is taken out, the checker points into the file and its message can be read.
#[test]
fn any_character_may_be_missing() {
    let mut told = 0;
    for (at, character) in GOOD.char_indices() {
        let text = format!("{}{}", &GOOD[..at], &GOOD[at + character.len_utf8()..]);
        let faults = errors(&text);
        told += usize::from(!faults.is_empty());
        for fault in faults {
            let line = text.split('\n').nth(fault.line - 1);
            assert_eq!(line, Some(&*fault.text), "{fault}");
            assert!(fault.column <= fault.text.chars().count() + 1, "{fault}");
            assert!(!fault.message.is_empty() && !fault.message.contains('\n'), "{fault}");
        }
    }
    // Only some characters may be missing without anything being wrong.
    assert!(told > GOOD.len() / 2, "{told} of {}", GOOD.len());
}
