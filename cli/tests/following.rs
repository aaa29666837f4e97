//! `--follow`: what is there, then what arrives, each event once.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use common::Place;
use serde_json::Value;

/// A command that goes on until it is told to end.
struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn start<const N: usize>(place: &Place, args: [&str; N]) -> Following {
        let mut child = place.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Following { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("it goes on").unwrap()
    }

    /// The entity and the name of the next event, as `order/o-1 paid`.
    fn event(&mut self) -> String {
        let event: Value = serde_json::from_str(&self.line()).unwrap();
        let entity = event["entity"].as_str().unwrap().trim_start_matches("shop/");
        format!("{entity} {}", event["event"].as_str().unwrap())
    }

    fn events(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.event()).collect()
    }

    /// Presses Ctrl-C, and gives the exit code and what came until then.
    fn interrupt(mut self) -> (Option<i32>, Vec<String>) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
        let rest = self.lines.by_ref().map(Result::unwrap).collect();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }
}

fn import(place: &Place, log: &str) {
    place.write("more.log", log);
    place.run(["import", "--rules", "rules.yaml", "more.log"]).expect_code(0);
}

#[test]
fn events_go_on_as_they_arrive_also_late_ones() {
    let place = Place::with_log();
    let there = place.run(["events", "-o", "jsonl"]).expect_code(0).json_lines().len();
    let mut following = Following::start(&place, ["events", "--follow", "-o", "jsonl"]);
    assert_eq!(following.events(there).len(), 8);
    import(&place, "2026-11-22 11:00:00 order o-3000 placed amount=1 by ann\n");
    assert_eq!(following.events(1), ["order/o-3000 placed"]);
    // A copy, an event that is late, and one with a payment.
    import(
        &place,
        "2026-11-22 11:00:00 order o-3000 placed amount=1 by ann\n\
         2026-11-21 09:00:00 order o-3001 placed amount=1 by ann\n",
    );
    assert_eq!(following.events(1), ["order/o-3001 placed"]);
    import(&place, "2026-11-22 11:02:00 order o-3000 paid by card\n");
    let mut paid = following.events(2);
    paid.sort();
    assert_eq!(paid, ["order/o-3000 paid", "payment/p-o-3000 accepted"]);
    assert_eq!(following.interrupt(), (Some(130), vec![]));
}

#[test]
fn only_what_was_asked_for_is_followed() {
    let place = Place::with_log();
    let args = ["events", "-f", "-o", "jsonl", "--since", "2026-11-22 10:30", "--type", "order"];
    let mut following = Following::start(&place, args);
    import(
        &place,
        "2026-11-22 10:10:00 order o-3000 placed amount=1 by ann\n\
         2026-11-22 11:02:00 order o-3000 paid by card\n",
    );
    assert_eq!(following.events(1), ["order/o-3000 paid"]);
    assert_eq!(following.interrupt(), (Some(130), vec![]));
    let args = ["events", "-f", "-o", "csv", "--grep", "o-4000", "--limit", "1"];
    let mut following = Following::start(&place, args);
    assert!(following.line().starts_with("entity,event,"));
    import(
        &place,
        "2026-11-22 11:10:00 order o-3000 cancelled\n\
         2026-11-22 11:11:00 order o-4000 placed amount=1 by ann\n\
         2026-11-22 11:12:00 order o-4000 cancelled\n",
    );
    assert!(following.line().contains("o-4000"));
    assert!(following.lines.next().is_none(), "one was asked for");
    assert_eq!(following.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_log_goes_on_with_the_state_after_each_event() {
    let place = Place::with_log();
    let args = ["log", "shop/order/o-1042", "--follow", "-o", "jsonl"];
    let mut following = Following::start(&place, args);
    assert_eq!(following.events(3)[2], "order/o-1042 cancelled");
    import(
        &place,
        "2026-11-22 10:04:00 order o-1042 paid by invoice\n\
         2026-11-22 11:00:00 order o-10421 placed amount=1 by ann\n",
    );
    let late: Value = serde_json::from_str(&following.line()).unwrap();
    assert_eq!(late["state"]["method"], "invoice", "{late}");
    assert_eq!(late["state"]["amount"], 12.5, "{late}");
    assert_eq!(following.interrupt(), (Some(130), vec![]));
    let mut following = Following::start(&place, ["log", "o-1043", "-f", "--since", "10:00"]);
    assert!(following.line().starts_with("shop/order/o-1043"));
    import(&place, "2099-11-22 11:00:00 order o-1043 cancelled\n");
    assert_eq!(following.line(), "");
    assert!(following.line().contains("cancelled"));
    assert_eq!(following.interrupt().0, Some(130));
}

#[test]
fn a_closed_pipe_ends_it_and_a_document_is_refused() {
    let place = Place::with_log();
    let mut child = place.command(["events", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut String::new()).unwrap();
    drop(reader);
    let begun = Instant::now();
    let mut second = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it goes on without a reader");
        import(&place, &format!("2026-11-22 12:00:{second:02} order o-1 cancelled\n"));
        second = (second + 1) % 60;
    };
    assert_eq!(status.code(), Some(0));
    place.run(["events", "--follow", "-o", "json"]).expect_code(2).expect_error("--output jsonl");
    place.run(["events", "--follow", "--until", "now"]).expect_code(2);
    place.run(["log", "o-1042", "--follow", "--reverse"]).expect_code(2);
}
