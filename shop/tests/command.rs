//! The binary, started as a user starts it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::process::{Command, Output};

fn shop(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_statetrail-shop")).args(arguments).output().unwrap()
}

#[test]
fn it_writes_logs_and_truth_and_says_how_much() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let truth = folder.path().join("truth.jsonl");
    let output = shop(&[
        logs.to_str().unwrap(),
        "--lines",
        "3000",
        "--matching-share",
        "1",
        "--truth",
        truth.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("3000 lines, 3000 of them change an entity"), "{said}");

    let lines = |path| std::fs::read_to_string(path).unwrap().lines().count();
    let files = std::fs::read_dir(&logs).unwrap();
    assert_eq!(files.map(|entry| lines(entry.unwrap().path())).sum::<usize>(), 3000);
    assert!(lines(truth) >= 3000);
}

#[test]
fn what_is_wrong_is_said_and_the_exit_code_tells() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (folder, file) = (folder.path().to_str().unwrap(), file.to_str().unwrap());
    let cases: [(&[&str], &str); 4] = [
        (&[folder, "--repeat-share", "2"], "repeat share must be between 0 and 1"),
        (&[folder, "--start", "noon"], "not an RFC 3339 time"),
        (&[file, "--lines", "10"], "could not write"),
        (&[folder, "--lines", "10", "--truth", "/no/such/folder/truth"], "/no/such/folder/truth"),
    ];
    for (arguments, expected) in cases {
        let output = shop(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
