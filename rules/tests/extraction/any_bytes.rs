//! Whatever a line holds: no panic, and the filter's way and the engine's way agree.

use proptest::collection::vec;
use proptest::prelude::*;
use statetrail_event::cloudevents::{read, write_batch};
use statetrail_event::{Event, Time};
use statetrail_rules::{ContainerName, Extractor, Line, Origin, RuleSet, RuleText, ScopeId};

use crate::help::{file, rule_set};

/// The rule files of the language's tests.
fn language_files() -> Vec<RuleText> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language");
    let mut files: Vec<RuleText> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            file(
                &path.file_name().unwrap().to_string_lossy(),
                &std::fs::read_to_string(&path).unwrap(),
            )
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(files.len() > 10);
    files
}

/// Each file for itself, so that none hides the rules of another, and all of them together.
fn rule_sets() -> Vec<(RuleSet, ScopeId)> {
    let files = language_files();
    let alone = files.iter().map(std::slice::from_ref);
    alone
        .chain([files.as_slice()])
        .map(|files| {
            let mut rules = rule_set(files);
            let scope = rules.scope_of_all().unwrap();
            (rules, scope)
        })
        .collect()
}

/// Words of the rule files, so that rules match now and then, and bytes of any kind.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    for file in language_files() {
        for line in file.text.lines().filter(|line| line.contains("line: ")) {
            let sample = line.split_once("line: ").unwrap().1.trim_matches(['\'', '"', '}', ']']);
            words.push(sample.as_bytes().to_vec());
            words.extend(
                sample.split_inclusive([' ', '"', ',', '=']).map(|w| w.as_bytes().to_vec()),
            );
        }
    }
    let piece = prop_oneof![
        8 => proptest::sample::select(words),
        1 => vec(any::<u8>(), 1..4),
        1 => proptest::sample::select(b"\"{} \\\0\xff\r\n".to_vec()).prop_map(|byte| vec![byte]),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// The events as the reader gives them: what is set before what is unset.
fn in_wire_order(mut events: Vec<Event>) -> Vec<Event> {
    for event in &mut events {
        event.changes.sort_by_key(|change| change.value.is_none());
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Invariant I6 within one build: what is written is what the events are.
    #[test]
    fn written_events_are_the_events(
        lines in vec(lines(), 1..12), nanos in any::<i64>(), position in any::<u64>(),
        offset in proptest::option::of(0..u64::from(u32::MAX)), in_container in any::<bool>(),
    ) {
        let origin = if in_container {
            let name = ContainerName { namespace: "shop", pod: "p", container: "c" };
            Origin::container(name, Some("n"), Some("f"))
        } else {
            Origin::plain(None, None, Some("f"))
        };
        for (rules, scope) in rule_sets() {
            // One extractor for all lines: nothing of a line may be left for the next.
            let (mut extractor, mut writer) = (Extractor::new(), Extractor::new());
            for bytes in &lines {
                let line = Line { bytes, time: Time::from_nanos(nanos), position, offset };
                let mut events = Vec::new();
                let outcome = extractor.events(&rules, scope, &origin, &line, &mut events);
                let mut written = b"before".to_vec();
                let same = writer.write_json(&rules, scope, &origin, &line, &mut written);
                prop_assert_eq!(outcome, same);
                prop_assert_eq!(outcome.events as usize, events.len());
                let mut expected = b"before".to_vec();
                if !events.is_empty() {
                    write_batch(&mut expected, &events);
                }
                prop_assert_eq!(
                    String::from_utf8_lossy(&written), String::from_utf8_lossy(&expected)
                );
                if !events.is_empty() {
                    prop_assert_eq!(read(&written[6..]).unwrap(), in_wire_order(events.clone()));
                }
                let mut fresh = Vec::new();
                Extractor::new().events(&rules, scope, &origin, &line, &mut fresh);
                prop_assert_eq!(fresh, events, "a used extractor and a new one");
            }
            prop_assert_eq!(extractor.counts(), writer.counts());
        }
    }
}
