//! What the filter tells about itself.

use std::fs;

use serde_json::json;
use statetrail_event::{Event, EventId, State, cloudevents};

use crate::corpus::{Record, folder};
use crate::guest::{ANNOTATE, EVENTS, Guest, Handover, Reply};
use crate::loading::{broken, rule_file};
use crate::wasm;

/// A filter that takes lines, and what its own events add up to.
struct Told {
    guest: Guest,
    second: u32,
    state: State,
    names: Vec<String>,
    ids: Vec<EventId>,
    /// Events of the lines.
    paid: usize,
}

impl Told {
    /// Takes a line after some seconds, with both functions.
    fn take(&mut self, seconds: u32, line: &str) {
        self.guest.pass_time(u64::from(seconds));
        self.second += seconds;
        let record = Record::new("host.app", (self.second, 0), &json!({"log": line}));
        let mut call = |function| {
            self.guest
                .call(function, &record.tag, record.time, &record.json, Handover::Json)
                .expect("no record traps")
        };
        let reply = call(EVENTS);
        // Annotated records are people's own logs: only what their lines say is added.
        assert_eq!(call(ANNOTATE) == Reply::Input, !line.ends_with("paid"), "{line}");
        let Reply::Text(reply) = reply else { return };
        let reply: serde_json::Value = serde_json::from_slice(&reply).expect("it is JSON");
        let events = reply["event"].as_str().expect("a text").as_bytes();
        for event in cloudevents::read(events).expect("the events are CloudEvents") {
            self.count(event);
        }
    }

    fn count(&mut self, event: Event) {
        if event.entity.as_str() != "statetrail/filter/node-7" {
            assert_eq!(event.entity.as_str(), "shop/order/o-7");
            self.paid += 1;
            return;
        }
        self.state.apply(event.key(), &event.changes);
        self.names.push(event.name);
        self.ids.push(event.id);
    }

    fn field(&self, field: &str) -> String {
        self.state.get(field).map(ToString::to_string).unwrap_or_default()
    }
}

#[test]
fn what_traps_do_can_be_asked() {
    let folder = folder(&[rule_file("a.yaml", "paid")]);
    fs::write(folder.path().join("node"), "node-7\n").expect("there is room for a file");
    let guest = Guest::start(&wasm::module().wasm, Some(folder.path())).expect("it starts");
    let (second, state) = (1_763_805_600, State::new());
    let mut told = Told { guest, second, state, names: vec![], ids: vec![], paid: 0 };
    for _ in 0..10 {
        told.take(1, "order o-7 paid");
    }
    assert!(told.guest.traps(EVENTS));
    told.take(61, "order o-7 paid");
    told.take(61, "order o-7 paid");
    // The line that carries an event is not in it yet.
    assert_eq!(told.field("matched.a.yaml/paid"), "22", "counts go on over a trap");
    assert_eq!(told.field("matched.a.yaml"), "22");
    assert_eq!(told.field("traps"), "1");
    for _ in 1..64 {
        assert!(told.guest.traps(EVENTS));
        told.take(0, "nothing");
    }
    told.take(61, "nothing");
    told.take(61, "nothing");
    let error = told.field("rules_error");
    assert!(error.contains("no longer looked at"), "{error}");
    assert_ne!(told.field("passed_by"), "0");
}

#[test]
fn its_state_can_be_asked_like_any_other() {
    let folder = folder(&[rule_file("a.yaml", "paid")]);
    fs::write(folder.path().join("node"), "node-7\n").expect("there is room for a file");
    let guest = Guest::start(&wasm::module().wasm, Some(folder.path())).expect("it starts");
    let (second, state) = (1_763_805_600, State::new());
    let mut told = Told { guest, second, state, names: vec![], ids: vec![], paid: 0 };
    for _ in 0..100 {
        told.take(1, "order o-7 paid");
        told.take(1, "nothing");
    }
    fs::write(folder.path().join("rules/b.yaml"), broken("b.yaml").text).expect("there is room");
    for _ in 0..10 {
        told.take(1, "nothing");
    }
    assert_eq!(told.names, ["started", "counted", "counted", "counted", "rules-changed"]);
    let error = told.field("rules_error");
    assert!(error.starts_with("/etc/statetrail/rules/b.yaml:4:5: "), "{error}");
    fs::remove_file(folder.path().join("rules/b.yaml")).expect("the file is there");
    told.take(61, "order o-7 paid");
    told.take(5, "nothing");

    assert_eq!(told.paid, 101, "no line is lost on the way");
    assert_eq!(told.field("rules_error"), "", "it is repaired");
    // Both functions count, and the line that carries an event is not in it yet.
    assert_eq!(told.field("lines"), "422");
    assert_eq!(told.field("matched.a.yaml"), "202");
    let events = told.ids.len();
    told.ids.sort_unstable();
    told.ids.dedup();
    assert_eq!(told.ids.len(), events);
}
