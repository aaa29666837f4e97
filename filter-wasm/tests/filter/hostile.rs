//! Records that no reasonable source would send: never a trap, never a reply that Fluent Bit
//! cannot read.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use statetrail_filter::{Filter, Mode};
use statetrail_filter_host::check_readable;

use crate::agreement::native;
use crate::corpus::{Record, TIME, container_tag, folder, records, rule_files};
use crate::guest::{ANNOTATE, EVENTS, Guest, Handover, Reply};
use crate::wasm;

fn start() -> Guest {
    let folder = folder(&rule_files());
    Guest::start(&wasm::module().wasm, Some(folder.path())).expect("the filter starts")
}

fn tag() -> String {
    container_tag("kinds", "pod-1", "app")
}

/// Hands a record over in every way and checks that each reply is one that Fluent Bit can read.
fn check(guest: &mut Guest, tag: &str, time: (u32, u32), record: &[u8]) {
    for function in [EVENTS, ANNOTATE] {
        for handover in Handover::ALL {
            let reply = guest.call(function, tag, time, record, handover).unwrap_or_else(|trap| {
                panic!("{function} {handover:?} {}: {trap:?}", record.escape_ascii())
            });
            check_readable(function, record, &reply);
        }
    }
}

/// A record with everything in it that matters, and a line that matches.
fn full_record() -> Record {
    let fields = serde_json::json!({
        "log": "job j-\u{e9}\"1 done", "offset": 70_000, "file": "/a", "big": u64::MAX, "f": -1.5e300,
        "kubernetes": {
            "namespace_name": "kinds", "pod_name": "p", "container_name": "app", "host": "h",
            "labels": {"a": [null, true, {}]},
        },
        "\u{1f600}": ["x".repeat(40), "y".repeat(300)],
    });
    Record::new(&tag(), TIME, &fields)
}

#[test]
fn records_cut_short_anywhere() {
    let mut guest = start();
    let record = full_record();
    for whole in [&record.json, &record.msgpack] {
        for length in 0..=whole.len() {
            check(&mut guest, &record.tag, record.time, &whole[..length]);
        }
    }
}

