//! Imports of real files by the real binary.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use common::{Answer, LOG, Place, gzip};
use serde_json::json;
use statetrail_store::Counts;

const IMPORT: [&str; 3] = ["import", "--rules", "rules.yaml"];

fn import(files: &[&str]) -> Vec<String> {
    IMPORT.iter().chain(files).map(|text| (*text).to_owned()).collect()
}

#[test]
fn the_report_counts_every_line() {
    let place = Place::new();
    place.write("app.log", LOG);
    let report = place.run(import(&["app.log", "-o", "json"])).expect_code(0).json();
    for (field, expected) in [
        ("lines", 7),
        ("matched", 6),
        ("unmatched", 1),
        ("pieces", 0),
        ("failed", 0),
        ("events", 8),
        ("events_new", 8),
        ("events_known", 0),
        ("events_failed", 0),
    ] {
        assert_eq!(report[field], json!(expected), "{field}");
    }
    let rules = json!([
        {"rule": "rules.yaml/placed", "lines": 3, "events": 3, "events_failed": 0},
        {"rule": "rules.yaml/paid", "lines": 2, "events": 4, "events_failed": 0},
        {"rule": "rules.yaml/cancelled", "lines": 1, "events": 1, "events_failed": 0},
    ]);
    assert_eq!(report["rules"], rules);
    assert_eq!(report["logs"][0]["format"], json!("plain"));
    assert_eq!(place.counts(), Counts { entities: 5, events: 8 });
}

#[test]
fn however_a_log_is_stored_the_store_holds_the_same() {
    let place = Place::new();
    place.write("app.log", LOG);
    place.write("app.log.gz", gzip(LOG.as_bytes()));
    place.write("app.log.zst", zstd::encode_all(LOG.as_bytes(), 3).unwrap());
    place.run(import(&["app.log"])).expect_code(0);
    let counts = place.counts();
    for files in [&["app.log"][..], &["app.log.gz"], &["app.log.zst"], &["app.log", "app.log.gz"]] {
        let report = place.run(import(&[files, &["-o", "json"]].concat())).expect_code(0).json();
        assert_eq!(report["events_new"], json!(0), "{files:?}");
        assert_eq!(report["events_known"], report["events"], "{files:?}");
        assert_eq!(place.counts(), counts, "{files:?}");
    }
    for input in [LOG.as_bytes().to_vec(), gzip(LOG.as_bytes())] {
        let args = import(&["-", "-o", "json"]);
        let report = place.run_with_input(args, &input).expect_code(0).json();
        assert_eq!(report["events_new"], json!(0));
        assert_eq!(report["events"], json!(8));
    }
}

#[test]
fn a_log_that_has_grown_adds_only_what_is_new() {
    let place = Place::new();
    let (before, _) = LOG.split_at(LOG.find("2026-11-22 10:03").unwrap());
    place.write("app.log", before);
    place.run(import(&["app.log"])).expect_code(0);
    place.write("app.log", LOG);
    let report = place.run(import(&["app.log", "-o", "json"])).expect_code(0).json();
    assert_eq!(report["events_known"], json!(4));
    assert_eq!(report["events_new"], json!(4));
}

#[test]
fn container_logs_take_namespace_and_pod_from_their_name() {
    let place = Place::new();
    let id = "0123456789abcdef".repeat(4);
    let cri = format!("checkout-6f9c_shop_app-{id}.log");
    place.write(
        &cri,
        "2026-11-22T10:00:00.000000001Z stdout P order o-1 \n\
         2026-11-22T10:00:00.000000002Z stderr F order o-2 placed amount=2 by bob\n\
         2026-11-22T10:00:00.000000003Z stdout F placed amount=1 by ann\n\
         not a CRI line\n\
         2026-11-22T10:00:01Z stderr P order o-1 paid by\n\
         2026-11-22T10:00:01Z stdout P order o-2 paid by\n\
         2026-11-22T10:00:02Z stdout P one more\n",
    );
    let docker = "shop_web-1_0123456789abcdef0123456789abcdef/app/0.log";
    place.write(
        docker,
        "{\"log\":\"order o-3 placed amount=3 by eve\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T10:00:02Z\"}\n",
    );
    let other = format!("x_elsewhere_app-{id}.log");
    place.write(&other, "2026-11-22T10:00:00Z stdout F order o-4 placed amount=4 by dan\n");
    let args = import(&[&cri, docker, &other, "-o", "json"]);
    let report = place.run(args).expect_code(0).json();
    let logs = &report["logs"];
    assert_eq!(logs[0]["format"], json!("cri"));
    assert_eq!(logs[0]["lines"], json!(7));
    assert_eq!(logs[0]["matched"], json!(2));
    assert_eq!(logs[0]["pieces"], json!(2));
    assert_eq!(
        logs[0]["failures"],
        json!([
            {"reason": "not_cri", "lines": 1, "first_line": 4},
            {"reason": "last_piece_missing", "lines": 2, "first_line": 5},
        ])
    );
    assert_eq!(logs[1]["format"], json!("docker"));
    assert_eq!(logs[1]["matched"], json!(1));
    assert_eq!(logs[2]["has_rules"], json!(false));
    assert_eq!(logs[2]["unmatched"], json!(1));
    assert_eq!(place.counts().entities, 3);
}

