//! JSON lines against a model: random documents with every kind of white space and escape, of
//! which it is known what stands where.

use proptest::collection::vec;
use proptest::prelude::*;
use statetrail_event::{Finite, Value};
use statetrail_rules::{Extractor, Origin, RuleSet, ScopeId};

use crate::help::{file, line, rule_set};

/// The paths that the rules ask for; rule 12 makes events named `p12`.
const PATHS: [&str; 20] = [
    "a", "b", "a.b", "a.a", "b.a", "a.0", "a.1", "b.0.a", "a.b.a", "0", "", ".a", "a.", "é", "a.é",
    "q\"k", "a.q\"k", "a.0.1", "longer", "b.longer",
];

fn rules() -> (RuleSet, ScopeId) {
    let mut text = "namespaces: [shop]\nrules:\n".to_owned();
    for (number, path) in PATHS.iter().enumerate() {
        text += &format!(
            "  - name: p{number}\n    continue: true\n    match: {{json: {{'{path}': <x>}}}}\n    \
             emit: [{{entity: x/it, event: p{number}, set: {{x: <x>}}}}]\n"
        );
    }
    let mut rules = rule_set(&[file("a.yaml", &text)]);
    let scope = rules.scope("shop", "app").unwrap();
    (rules, scope)
}

/// A piece of JSON as it is written, and what it is.
#[derive(Clone, Debug)]
struct Json {
    written: String,
    is: Is,
}

#[derive(Clone, Debug)]
enum Is {
    Null,
    Value(Value),
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\n\r]{0,3}"]
}

/// A text, as it is written between quotes and as it is.
fn string() -> impl Strategy<Value = (String, String)> {
    let character = prop_oneof![
        4 => prop_oneof![Just('a'), Just('b'), Just('0'), Just('.')],
        1 => prop_oneof![Just('"'), Just('\\'), Just('/'), Just('\n'), Just('{'), Just('}')],
        1 => prop_oneof![Just('é'), Just('😀'), Just('\u{2028}'), Just('\0'), any::<char>()],
    ];
    vec((character, 0..3_u8), 0..8).prop_map(|characters| {
        let mut written = String::new();
        for (character, style) in &characters {
            match (character, style) {
                ('"' | '\\', 0) => written.extend(['\\', *character]),
                ('/', 0) => written.push_str("\\/"),
                ('\n', 0) => written.push_str("\\n"),
                (character, 0 | 1) if *character >= ' ' && !['"', '\\'].contains(character) => {
                    written.push(*character);
                }
                (character, _) => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        written.push_str(&format!("\\u{unit:04X}"));
                    }
                }
            }
        }
        (written, characters.into_iter().map(|(character, _)| character).collect())
    })
}

fn key() -> impl Strategy<Value = (String, String)> {
    let known = |written: &str, is: &str| Just((written.to_owned(), is.to_owned()));
    prop_oneof![
        4 => known("a", "a"),
        2 => known("b", "b"),
        1 => known("\\u0061", "a"),
        1 => known("a.b", "a.b"),
        1 => known("0", "0"),
        1 => known("", ""),
        1 => known("\\u00e9", "é"),
        1 => known("é", "é"),
        1 => known("q\\\"k", "q\"k"),
        1 => known("longer", "longer"),
        1 => known("\\u006conger", "longer"),
        1 => string(),
    ]
}

fn leaf() -> impl Strategy<Value = Json> {
    let json = |written: String, is: Value| Json { written, is: Is::Value(is) };
    prop_oneof![
        Just(Json { written: "null".to_owned(), is: Is::Null }),
        any::<bool>().prop_map(move |value| json(value.to_string(), Value::Bool(value))),
        any::<i64>().prop_map(move |value| json(value.to_string(), Value::Int(value))),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(move |number| {
            let written = format!("{number:e}");
            let value = match written.parse::<i64>() {
                Ok(whole) => Value::Int(whole),
                Err(_) => Value::Number(Finite::new(number).unwrap()),
            };
            json(written, value)
        }),
        string().prop_map(move |(written, text)| json(format!("\"{written}\""), Value::text(text))),
    ]
}

fn join(
    open: char,
    parts: impl Iterator<Item = String>,
    close: char,
    spaces: &(String, String),
) -> String {
    let parts: Vec<String> = parts.map(|part| format!("{}{part}{}", spaces.0, spaces.1)).collect();
    format!("{open}{}{}{close}", spaces.1, parts.join(","))
}

fn object(member: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    (vec((key(), member), 0..5), (space(), space())).prop_map(|(members, spaces)| {
        let written = members.iter().map(|((key, _), value)| {
            format!("\"{key}\"{}:{}{}", spaces.1, spaces.0, value.written)
        });
        let written = join('{', written, '}', &spaces);
        let members = members.into_iter().map(|((_, key), value)| (key, value)).collect();
        Json { written, is: Is::Object(members) }
    })
}

