//! The past rebuilt by other rules, out of the lines that a store kept.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::Arc;

use common::{Answer, LOG, Place, RULES, project_file};
use serde_json::{Value, json};
use statetrail_event::{Change, Event, EventId, Source, Time};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{EventStore, KnownEvent};

/// Imports from the store of the place into `new.db`, by the rules in the folder `new`.
const REBUILD: [&str; 7] =
    ["import", "--rules", "new", "--from", "sqlite:store.db", "--store", "sqlite:new.db"];

/// The usual rules, corrected: another field for the method, and one more event for a payment.
fn corrected() -> String {
    RULES.replace("method: <method>", "paid_by: <method>").replace(
        "        event: accepted\n        set: {paid_by: <method>}\n",
        "        event: accepted\n        set: {paid_by: <method>}\n      \
         - {entity: customer/of-<order>, event: paid}\n",
    )
}

fn rebuild(place: &Place, options: &[&str]) -> Answer {
    place.run([&REBUILD, options].concat())
}

/// The events of a store as they are told.
fn events(place: &Place, store: &str) -> Vec<Value> {
    let events = place.run(["events", "--store", store, "-o", "json"]).json();
    events.as_array().unwrap().clone()
}

/// The same, but for when they became known.
fn facts(place: &Place, store: &str) -> Vec<Value> {
    let mut events = events(place, store);
    for event in &mut events {
        event.as_object_mut().unwrap().remove("known_at");
    }
    events
}

#[test]
fn it_is_what_an_import_by_the_new_rules_would_have_made() {
    let place = Place::with_log();
    place.write("new/rules.yaml", corrected());
    let report = rebuild(&place, &["-o", "json"]).expect_code(0).json();
    for (field, expected) in [
        ("lines", 6),
        ("matched", 6),
        ("unmatched", 0),
        ("failed", 0),
        ("events", 10),
        ("events_new", 10),
        ("passed_over", 0),
    ] {
        assert_eq!(report[field], json!(expected), "{field}");
    }
    let of_store = &report["logs"][0];
    assert_eq!(of_store["log"], json!("sqlite:store.db"));
    assert_eq!((&of_store["format"], &of_store["extent"]), (&json!("store"), &json!("whole")));
    assert_eq!(
        report["rules"][1],
        json!({"rule": "rules.yaml/paid", "lines": 2, "events": 6, "events_failed": 0})
    );

    let fresh = ["import", "--rules", "new", "--store", "sqlite:fresh.db", "app.log"];
    place.run(fresh).expect_code(0);
    let rebuilt = facts(&place, "sqlite:new.db");
    assert_eq!(rebuilt, facts(&place, "sqlite:fresh.db"));
    assert_eq!(rebuilt.len(), 10);
    for entity in ["order/o-1042", "payment/p-o-1043", "customer/of-o-1042"] {
        let show = |store: &str| {
            let at = ["--at", "2030-01-01", "-o", "json", "--store", store];
            place.run([&["show", entity][..], &at].concat()).expect_code(0).json()
        };
        assert_eq!(show("sqlite:new.db"), show("sqlite:fresh.db"), "{entity}");
    }

    // As the old rules made them, the events are still there.
    assert_eq!(events(&place, "sqlite:store.db").len(), 8);
    let again = rebuild(&place, &["-o", "json"]).expect_code(0).json();
    assert_eq!((&again["events_new"], &again["events_known"]), (&json!(0), &json!(10)));
    assert_eq!(facts(&place, "sqlite:new.db"), rebuilt);
}