#[test]
fn a_namespace_may_be_given() {
    let place = Place::new();
    place.write("globs.yaml", common::RULES.replace("[shop]", "['shop-*']"));
    place.write("app.log", LOG);
    let globs = ["import", "--rules", "globs.yaml", "app.log"];
    place.run(globs).expect_code(3).expect_error("--namespace");
    place
        .run([&globs[..], &["--namespace", "web"]].concat())
        .expect_code(3)
        .expect_error("\"web\"");
    place.run([&globs[..], &["--namespace", "shop-eu"]].concat()).expect_code(0);
    assert_eq!(place.counts().entities, 5);
}

#[test]
fn lines_that_cannot_be_used_are_counted() {
    let place = Place::new();
    let long = "x".repeat((1 << 20) + 1);
    place.write(
        "app.log",
        format!(
            "order o-1 placed amount=1 by ann\n\
             2026-11-22 10:00:00 order o-2 placed amount=2 by bob\n\
             {long}\n\
             order o-3 placed amount=3 by eve\n"
        ),
    );
    let report = place.run(import(&["app.log", "-o", "json"])).expect_code(0).json();
    assert_eq!(
        report["logs"][0]["failures"],
        json!([
            {"reason": "too_long", "lines": 1, "first_line": 3},
            {"reason": "no_time", "lines": 1, "first_line": 1},
        ])
    );
    assert_eq!(report["lines"], json!(4));
    assert_eq!(report["matched"], json!(2));
}

#[test]
fn lines_of_a_moment_that_comes_again_keep_their_order() {
    let place = Place::new();
    place.write(
        "app.log",
        "2026-11-22 10:00:00 order o-1 placed amount=1 by ann\n\
         2026-11-22 10:00:00 order o-1 placed amount=2 by ann\n\
         2026-11-22 10:00:01 nothing that a rule knows\n\
         2026-11-22 10:00:00 order o-1 placed amount=1 by ann\n\
         2026-11-22 10:00:01 nothing that a rule knows\n\
         2026-11-22 10:00:00 order o-1 placed amount=3 by ann\n",
    );
    place.run(import(&["app.log"])).expect_code(0);
    assert_eq!(place.counts(), Counts { entities: 1, events: 4 });
    let shown = place.run(["show", "o-1", "-o", "json"]).expect_code(0).json();
    assert_eq!(shown["state"]["amount"], json!(3));
}

#[test]
fn a_line_whose_time_is_written_otherwise_keeps_its_own() {
    let place = Place::new();
    let usual: String = (0..50)
        .map(|second| {
            format!("2026-11-22 10:00:{second:02} order o-{second} placed amount=1 by ann\n")
        })
        .collect();
    let written = "2026-11-22T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let path = place.write(
        "app.log",
        format!("{usual}Nov 22 11:00:05 host order o-5 paid by card\n2026-13-22 11:00:06 order o-6 cancelled\n"),
    );
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(written.into()).unwrap();
    let report = place.run(import(&["app.log", "-o", "json"])).expect_code(0).json();
    assert_eq!(
        report["logs"][0]["failures"],
        json!([{"reason": "bad_time", "lines": 1, "first_line": 52}])
    );
    let trail = place.run(["log", "order/o-5", "-o", "json"]).expect_code(0).out;
    assert!(trail.contains("2026-11-22T11:00:05Z"), "{trail}");
    let shown = place.run(["show", "order/o-6", "-o", "json"]).expect_code(0).json();
    assert_eq!(shown["state"]["status"], json!("placed"));
}

#[test]
fn times_may_be_of_any_zone_and_format() {
    for (options, line, expected) in [
        (&["--tz", "Europe/Berlin"][..], "2026-11-22 10:00:00", "2026-11-22T09:00:00Z"),
        (&["--utc"], "2026-11-22 10:00:00", "2026-11-22T10:00:00Z"),
        (&["--time-format", "%d.%m.%Y %H:%M"], "22.11.2026 10:00", "2026-11-22T10:00:00Z"),
        (&["--time-format", "epoch"], "1795341600", "2026-11-22T10:00:00Z"),
    ] {
        let place = Place::new();
        place.write("app.log", format!("{line} order o-1 placed amount=1 by ann\n"));
        place.run(import(&[&["app.log"], options].concat())).expect_code(0);
        let events = place.run(["events", "-o", "json"]).expect_code(0).json();
        assert_eq!(events[0]["time"], json!(expected), "{options:?}");
    }
}

#[test]
fn progress_can_be_shown_as_lines() {
    let place = Place::new();
    place.write("app.log", LOG);
    let answer = place.run(import(&["app.log", "--progress", "lines"])).expect_code(0);
    assert_eq!(answer.err, "imported 7 lines, 8 events\n");
    assert!(answer.out.starts_with("7 lines of 1 log in "), "{}", answer.out);
    assert!(answer.out.contains("8 new, 0 already known"), "{}", answer.out);
}

