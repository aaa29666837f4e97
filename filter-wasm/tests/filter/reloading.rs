//! Rule files that change while the filter works.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};
use statetrail_rules::RuleText;

use crate::corpus::{Record, container_tag, folder, rule_files};
use crate::guest::{ANNOTATE, EVENTS, Guest, Handover, Reply};
use crate::loading::{broken, rule_file};
use crate::wasm;

/// How soon a change must be in force.
const SECONDS_MAX: u64 = 10;

/// A filter that gets a line a second, as Fluent Bit would hand it over.
struct Stream {
    guest: Guest,
    second: u32,
    tag: String,
}

impl Stream {
    fn start(folder: &Path) -> Stream {
        let guest = Guest::start(&wasm::module().wasm, Some(folder)).expect("the filter starts");
        Stream { guest, second: 1_763_805_600, tag: container_tag("shop", "p", "app") }
    }

    /// A second later: which of these lines give events.
    fn found(&mut self, verbs: &[&'static str]) -> Vec<&'static str> {
        self.second += 1;
        self.guest.pass_time(1);
        let mut found = Vec::new();
        for verb in verbs {
            let line = format!("order o-{} {verb}", self.second);
            let event = self.event(EVENTS, &line);
            if let Some(event) = &event {
                assert_eq!(event["subject"], format!("order/o-{}", self.second));
                found.push(*verb);
            }
            // Every record is answered, and passes or not by the same rules.
            assert_eq!(self.event(ANNOTATE, &line).is_some(), event.is_some());
        }
        found
    }

    fn event(&mut self, function: &str, line: &str) -> Option<Value> {
        let record = Record::new(&self.tag, (self.second, 5), &json!({"log": line}));
        let reply = self
            .guest
            .call(function, &record.tag, record.time, &record.json, Handover::Json)
            .expect("no record traps");
        let Reply::Text(text) = reply else { return None };
        let reply: Value = serde_json::from_slice(&text).expect("replies are JSON");
        match reply["event"].as_str() {
            Some(event) => Some(serde_json::from_str(event).expect("events are JSON")),
            None => Some(reply["statetrail"][0].clone()),
        }
    }

    /// Goes on until these and no others are found; fails if that takes too long.
    fn comes_to(&mut self, verbs: &[&'static str], expected: &[&'static str]) {
        for _ in 0..=SECONDS_MAX {
            if self.found(verbs) == expected {
                return;
            }
        }
        panic!("{expected:?} are not in force after {SECONDS_MAX} s: {}", self.guest.log());
    }
}

fn put(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join("rules").join(name), text).expect("there is room for a file");
}

#[test]
fn files_that_are_edited_come_into_force() {
    let folder = folder(&[rule_file("a.yaml", "paid")]);
    let verbs = ["paid", "shipped", "returned"];
    let mut stream = Stream::start(folder.path());
    assert_eq!(stream.found(&verbs), ["paid"]);
    put(folder.path(), "a.yaml", &rule_file("a.yaml", "shipped").text);
    stream.comes_to(&verbs, &["shipped"]);
    put(folder.path(), "b.yaml", &rule_file("b.yaml", "returned").text);
    stream.comes_to(&verbs, &["shipped", "returned"]);
    fs::remove_file(folder.path().join("rules/a.yaml")).expect("the file is there");
    stream.comes_to(&verbs, &["returned"]);
    assert_eq!(stream.guest.log().matches("in force").count(), 3, "{}", stream.guest.log());
}

/// The second version has the size and the time of the first.
#[cfg(unix)]
#[test]
fn a_config_map_that_is_swapped_comes_into_force() {
    use std::os::unix::fs::symlink;

    let mounted = tempfile::tempdir().expect("there is room for a folder");
    let rules = mounted.path().join("rules");
    let written = SystemTime::now();
    for (version, verb) in [("..first", "paid"), ("..second", "sent")] {
        fs::create_dir_all(rules.join(version)).expect("the folder is new");
        let path = rules.join(version).join("shop.yaml");
        fs::write(&path, rule_file("shop.yaml", verb).text).expect("there is room");
        let file = fs::File::options().write(true).open(&path).expect("the file is there");
        file.set_modified(written).expect("the time can be set");
    }
    symlink("..first", rules.join("..data")).expect("links can be made");
    symlink("..data/shop.yaml", rules.join("shop.yaml")).expect("links can be made");
    let mut stream = Stream::start(mounted.path());
    assert_eq!(stream.found(&["paid", "sent"]), ["paid"]);
    for (version, verb) in [("..second", "sent"), ("..first", "paid"), ("..second", "sent")] {
        symlink(version, rules.join("..data_tmp")).expect("links can be made");
        fs::rename(rules.join("..data_tmp"), rules.join("..data")).expect("the link is there");
        stream.comes_to(&["paid", "sent"], &[verb]);
    }
}

#[test]
fn a_broken_file_keeps_its_last_version_and_is_reported_once() {
    let folder = folder(&[rule_file("a.yaml", "paid"), rule_file("b.yaml", "shipped")]);
    let verbs = ["paid", "shipped", "returned"];
    let mut stream = Stream::start(folder.path());
    put(folder.path(), "a.yaml", &broken("a.yaml").text);
    for _ in 0..30 {
        assert_eq!(stream.found(&verbs), ["paid", "shipped"]);
    }
    put(folder.path(), "b.yaml", &rule_file("b.yaml", "returned").text);
    stream.comes_to(&verbs, &["paid", "returned"]);
    let log = stream.guest.log();
    assert_eq!(log.matches("/etc/statetrail/rules/a.yaml:4:5\n").count(), 1, "{log}");

    put(folder.path(), "a.yaml", &rule_file("a.yaml", "shipped").text);
    stream.comes_to(&verbs, &["shipped", "returned"]);
    fs::remove_dir_all(folder.path().join("rules")).expect("the folder is there");
    for _ in 0..20 {
        assert_eq!(stream.found(&verbs), ["shipped", "returned"]);
    }
    let log = stream.guest.log();
    assert_eq!(log.matches("all rule files are gone").count(), 1, "{log}");
}

/// The lines of a moment are numbered on over a change of the rules: equal ones stay apart.
#[test]
fn lines_of_a_moment_are_not_numbered_anew() {
    let folder = folder(&[rule_file("a.yaml", "paid")]);
    let mut stream = Stream::start(folder.path());
    stream.tag = "host.app".to_owned();
    let mut ids = Vec::new();
    for round in 0..3 {
        put(folder.path(), "b.yaml", &rule_file("b.yaml", ["x", "y", "z"][round]).text);
        stream.guest.pass_time(SECONDS_MAX);
        for _ in 0..100 {
            let event = stream.event(EVENTS, "order o-1 paid").expect("the line gives an event");
            ids.push(event["id"].to_string());
        }
    }
    assert_eq!(stream.guest.log().matches("in force").count(), 3, "{}", stream.guest.log());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 300);
}