/// What was known when is asked of the line: its events by new rules could have been known with it.
#[test]
fn what_was_known_stays_known_since_then() {
    let place = Place::new();
    let (early, late) = LOG.split_at(LOG.find("2026-11-22 10:03").unwrap());
    place.write("app.log", early);
    place.run(["import", "--rules", "rules.yaml", "app.log"]).expect_code(0);
    let known_first = events(&place, "sqlite:store.db")[0]["known_at"].clone();
    place.write("app.log", format!("{early}{late}"));
    place.run(["import", "--rules", "rules.yaml", "app.log"]).expect_code(0);
    place.write("new/rules.yaml", corrected());
    rebuild(&place, &[]).expect_code(0);

    let known_at = |store: &str| -> BTreeMap<String, Value> {
        let of = |event: &Value| (event["line"].to_string(), event["known_at"].clone());
        events(&place, store).iter().map(of).collect()
    };
    let (old, new) = (known_at("sqlite:store.db"), known_at("sqlite:new.db"));
    assert_eq!(new, old);
    assert!(new.values().any(|known_at| *known_at != known_first), "all became known at once");
    let shown = |known_at: &str, code: i32| {
        let command = ["show", "o-1043", "--at", "2030-01-01", "--as-known-at", known_at];
        let store = ["--store", "sqlite:new.db", "-o", "json"];
        place.run([&command[..], &store].concat()).expect_code(code)
    };
    let then = shown(known_first.as_str().unwrap(), 0).json();
    assert_eq!(then["state"]["status"], json!("placed"));
    shown("2020-01-01", 3);
    let now = place.run(["show", "o-1043", "--store", "sqlite:new.db", "-o", "json"]);
    assert_eq!(now.expect_code(0).json()["state"]["paid_by"], json!("invoice"));
}

/// Logs of two pods of a namespace, which write the same at the same time, and one of a file.
fn two_pods(place: &Place) {
    let id = "0123456789abcdef".repeat(4);
    let line = "2026-11-22T10:00:00.000000001Z stdout F order o-1 paid by card\n";
    let placed = "2026-11-22T10:00:00Z stdout F order o-1 placed amount=2 by bob\n";
    place.write(&format!("checkout-1_shop_app-{id}.log"), format!("{placed}{line}"));
    place.write(&format!("checkout-2_shop_app-{id}.log"), line);
    let bank = RULES.replace("[shop]", "[bank, 'bank-*']");
    place.write("old/bank.yaml", bank.replace("order/", "debt/"));
    place.write("old/shop.yaml", RULES);
    place.write("bank.log", LOG);
    let files = [1, 2].map(|pod| format!("checkout-{pod}_shop_app-{id}.log"));
    place.run(["import", "--rules", "old", &files[0], &files[1]]).expect_code(0);
    place.run(["import", "--rules", "old", "--namespace", "bank", "bank.log"]).expect_code(0);
}

#[test]
fn by_the_same_rules_every_event_is_the_same() {
    let place = Place::new();
    two_pods(&place);
    let old = events(&place, "sqlite:store.db");
    assert_eq!(old.len(), 13, "{old:?}");
    let again = |store: &str, options: &[&str]| {
        let command = ["import", "--rules", "old", "--from", "sqlite:store.db", "--store", store];
        place.run([&command, options, &["-o", "json"]].concat()).expect_code(0).json()
    };
    let report = again("sqlite:new.db", &[]);
    assert_eq!((&report["lines"], &report["matched"]), (&json!(9), &json!(9)));
    assert_eq!(events(&place, "sqlite:new.db"), old);

    let report = again("sqlite:bank.db", &["--namespace", "bank"]);
    assert_eq!(report["lines"], json!(6));
    let of_bank: Vec<Value> =
        old.iter().filter(|event| event["source"] == json!("/bank")).cloned().collect();
    assert_eq!(events(&place, "sqlite:bank.db"), of_bank);

    let report = again("sqlite:late.db", &["--since", "2026-11-22T10:01:00Z", "--utc"]);
    assert_eq!((&report["lines"], &report["earlier"]), (&json!(3), &json!(0)));
    let since = |event: &&Value| event["time"].as_str() >= Some("2026-11-22T10:01:00Z");
    let late: Vec<Value> = old.iter().filter(since).cloned().collect();
    assert_eq!(events(&place, "sqlite:late.db"), late);
}

