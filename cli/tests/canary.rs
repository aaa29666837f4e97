//! The canary, with an import as the way from its lines to the store.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;

use common::{Answer, Place, project_file};
use serde_json::json;

const LINES: u64 = 40;

/// Lets a canary write so many lines, each of which `way` may change on its way.
fn sing(place: &Place, further: &[&str], way: impl Fn(u64, &str) -> Vec<String>) -> Answer {
    let rules = project_file("fluent-bit/rules/canary.yaml");
    let log = place.path("canary.log");
    assert!(Command::new("mkfifo").arg(&log).status().unwrap().success());
    let canary = ["canary", "--log", "canary.log", "--rate", "100", "--within", "5", "-o", "json"];
    let canary = canary.iter().chain(further);
    let canary =
        place.command(canary).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let import = ["import", "--rules", rules.to_str().unwrap(), "--namespace", "statetrail", "-"];
    let mut import =
        place.command(import).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut into = import.stdin.take().unwrap();
    for (number, line) in (1..).zip(BufReader::new(File::open(&log).unwrap()).lines()) {
        for line in way(number, &line.unwrap()) {
            writeln!(into, "{line}").unwrap();
        }
    }
    let answer = Answer::of(canary.wait_with_output().unwrap());
    drop(into);
    assert!(import.wait().unwrap().success());
    answer
}

fn unchanged(line: &str) -> Vec<String> {
    vec![line.to_owned()]
}

#[test]
fn lines_that_come_through_are_counted_and_timed() {
    let place = Place::with_log();
    let lines = LINES.to_string();
    let report =
        sing(&place, &["--lines", &lines], |_, line| unchanged(line)).expect_code(0).json();
    for (count, expected) in [("written", LINES), ("stored", LINES), ("lost", 0), ("waiting", 0)] {
        assert_eq!(report[count], expected, "{report}");
    }
    assert!(report["p50"].as_f64() <= report["p99"].as_f64() && report["max"].as_f64() > Some(0.0));
    // What it did can be asked like anything else.
    let run = format!("canary/{}", report["run"].as_str().unwrap());
    let state = place.run(["show", &run, "-o", "json"]).expect_code(0).json();
    assert_eq!(state["state"]["number"], LINES);
}

#[test]
fn what_goes_wrong_on_the_way_is_told_apart() {
    let place = Place::with_log();
    let way = |number, line: &str| match number {
        5 => Vec::new(),
        // The same line at another moment is another event.
        7 => vec![line.to_owned(), line.replacen("Z INFO", "1Z INFO", 1)],
        9 => unchanged(&line.replacen(" line 9 ", " line 19 ", 1)),
        _ => unchanged(line),
    };
    let report = sing(&place, &["--lines", &LINES.to_string()], way).expect_code(1).json();
    for (count, expected) in
        [("written", LINES), ("stored", LINES - 2), ("lost", 2), ("doubled", 1), ("wrong", 1)]
    {
        assert_eq!(report[count], expected, "{count}: {report}");
    }
}

#[test]
fn one_without_an_end_tells_its_counts_to_prometheus_and_at_a_signal_what_is_lost() {
    let place = Place::with_log();
    place.write("canary.log", "");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = port.to_string();
    let canary = ["canary", "--log", "canary.log", "--cri", "--rate", "50", "--listen", &listen];
    let canary = canary.iter().chain(&["--within", "1", "-o", "json"]);
    let canary = place.command(canary).stdout(Stdio::piped()).spawn().unwrap();
    let ask = || {
        let mut stream = TcpStream::connect(port).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
        let mut told = String::new();
        stream.read_to_string(&mut told).ok()?;
        Some(told)
    };
    let has_sung = |told: &String| {
        let count =
            told.lines().find_map(|line| line.strip_prefix("statetrail_canary_written_total "));
        count.is_some_and(|count| count.trim().parse::<u64>().unwrap() > 3)
    };
    let told = loop {
        match ask().filter(has_sung) {
            Some(told) => break told,
            None => thread::yield_now(),
        }
    };
    assert!(told.contains("statetrail_canary_latency_seconds_count 0"), "{told}");
    let ended = Command::new("kill").args(["-TERM", &canary.id().to_string()]).status();
    assert!(ended.unwrap().success());
    // Nobody read the log: none of its lines is still on its way when it ends.
    let report = Answer::of(canary.wait_with_output().unwrap()).expect_code(1).json();
    assert_eq!((&report["stored"], &report["waiting"]), (&json!(0), &json!(0)), "{report}");
    assert!(report["lost"] == report["written"] && report["lost"].as_u64() > Some(3), "{report}");
    let log = std::fs::read_to_string(place.path("canary.log")).unwrap();
    let line = log.lines().next().unwrap();
    assert!(line.contains("Z stdout F ") && line.contains(" line 1 check c"), "{line}");
}

#[test]
fn a_signal_lets_it_wait_for_what_is_on_its_way() {
    let place = Place::with_log();
    let asked_to_end = Cell::new(false);
    // The fifth line is held back until nothing is written any more.
    let way = |number, line: &str| {
        let canary = line.split(' ').nth(4).and_then(|run| run.rsplit_once('-'));
        if let (5, Some((_, process)), false) = (number, canary, asked_to_end.get()) {
            let told = Command::new("kill").args(["-TERM", process]).status();
            assert!(told.unwrap().success());
            asked_to_end.set(true);
        }
        unchanged(line)
    };
    let report = sing(&place, &[], way).expect_code(0).json();
    assert!(asked_to_end.get() && report["written"].as_u64() >= Some(5), "{report}");
    assert_eq!(report["stored"], report["written"], "{report}");
}

#[test]
fn what_cannot_be_is_refused() {
    let place = Place::with_log();
    for (arguments, told) in [
        (["--log", "gone/x.log", "--lines", "1"], "gone/x.log: cannot be written"),
        (["--log", "x.log", "--rate", "0"], "lines per second"),
        (["--log", "x.log", "--within", "0"], "seconds"),
        (["--log", "x.log", "--lines", "0"], "0"),
    ] {
        let answer = place.run(["canary"].iter().chain(&arguments));
        assert!(answer.err.contains(told), "{arguments:?}: {}", answer.err);
    }
    let empty = Place::new();
    empty.run(["canary", "--log", "x.log", "--lines", "1"]).expect_code(5).expect_error("no store");
}
