//! The demo, as a new user runs it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{Answer, Place};
use serde_json::json;

#[test]
fn the_demo_finds_no_difference_and_its_commands_work() {
    let place = Place::new();
    let mut command = place.command(["demo", "--once"]);
    command.env_remove("STATETRAIL_STORE").env("XDG_DATA_HOME", place.path("data"));
    let answer = Answer::of(command.output().unwrap()).expect_code(0);
    assert!(answer.out.contains("Compared 10,000 states with the shop's own truth: all equal."));
    for command in ["show", "log", "diff", "blame"] {
        assert!(answer.out.contains(&format!("$ statetrail {command} ")), "{}", answer.out);
    }
    assert!(answer.out.lines().all(|line| line.chars().count() <= 100), "{}", answer.out);
    let (_, commands) = answer.out.split_once("\nGo on with:\n").unwrap();
    let mut run = 0;
    let store = format!("sqlite:{}", place.path("data/statetrail/demo.db").display());
    for line in commands.lines().map_while(|line| line.strip_prefix("  ")) {
        if let Some(named) = line.strip_prefix("export STATETRAIL_STORE=") {
            assert_eq!(named, store);
            continue;
        }
        let words = line.strip_prefix("statetrail ").unwrap().split('"').enumerate();
        let words = words.flat_map(|(number, part)| match number % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        let words: Vec<String> = words.chain(["--store".to_owned(), store.clone()]).collect();
        let answer = place.run(words).expect_code(0);
        assert!(!answer.out.is_empty(), "{line}");
        run += 1;
    }
    assert!(run >= 4, "{commands}");
}

#[test]
fn the_demo_reports_to_scripts_and_keeps_the_logs_if_asked() {
    let place = Place::new();
    let report = place.run(["demo", "--once", "--keep", "--seed", "7", "-o", "json"]);
    let report = report.expect_code(0).json();
    assert_eq!(report["differing"], json!(0));
    assert_eq!(report["moments"], json!(10_000));
    assert_eq!(report["lines"].as_u64().unwrap() / 1_000, 100);
    assert_eq!(report["events"], json!(place.counts().events));
    let page = std::fs::read_to_string(common::project_file("docs/output.md")).unwrap();
    let (_, documented) = page.split_once("## demo\n").unwrap();
    let (_, documented) = documented.split_once("```json\n").unwrap();
    let (documented, _) = documented.split_once("\n```").unwrap();
    let documented: serde_json::Value = serde_json::from_str(documented).unwrap();
    let fields = |document: &serde_json::Value| {
        document.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(fields(&report), fields(&documented));
    let logs = std::path::PathBuf::from(report["logs"].as_str().unwrap());
    assert!(std::fs::read_dir(&logs).unwrap().count() > 5);
    std::fs::remove_dir_all(logs).unwrap();
    place.run(["demo", "--once"]).expect_code(5).expect_error("without events");
}

#[test]
fn a_second_demo_leaves_the_store_of_the_first_alone() {
    let place = Place::new();
    let demo = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env_remove("STATETRAIL_STORE").env("XDG_DATA_HOME", place.path("data"));
        command
    };
    let mut first = demo(&["demo", "--listen", "127.0.0.1:0", "-o", "jsonl"]);
    let mut first = first.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"address\"")));
    let second = Answer::of(demo(&["demo", "--once"]).output().unwrap());
    second.expect_code(5).expect_error("another demo is running on this store");
    let store = format!("sqlite:{}", place.path("data/statetrail/demo.db").display());
    place.run(["ls", "--store", store.as_str()]).expect_code(0);
    first.kill().unwrap();
    first.wait().unwrap();
    Answer::of(demo(&["demo", "--once"]).output().unwrap()).expect_code(0);
}

#[test]
fn the_demo_is_for_this_machine_alone() {
    let place = Place::new();
    let answer = place.run(["demo", "--listen", "0.0.0.0:0"]);
    answer.expect_code(2).expect_error("can be reached from other machines");
}