#[test]
fn lines_that_no_new_rule_takes_are_told() {
    let place = Place::with_log();
    place.write("new/rules.yaml", RULES.replace("<order> cancelled'", "<order> cancelled now'"));
    let told = rebuild(&place, &[]).expect_code(0).out;
    assert!(told.starts_with("6 lines of 1 store in "), "{told}");
    assert!(
        told.contains("  matched                5  lines\n  unmatched              1  line\n"),
        "{told}"
    );
    place.write("new/rules.yaml", RULES.replace("[shop]", "[bank]"));
    let command = ["import", "--rules", "new", "--from", "sqlite:store.db"];
    place
        .run([&command[..], &["--store", "sqlite:bank.db"]].concat())
        .expect_code(3)
        .expect_error("no rule file of new applies to a line of sqlite:store.db");
    assert!(!place.path("bank.db").exists());
}

#[test]
fn where_no_line_is_kept_there_is_none_to_be_read() {
    let place = Place::with_log();
    place.write("new/rules.yaml", RULES);
    for (options, said) in [
        (&["--namespace", "nope"][..], "sqlite:store.db keeps no line of the namespace \"nope\"\n"),
        (&["--since", "2027-01-01"], "sqlite:store.db keeps no line since 2027-01-01\n"),
    ] {
        let refused = rebuild(&place, options).expect_code(3).expect_error(said);
        assert_eq!(refused.out, "");
    }
    assert!(!place.path("new.db").exists());
}

/// As rules are made better step by step, one tries the next ones on the same store.
#[test]
fn events_that_stay_as_they_are_are_told() {
    let place = Place::with_log();
    place.write("new/rules.yaml", RULES);
    let first = rebuild(&place, &[]).expect_code(0).out;
    assert!(!first.contains("note:"), "{first}");
    place.write("new/rules.yaml", corrected());
    let again = rebuild(&place, &[]).expect_code(0).out;
    let told = "note: 8 events were there already and stay as they are; rules that changed need a new store\n";
    assert!(again.contains(told), "{again}");
    // A log is simply imported again, which needs no telling.
    let log = place.run(["import", "--rules", "rules.yaml", "app.log"]).expect_code(0).out;
    assert!(log.contains("8 already known") && !log.contains("note:"), "{log}");
}

/// The lines of the samples of the shop's rules, which are for some containers only.
fn shop_log(rules: &str) -> String {
    let rules: Value = serde_saphyr::from_str(rules).unwrap();
    let samples = rules["rules"].as_array().unwrap().iter().flat_map(|rule| {
        rule["samples"].as_array().unwrap().iter().map(|sample| sample["line"].as_str().unwrap())
    });
    samples.map(|line| format!("{line}\n")).collect()
}

/// A plain log is of no container, when it is imported and when its store is read.
#[test]
fn rules_for_containers_make_the_same_of_a_plain_log() {
    let place = Place::new();
    let rules = std::fs::read_to_string(project_file("fluent-bit/rules/shop.yaml")).unwrap();
    place.write("app.log", shop_log(&rules));
    place.write("new/shop.yaml", rules);
    place.run(["import", "--rules", "new", "app.log"]).expect_code(0);
    let made = events(&place, "sqlite:store.db");
    assert!(made.len() > 10, "{} events", made.len());
    rebuild(&place, &[]).expect_code(0);
    assert_eq!(events(&place, "sqlite:new.db"), made);
    let named = ["--store", "sqlite:named.db", "--namespace", "shop", "app.log"];
    place.run([&["import", "--rules", "new"][..], &named].concat()).expect_code(0);
    assert_eq!(facts(&place, "sqlite:named.db"), facts(&place, "sqlite:new.db"));
}