#[test]
fn nesting_of_a_hundred_thousand_levels() {
    let mut guest = start();
    let depth = 100_000;
    let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for json in [
        format!(r#"{{"a":{nested},"log":"job j-1 done"}}"#),
        format!(r#"{{"log":"job j-1 done","kubernetes":{{"x":{objects},"pod_name":"p"}}}}"#),
        "{\"a\":".repeat(depth),
        "[".repeat(depth),
    ] {
        for function in [EVENTS, ANNOTATE] {
            let reply = guest.call(function, &tag(), TIME, json.as_bytes(), Handover::Json);
            // The reader of replies above recurses, so this looks only at what was put around.
            if let Reply::Text(text) = reply.expect("no record traps") {
                let text = String::from_utf8(text).expect("replies are UTF-8");
                let added = text.strip_prefix(&json[..json.len() - 1]);
                assert!(function == EVENTS || added.is_some_and(|added| added.ends_with("}]}")));
            }
        }
    }
    for open in [b"\x91".as_slice(), b"\x81\xa1a", b"\x81\xc0", b"\xdd\x00\x00\x00\x01"] {
        let mut record = b"\x82\xa1x".to_vec();
        record.extend(open.iter().cycle().take(open.len() * depth));
        record.extend_from_slice(b"\xc0\xa3log\xacjob j-1 done");
        check(&mut guest, &tag(), TIME, &record);
        check(&mut guest, &tag(), TIME, &record[..record.len() / 2]);
    }
}

#[test]
fn odd_json() {
    let mut guest = start();
    let line = "job j-1 done";
    let records = [
        "".to_owned(),
        "{}".to_owned(),
        "{".to_owned(),
        "null".to_owned(),
        "\"log\"".to_owned(),
        " \n{ \"log\" : \"job j-1 done\" } \n".to_owned(),
        format!(r#"{{"log":"{line}"}}{{"log":"{line}"}}"#),
        format!(r#"{{"log":"{line}",}}"#),
        format!(r#"{{"log":"{line}","a":tru}}"#),
        format!(r#"{{"log":"{line}","a":01,"b":+1,"c":.5}}"#),
        format!(r#"{{"log":"{line}" "a":1}}"#),
        format!(r#"{{"log":"{line}","a":"\x"}}"#),
        format!("{{\"log\":\"{line}\",\"a\":\"\t\"}}"),
        format!(r#"{{"log":"{line}","log":7,"log":"{line}"}}"#),
        format!(r#"{{"log":"{line}","kubernetes":[],"kubernetes":{{}},"kubernetes":null}}"#),
        format!(
            r#"{{"log":"{line}","kubernetes":{{"namespace_name":"kinds","container_name":"app"}}}}"#
        ),
        format!(
            r#"{{"log":"{line}","kubernetes":{{"namespace_name":"","container_name":"","pod_name":""}}}}"#
        ),
        format!(r#"{{"log":"{line}","statetrail":"taken"}}"#),
        format!(r#"{{"log":"{line}","offset":-1}}"#),
        format!(r#"{{"log":"{line}","offset":1e3}}"#),
        format!(r#"{{"log":"{line}","offset":99999999999999999999999}}"#),
        r#"{"log":"job j-\u0000\ud800\udc00\ud800x\udfff\u00e9 done"}"#.to_owned(),
        r#"{"log":"job j-\ud83d\ude00 done","\ud800":"\udc00"}"#.to_owned(),
        r#"{"l\u006fg":"job j-1 done"}"#.to_owned(),
        r#"{"log":"job j-1 done\"#.to_owned(),
        r#"{"log":"job j-1 done\u12"#.to_owned(),
    ];
    for record in &records {
        check(&mut guest, &tag(), TIME, record.as_bytes());
    }
    for record in [
        b"{\"log\":\"job j-\xff\xfe done\"}".as_slice(),
        b"{\"log\":\"job j-1 done\",\"\xc3\":\"\xe2\x82\"}",
        b"{\"log\":\"job j-1 done\",\"a\":\"x\0y\"}",
        b"{\"log\":\"job j-1 done\"}\0\0\0",
        b"\0",
        b"\0{\"log\":\"job j-1 done\"}",
        b"\xef\xbb\xbf{\"log\":\"job j-1 done\"}",
    ] {
        check(&mut guest, &tag(), TIME, record);
    }
}

#[test]
fn odd_messagepack() {
    let mut guest = start();
    let line = b"\xa3log\xacjob j-1 done";
    let keys: [&[u8]; 9] = [
        b"\xc0",
        b"\xca\x3f\x80\x00\x00",
        b"\xcb\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x00",
        b"\xd6\x00\x01\x02\x03\x04",
        b"\xc7\x00\x05",
        b"\x91\x01",
        b"\x80",
        b"\xa0",
    ];
    let values: [&[u8]; 9] = [
        b"\xc1",
        b"\xd7\x00\x66\x00\x00\x00\x00\x00\x00\x00",
        b"\xc9\x00\x00\x00\x01\x05a",
        b"\xd8\x05abcdefghabcdefgh",
        b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa2\xff\xfe",
        b"\xc4\x01\x00",
        b"\xd9\x03a\x00b",
    ];
    for key in keys {
        for value in values {
            for head in [b"\x82".as_slice(), b"\xde\x00\x02", b"\xdf\x00\x00\x00\x02"] {
                check(&mut guest, &tag(), TIME, &[head, key, value, line].concat());
                check(&mut guest, &tag(), TIME, &[head, line, key, value].concat());
            }
            check(&mut guest, &tag(), TIME, &[b"\x8f".as_slice(), line, key, value].concat());
        }
    }
    for record in [
        b"\x80".as_slice(),
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa3log\xdb\xff\xff\xff\xff",
        b"\x81\xa3log\xc4\x0cjob j-1 done",
        b"\x81\xa3log\xacjob j-1 done\x81\xa3log\xacjob j-1 done",
        b"\x82\xa3log\xacjob j-1 done\xa3log\xacjob j-2 done",
    ] {
        check(&mut guest, &tag(), TIME, record);
    }
}

#[test]
fn tags_and_times_of_all_kinds() {
    let mut guest = start();
    let record = full_record();
    let plain = Record::new("", TIME, &serde_json::json!({"log": "job j-1 done"}));
    let id = "f".repeat(64);
    let long = "x".repeat(100_000);
    let tags = [
        "".to_owned(),
        "kube.".to_owned(),
        "\0".to_owned(),
        "\u{1f600}_\u{e9}_a-b.log".to_owned(),
        format!("kube.var.log.containers.p_kinds_app-{id}.log"),
        format!("p_kinds_app-{id}"),
        format!("kube.var.log.containers.__-{id}.log"),
        format!("kube.var.log.containers.p_kinds_app-{}.log", &id[1..]),
        format!("kube.var.log.containers.{long}_{long}_{long}-{id}.log"),
        long,
    ];
    for tag in &tags {
        for record in [&record, &plain] {
            check(&mut guest, tag, record.time, &record.json);
            check(&mut guest, tag, record.time, &record.msgpack);
        }
    }
    for time in [(0, 0), (u32::MAX, u32::MAX), (0, u32::MAX), (u32::MAX, 0)] {
        check(&mut guest, &tag(), time, &plain.json);
    }
}

#[test]
fn more_sources_than_are_remembered() {
    let mut guest = start();
    for number in 0..25_000 {
        let tag = container_tag("kinds", &format!("pod-{number}"), "app");
        let record = br#"{"log":"job j-1 done"}"#;
        let reply = guest.call(EVENTS, &tag, TIME, record, Handover::Json);
        assert_ne!(reply.expect("no record traps"), Reply::Null, "{number}");
    }
}

/// How many mutated records are tried, unless the environment says `MUTATED_RECORDS`.
const MUTATED_RECORDS: u32 = 3_000;

/// The filter twice: as Fluent Bit would run it, and natively. Both have met the same records.
struct Twins {
    guest: Guest,
    native: Filter,
}

impl Twins {
    fn start() -> Twins {
        let mut native = Filter::default();
        native.reload(&rule_files());
        Twins { guest: start(), native }
    }

    /// As [`check`], and both say the same.
    fn check(&mut self, tag: &str, time: (u32, u32), record: &[u8]) {
        // A zero byte that is counted may be one of MessagePack.
        let counted = [record, b"\0"].concat();
        for (mode, function) in [(Mode::Events, EVENTS), (Mode::Annotate, ANNOTATE)] {
            for handover in Handover::ALL {
                let seen = if handover == Handover::JsonCounted { &counted } else { record };
                let shown = || format!("{function} {handover:?} {}", record.escape_ascii());
                let reply = self
                    .guest
                    .call(function, tag, time, record, handover)
                    .unwrap_or_else(|trap| panic!("{}: {trap:?}", shown()));
                check_readable(function, record, &reply);
                let native = native(&mut self.native, mode, tag, time, seen);
                assert_eq!(reply, native, "{}", shown());
            }
        }
    }
}

/// Changes some bytes of a record, doubles them, cuts them out, or joins others to them.
fn mutate(record: &mut Vec<u8>, other: &[u8], edits: &[Edit]) {
    for (from, to, kind, byte) in edits {
        if record.is_empty() {
            return;
        }
        let (from, to) = (from.index(record.len()), to.index(record.len()));
        let range = from.min(to)..from.max(to);
        match kind {
            0 => record[from] = *byte,
            1 => record[from] ^= 1 << (byte % 8),
            2 => record.insert(from, *byte),
            3 => {
                record.drain(range);
            }
            _ => {
                let part = other.get(range.clone()).unwrap_or(other).to_vec();
                record.splice(range, part);
            }
        }
    }
}

type Edit = (prop::sample::Index, prop::sample::Index, u8, u8);

/// Mutated records, each after the record that it was made of: what is remembered of that one must
/// not make the answer another one.
#[test]
fn mutated_records() {
    let twins = RefCell::new(Twins::start());
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    let small = |bytes: &Vec<u8>| bytes.len() < 2_000;
    for record in records().into_iter().step_by(37).chain([full_record()]) {
        seeds.extend([record.json, record.msgpack].into_iter().filter(small));
    }
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0u8..5, any::<u8>());
    let strategy = (
        prop::sample::select(seeds.clone()),
        prop::sample::select(seeds),
        prop::collection::vec(edit, 1..8),
    );
    let cases = std::env::var("MUTATED_RECORDS").ok().and_then(|cases| cases.parse().ok());
    let cases = cases.unwrap_or(MUTATED_RECORDS);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |(mut record, other, edits)| {
        let mut twins = twins.borrow_mut();
        if edits.len() % 2 == 0 {
            twins.check(&tag(), TIME, &record);
        }
        mutate(&mut record, &other, &edits);
        twins.check(&tag(), TIME, &record);
        Ok(())
    });
    if let Err(fault) = outcome {
        panic!("{fault}");
    }
}

/// A trap must cost only its own record, and however many there are, no record after them.
#[test]
fn records_after_a_trap() {
    let mut guest = start();
    let record = Record::new(&tag(), TIME, &serde_json::json!({"log": "job j-1 done"}));
    let other = Record::new(&tag(), TIME, &serde_json::json!({"log": "x"}));
    for traps in 0..300 {
        // After so many traps that something must be wrong, records are no longer looked at.
        let gave_up = traps >= 64;
        assert_eq!(guest.traps(EVENTS), !gave_up, "after {traps} traps");
        let mut call = |function, record: &Record| {
            guest
                .call(function, &record.tag, record.time, &record.json, Handover::Json)
                .expect("this record does not trap")
        };
        let reply = call(EVENTS, &record);
        assert_eq!(reply == Reply::Null, gave_up, "after {traps} traps: {reply:?}");
        assert_eq!(call(EVENTS, &other), Reply::Null);
        assert_eq!(call(ANNOTATE, &other), Reply::Input);
    }
    let log = guest.log();
    assert_eq!(log.matches("no longer looked at").count(), 1, "{log}");
}