fn document() -> impl Strategy<Value = Json> {
    let any_value = leaf().prop_recursive(4, 24, 4, |inner| {
        let array = (vec(inner.clone(), 0..4), (space(), space())).prop_map(|(items, spaces)| {
            let written = items.iter().map(|item| item.written.clone());
            Json { written: join('[', written, ']', &spaces), is: Is::Array(items) }
        });
        prop_oneof![object(inner), array]
    });
    object(any_value)
}

/// What stands at a path; of several the last, `None` if that is null.
fn lookup(document: &Json, path: &str) -> Option<Value> {
    let mut found = None;
    visit(document, "", true, &mut |at, json| {
        if at == path {
            found = match &json.is {
                Is::Null => None,
                Is::Value(value) => Some(value.clone()),
                Is::Object(_) | Is::Array(_) => Some(Value::text(json.written.as_str())),
            };
        }
    });
    found
}

/// Goes over everything in the document, an object or array after what it holds.
fn visit(json: &Json, path: &str, is_root: bool, see: &mut dyn FnMut(&str, &Json)) {
    let below = |key: &str| {
        if is_root { key.to_owned() } else { format!("{path}.{key}") }
    };
    match &json.is {
        Is::Object(members) => {
            for (key, value) in members {
                visit(value, &below(key), false, see);
            }
        }
        Is::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                visit(item, &below(&number.to_string()), false, see);
            }
        }
        Is::Null | Is::Value(_) => {}
    }
    if !is_root {
        see(path, json);
    }
}

/// What the rules found, by their paths.
fn found(rules: &RuleSet, scope: ScopeId, text: &[u8]) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    let origin = Origin::plain(Some("shop"), None, None);
    Extractor::new().events(rules, scope, &origin, &line(text), &mut events);
    events
        .into_iter()
        .map(|event| {
            let number: usize = event.name[1..].parse().unwrap();
            let value = event.changes.into_iter().next().unwrap().value.unwrap();
            (PATHS[number].to_owned(), value)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_field_is_found_with_its_value(document in document(), around in (space(), space())) {
        let (rules, scope) = rules();
        let text = format!("{}{}{}", around.0, document.written, around.1);
        // The model writes JSON.
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        let expected: Vec<(String, Value)> = PATHS
            .iter()
            .filter_map(|path| Some(((*path).to_owned(), lookup(&document, path)?)))
            .collect();
        prop_assert_eq!(found(&rules, scope, text.as_bytes()), expected, "{}", text);
    }

    /// A line that serde_json refuses is no JSON line: nothing is made of a part of it.
    #[test]
    fn nothing_is_found_in_broken_json(
        document in document(), at in any::<proptest::sample::Index>(), damage in 0..4_u8,
        by in prop_oneof![Just('{'), Just('}'), Just('['), Just(']'), Just(','), Just(':'), Just('"'), Just('1')],
    ) {
        let (rules, scope) = rules();
        let mut characters: Vec<char> = document.written.chars().collect();
        let at = at.index(characters.len());
        match damage {
            0 => characters.truncate(at),
            1 => { characters.remove(at); }
            2 => characters.insert(at, by),
            _ => characters[at] = by,
        }
        let text: String = characters.into_iter().collect();
        // Within texts we take more than JSON does: raw control characters and any escape. How
        // large a number may be is not a matter of form.
        let strict: String = text.chars().map(|c| if c < ' ' { ' ' } else { c }).collect();
        let is_fault_of_form = |fault: &serde_json::Error| {
            let words = fault.to_string();
            !["escape", "surrogate", "out of range"].iter().any(|word| words.contains(word))
        };
        match serde_json::from_str::<serde_json::Value>(&strict) {
            Err(fault) if is_fault_of_form(&fault) => {
                prop_assert_eq!(found(&rules, scope, text.as_bytes()), [], "{}", text);
            }
            _ => {}
        }
    }
}

/// Fields are looked for down to 32 levels; what lies deeper is stepped over and stays whole.
#[test]
fn deep_nesting_costs_no_stack_and_hides_nothing_else() {
    let (rules, scope) = rules();
    for depth in [30, 31, 32, 33, 1_000, 100_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let text = format!("{{\"deep\":{nested},\"a\":1,\"b\":{nested}}}");
        let expected = [("a".to_owned(), Value::Int(1)), ("b".to_owned(), Value::text(nested))];
        let found = found(&rules, scope, text.as_bytes());
        assert_eq!(found[..2], expected, "{depth}");
        let open = format!("{{\"a\":1,\"b\":{}", "[".repeat(depth));
        assert_eq!(self::found(&rules, scope, open.as_bytes()), [], "{depth}");
    }
}

#[test]
fn bytes_that_are_not_utf8_do_not_break_a_line() {
    let (rules, scope) = rules();
    let found = found(&rules, scope, b"{\"a\":\"x\xff\x1b[0m\ty\",\"\xfe\":1,\"b\":2}");
    let expected =
        [("a".to_owned(), Value::text("x\u{fffd}\u{1b}[0m\ty")), ("b".to_owned(), Value::Int(2))];
    assert_eq!(found, expected);
}