/// What another producer said, and what a filter tells about itself, is in no log of ours.
#[test]
fn events_that_no_rule_made_are_left_and_counted() {
    let place = Place::with_log();
    let others = [("/statetrail", None, None), ("https://ci.example/1", Some("x"), Some("a/b"))];
    let others: Vec<KnownEvent> = (1..)
        .zip(others)
        .map(|(number, (uri, line, rule))| {
            let time = Time::from_nanos(1_790_000_000_000_000_000);
            let event = Event {
                id: EventId([number; 16]),
                entity: "shop/order/o-1042".parse().unwrap(),
                name: "noted".to_owned(),
                time,
                seq: 0,
                changes: vec![Change::set("note", "x")],
                source: Arc::new(Source { uri: uri.to_owned(), ..Source::default() }),
                offset: None,
                rule: rule.map(Into::into),
                line: line.map(str::to_owned),
            };
            KnownEvent { event, known_at: time }
        })
        .collect();
    let store = SqliteStore::open(&place.path("store.db")).unwrap();
    pollster::block_on(store.append(&others)).unwrap();
    place.write("new/rules.yaml", RULES);
    let told = rebuild(&place, &[]).expect_code(0).out;
    assert!(
        told.contains("  left                   2  events that no rule made of a line\n"),
        "{told}"
    );
    let report = rebuild(&place, &["-o", "json"]).expect_code(0).json();
    assert_eq!((&report["lines"], &report["passed_over"]), (&json!(6), &json!(2)));
    assert_eq!(events(&place, "sqlite:new.db").len(), 8);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let place = Place::with_log();
    place.write("new/rules.yaml", RULES);
    let run = |from: &str, options: &[&str]| {
        let command = ["import", "--rules", "new", "--from", from];
        place.run([&command[..], options].concat())
    };
    let before = place.counts();
    for from in ["sqlite:store.db", "sqlite:./new/../store.db"] {
        run(from, &[])
            .expect_code(2)
            .expect_error("is both where lines are read and where events shall go")
            .expect_error("name it with --store");
    }
    assert_eq!(place.counts(), before);
    let mut command = place.command(["import", "--rules", "new", "--from", "sqlite:store.db"]);
    let output = command.env_remove("STATETRAIL_STORE").output().unwrap();
    Answer::of(output)
        .expect_code(2)
        .expect_error("--from needs --store")
        .expect_error("name it with --store, such as --store sqlite:by-new-rules.db");
    let other = ["--store", "sqlite:new.db"];
    run("sqlite:none.db", &other)
        .expect_code(5)
        .expect_error("none.db: there is no store")
        .expect_error("--from names the store that has the lines");
    run("store.db", &other).expect_code(2).expect_error("write --from sqlite:store.db");
    run("cassandra://127.0.0.1:1/trail", &other)
        .expect_code(5)
        .expect_error("refused the connection");
    run("sqlite:store.db", &["app.log"]).expect_code(2).expect_error("cannot be used with");
    run("sqlite:store.db", &["--format", "cri"]).expect_code(2).expect_error("cannot be used with");
    place.run(["import", "--rules", "new"]).expect_code(2).expect_error("<FILE>...");
    assert!(!place.path("new.db").exists());
}

#[cfg(unix)]
#[test]
fn one_that_was_interrupted_is_completed_by_another() {
    const LINES: usize = 50_000;
    let place = Place::new();
    let mut log = String::new();
    for number in 0..LINES {
        let (minute, second, milli) = (number / 60_000, number / 1_000 % 60, number % 1_000);
        let time = format!("2026-11-22 10:{minute:02}:{second:02}.{milli:03}");
        writeln!(log, "{time} order o-{} placed amount={number} by ann", number % 500).unwrap();
    }
    place.write("app.log", log);
    place.run(["import", "--rules", "rules.yaml", "app.log"]).expect_code(0);
    place.write("new/rules.yaml", RULES);

    let mut command = place.command([&REBUILD[..], &["--progress", "lines"]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // There are more batches than the first.
    let answer = Answer::of_interrupted_import(command.spawn().unwrap());
    assert!(answer.out.contains("import again to complete it"), "{}", answer.out);
    assert!(answer.out.contains("1 store imported in part: sqlite:store.db"), "{}", answer.out);

    let report = rebuild(&place, &["-o", "json"]).expect_code(0).json();
    let number = |field: &str| report[field].as_u64().unwrap() as usize;
    assert!(number("events_known") > 0 && number("events_new") > 0, "{report}");
    assert_eq!((number("lines"), number("events")), (LINES, LINES));
    let count = |store: &str| {
        let events = place.run(["events", "--store", store, "-o", "csv"]).expect_code(0).out;
        events.lines().count() - 1
    };
    assert_eq!((count("sqlite:store.db"), count("sqlite:new.db")), (LINES, LINES));
}
