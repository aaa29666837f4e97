//! What a person sees on a terminal, which `script` plays here.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use common::{Answer, Place};

const LONG_ID: &str = "17288ea8-cbf4-4f0e-94fe-853fd2735f29-of-a-kind";

/// The command on a terminal of that many columns; `None` where there is no `script`.
fn on_terminal(place: &Place, columns: usize, words: &str) -> Option<Command> {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no `script` to play a terminal");
        return None;
    }
    let binary = env!("CARGO_BIN_EXE_statetrail");
    let line = format!("stty cols {columns} rows 24 && exec '{binary}' {words}");
    let mut command = Command::new("script");
    command
        .args(["-qefc", &line, "/dev/null"])
        .current_dir(place.path(""))
        .env("STATETRAIL_STORE", "sqlite:store.db")
        .env("TZ", "UTC")
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    Some(command)
}

#[test]
fn events_fit_the_terminal_and_stay_lines_in_a_pipe() {
    let place = Place::new();
    let entity = format!("shop/order/{LONG_ID}");
    let line = format!("2026-11-22 10:00:00 order {LONG_ID} placed amount=12.5 by ann\n");
    place.write("app.log", line);
    place.run(["import", "--rules", "rules.yaml", "app.log"]).expect_code(0);
    for (columns, first) in [
        (120, format!("2026-11-22 10:00:00  {entity}  placed")),
        (80, "2026-11-22 10:00:00  placed".to_owned()),
        (60, "2026-11-22 10:00:00  placed".to_owned()),
    ] {
        let Some(mut command) = on_terminal(&place, columns, "events --color never") else {
            return;
        };
        let answer = Answer::of(command.output().unwrap()).expect_code(0);
        assert!(answer.out.lines().any(|line| line == first), "{columns}: {}", answer.out);
        assert!(answer.out.contains(&entity), "{columns}: {}", answer.out);
        let widest = answer.out.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns), "{columns}: {}", answer.out);
    }
    let piped = place.run(["events"]).expect_code(0);
    assert!(piped.out.starts_with(&format!("2026-11-22 10:00:00  {entity}  placed\n")));
}

/// The terminal shows `^C` where the cursor is. Were that at the right edge, the cursor would go
/// on to the next line, and that one would be removed instead of the progress.
#[test]
fn nothing_of_the_progress_stays_after_ctrl_c() {
    for (columns, signals) in [(80, 1), (60, 1), (80, 2)] {
        let place = Place::new();
        let made = Command::new("mkfifo").arg(place.path("live")).status();
        assert!(made.unwrap().success());
        let words = "import --rules rules.yaml live";
        let Some(mut command) = on_terminal(&place, columns, words) else { return };
        let mut child = command.spawn().unwrap();
        let mut live = File::options().write(true).open(place.path("live")).unwrap();
        live.write_all(b"2026-11-22 11:00:00 order o-9 placed amount=1 by ann\n").unwrap();
        let mut keys = child.stdin.take().unwrap();
        let mut terminal = child.stdout.take().unwrap();
        let mut shown = String::new();
        read_until(&mut terminal, &mut shown, "1 events");
        keys.write_all(b"\x03").unwrap();
        if signals == 2 {
            read_until(&mut terminal, &mut shown, "^C");
            // Whatever comes next: the first one was heard by then.
            read_until(&mut terminal, &mut shown, "\r");
            // The import may have ended meanwhile, and the terminal with it.
            let _ = keys.write_all(b"\x03");
        }
        terminal.read_to_string(&mut shown).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let left = shown.rsplit("\x1b[2K").next().unwrap();
        assert!(!left.contains("1 events"), "{shown:?}");
        let drawn = shown.split('\r').filter(|line| line.contains("1 events"));
        for line in drawn {
            assert!(visible(line).chars().count() < columns, "{line:?}");
        }
    }
}

/// Reads on until that text has come.
fn read_until(terminal: &mut impl Read, shown: &mut String, awaited: &str) {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(awaited) {
        let mut byte = [0];
        terminal.read_exact(&mut byte).unwrap();
        bytes.extend(byte);
    }
    shown.push_str(&String::from_utf8(bytes).unwrap());
}

/// The text without what moves the cursor or colours it.
fn visible(text: &str) -> String {
    regex::Regex::new("\x1b\\[[0-9;?]*[A-Za-z]").unwrap().replace_all(text, "").into_owned()
}
