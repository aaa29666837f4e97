//! Logfmt lines against a naive reader.

use std::collections::BTreeMap;

use proptest::prelude::*;
use regex::bytes::Regex;
use statetrail_rules::{Extractor, Origin, RuleSet, ScopeId};

use crate::help::{file, line, rule_set};

const KEYS: [&str; 5] = ["a", "key", "a.b", "ü", "\"q"];

fn rules() -> (RuleSet, ScopeId) {
    let mut text = "namespaces: [shop]\nrules:\n".to_owned();
    for (number, key) in KEYS.iter().enumerate() {
        text += &format!(
            "  - name: k{number}\n    continue: true\n    match: {{logfmt: {{'{key}': <x>}}}}\n    \
             emit: [{{entity: x/it, event: k{number}, set: {{x: <x>}}}}]\n"
        );
    }
    let mut rules = rule_set(&[file("a.yaml", &text)]);
    let scope = rules.scope("shop", "app").unwrap();
    (rules, scope)
}

/// The last value of every key, by a regular expression per field.
fn naive(text: &[u8]) -> BTreeMap<Vec<u8>, String> {
    let field =
        Regex::new(r#"(?s-u)^\s*(?:([^\s=]*)=(?:"((?:[^"\\]|\\.)*)"|(\S*))|[^\s=]+)"#).unwrap();
    let mut fields = BTreeMap::new();
    let mut rest = text;
    while let Some(parts) = field.captures(rest) {
        if let Some(key) = parts.get(1) {
            let value = match (parts.get(2), parts.get(3)) {
                (Some(quoted), _) => unescaped(&String::from_utf8_lossy(quoted.as_bytes())),
                (None, plain) => String::from_utf8_lossy(plain.unwrap().as_bytes()).into_owned(),
            };
            fields.insert(key.as_bytes().to_vec(), value);
        }
        rest = &rest[parts[0].len()..];
    }
    fields
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match (character, character == '\\') {
            (_, true) => match characters.next().unwrap() {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = characters.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                }
                other => other,
            },
            (other, false) => other,
        });
    }
    plain
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(&["a=", "key=", "a.b=", "ü=", " ", "\"", "x", "=", "\t"][..]),
        1 => proptest::sample::select(&["\\\"", "\\\\", "\\n", "\\u0061", "\\q", "\"q=", "é", "a"][..]),
    ];
    proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_field_is_found_with_its_value(text in text()) {
        let (rules, scope) = rules();
        let mut events = Vec::new();
        let origin = Origin::plain(Some("shop"), None, None);
        Extractor::new().events(&rules, scope, &origin, &line(text.as_bytes()), &mut events);
        let found: BTreeMap<Vec<u8>, String> = events
            .into_iter()
            .map(|event| {
                let number: usize = event.name[1..].parse().unwrap();
                let value = event.changes.into_iter().next().unwrap().value.unwrap();
                (KEYS[number].as_bytes().to_vec(), value.to_string())
            })
            .collect();
        let mut expected = naive(text.trim_end_matches(['\n', '\r']).as_bytes());
        expected.retain(|key, _| KEYS.iter().any(|known| known.as_bytes() == key));
        prop_assert_eq!(found, expected, "{}", text);
    }
}