#[test]
fn a_log_of_which_nothing_came_has_a_note() {
    let place = Place::new();
    for (name, text, note) in [
        ("untimed.log", "order o-1 cancelled\n", Some("--time-format: untimed.log")),
        ("other.log", "2026-11-22 10:00:00 x\n", Some("no rule matches any line of other.log")),
        ("good.log", "x\n2026-11-22 10:00:00 order o-1 cancelled\n", None),
        ("empty.log", "", None),
    ] {
        place.write(name, text);
        let told = place.run(import(&[name])).expect_code(0).out;
        match note {
            Some(note) => assert!(told.contains(note), "no {note:?} in {told}"),
            None => assert!(!told.contains("note:"), "{told}"),
        }
    }
    let told = place.run(import(&["other.log"])).expect_code(0).out;
    assert!(told.starts_with("1 line of 1 log in "), "{told}");
}

/// The pipe brings a line, even a piece of one, at a time: what the log is shows only later.
#[test]
fn a_slow_pipe_is_judged_by_whole_lines() {
    let cri: String = (0..40)
        .map(|n| {
            format!("2026-11-22T10:00:00.{n:03}Z stdout F order o-{n} placed amount=1 by ann\n")
        })
        .collect();
    let plain: String = (0..40)
        .map(|n| format!("INFO 2026-11-22 10:00:{n:02} order o-{n} placed amount=1 by ann\n"))
        .collect();
    for (text, format) in [(cri, "cri"), (format!("1700000000 and counting\n{plain}"), "plain")] {
        let whole = Place::new();
        whole.write("app.log", &text);
        whole.run(import(&["app.log"])).expect_code(0);
        let slow = Place::new();
        let mut command = slow.command(import(&["-", "--progress", "lines", "-o", "json"]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
        let (first, rest) = text.split_at(text.find("by ann").unwrap());
        stdin.write_all(first.as_bytes()).unwrap();
        let (second, rest) = rest.split_at(rest.find('\n').unwrap() + 1);
        stdin.write_all(second.as_bytes()).unwrap();
        // The first order is in the store before the second one is written.
        progress.next().unwrap().unwrap();
        stdin.write_all(rest.as_bytes()).unwrap();
        drop(stdin);
        let report = Answer::of(child.wait_with_output().unwrap()).expect_code(0).json();
        assert_eq!(report["logs"][0]["format"], json!(format));
        assert_eq!(report["matched"], json!(40));
        assert_eq!(
            slow.run(["events", "-o", "json"]).ids(),
            whole.run(["events", "-o", "json"]).ids(),
            "{format}"
        );
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_import_tells_what_it_did_not_read() {
    let place = Place::new();
    place.write("app.log", LOG);
    let made = Command::new("mkfifo").arg(place.path("later.pipe")).status().unwrap();
    assert!(made.success());
    let args = import(&["later.pipe", "app.log", "-", "--progress", "lines"]);
    // Of two pipes the first one is waited for: it has a writer, who writes nothing.
    let mut command = place.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut pipe = std::fs::File::options().write(true).open(place.path("later.pipe")).unwrap();
    pipe.write_all(b"2026-11-22 11:00:00 order o-9 placed amount=1 by ann\n").unwrap();
    let told = progress.by_ref().map(Result::unwrap);
    told.take_while(|line| !line.contains("8 lines")).for_each(drop);
    let answer = Answer::of_interrupted(child);
    for told in [
        "import again to complete it",
        "4  rules.yaml/placed",
        "1 log imported in part: later.pipe",
        "1 log not imported: standard input",
    ] {
        assert!(answer.out.contains(told), "no {told:?} in {}", answer.out);
    }
    assert!(!answer.out.contains("app.log"), "it was read to its end: {}", answer.out);
}

/// The past is rebuilt by other rules beside the old events, from a moment on.
#[test]
fn what_is_older_than_asked_for_is_passed_over() {
    let place = Place::new();
    place.write("app.log", LOG);
    let since = ["--since", "2026-11-22T10:00:30Z", "--utc", "-o", "json"].map(str::to_owned);
    let arguments = import(&["app.log"]).into_iter().chain(since);
    let report = place.run(arguments).expect_code(0).json();
    let number = |field: &str| report[field].as_u64().unwrap();
    assert!(number("earlier") > 0 && number("matched") > 0, "{report}");
    assert_eq!(number("lines"), number("earlier") + number("matched") + number("unmatched"));
    let events = place.run(["events", "--utc", "-o", "jsonl"]).expect_code(0).json_lines();
    assert!(events.iter().all(|event| event["time"].as_str() >= Some("2026-11-22T10:00:30Z")));
    let wrong = import(&["app.log", "--since", "soon"]);
    place.run(wrong).expect_code(2).expect_error("--since");
}