/// A file for which there is no memory traps the call that loads it; the rules of before stay.
#[test]
fn a_trap_while_rules_are_loaded_leaves_those_of_before() {
    let folder = folder(&[rule_file("a.yaml", "paid")]);
    let mut stream = Stream::start(folder.path());
    assert_eq!(stream.found(&["paid", "sent"]), ["paid"]);
    let text = crate::stack::many_rules(5_000).text;
    put(folder.path(), "b.yaml", &text);
    // Enough to read the text, not for what is made of it.
    let bytes = stream.guest.memory_bytes() + text.len() * 3;
    stream.guest.limit_memory(Some(bytes));
    stream.guest.pass_time(SECONDS_MAX);
    stream.second += 1;
    let record = Record::new(&stream.tag, (stream.second, 5), &json!({"log": "order o-1 paid"}));
    let call = stream.guest.call(EVENTS, &record.tag, record.time, &record.json, Handover::Json);
    assert!(call.is_err(), "it must trap, or this tests nothing");
    stream.guest.limit_memory(None);
    assert_eq!(stream.found(&["paid", "sent"]), ["paid"]);
    let log = stream.guest.log();
    assert_eq!(log.matches("loading the rules failed").count(), 1, "{log}");
    fs::remove_file(folder.path().join("rules/b.yaml")).expect("the file is there");
    put(folder.path(), "a.yaml", &rule_file("a.yaml", "sent").text);
    stream.comes_to(&["paid", "sent"], &["sent"]);
}

/// Rules are loaded within a call then, above the frames of one: every call measures its stack.
#[test]
fn much_is_loaded_within_a_call() {
    let folder = folder(&[rule_file("a.yaml", "paid")]);
    let mut stream = Stream::start(folder.path());
    let mut files = rule_files();
    files.push(crate::stack::many_rules(1_000));
    files.push(RuleText { name: "deep.yaml".to_owned(), text: "[".repeat(10_000) });
    for file in files {
        put(folder.path(), &file.name, &file.text);
    }
    stream.guest.forget_stack_maximum();
    stream.comes_to(&["paid"], &["paid"]);
    for _ in 0..SECONDS_MAX {
        stream.found(&["paid"]);
    }
    let log = stream.guest.log();
    assert!(log.contains("deep.yaml") && log.contains("in force"), "{log}");
    crate::stack::report("loading within a call", stream.guest.stack_maximum());
    // Again and again: nothing is kept of what went before.
    let mut bytes = None;
    for round in 0..12 {
        put(folder.path(), "a.yaml", &rule_file("a.yaml", ["paid", "sent"][round % 2]).text);
        stream.guest.pass_time(SECONDS_MAX);
        stream.found(&["paid"]);
        if round >= 4 {
            let now = stream.guest.memory_bytes();
            assert_eq!(*bytes.get_or_insert(now), now, "round {round}");
        }
    }
}
