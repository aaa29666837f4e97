//! No server outlives the process that started it, not even one that is killed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(120);

#[test]
fn a_killed_stack_leaves_no_server_and_no_data() {
    let temporary = tempfile::tempdir().unwrap();
    let mut stack = Command::new(env!("CARGO_BIN_EXE_statetrail-servers"))
        // `cat` ends with us, as it reads from us.
        .args(["run", "sh", "-c", "echo $KAFKA_BROKERS; echo $CASSANDRA_NODES; exec cat"])
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(stack.stdout.take().unwrap()).lines();
    let addresses: Vec<String> = lines.take(2).map(Result::unwrap).collect();
    assert_eq!(addresses.len(), 2);
    assert!(addresses.iter().all(answers), "{addresses:?}");
    assert!(!is_empty(temporary.path()));

    stack.kill().unwrap();
    stack.wait().unwrap();

    let killed = Instant::now();
    while addresses.iter().any(answers) || !is_empty(temporary.path()) {
        assert!(killed.elapsed() < WITHIN, "a server or its data is still there");
        thread::sleep(Duration::from_millis(50));
    }
}

fn answers(address: &String) -> bool {
    TcpStream::connect(address).is_ok()
}

/// But for what Java itself leaves there.
fn is_empty(folder: &Path) -> bool {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("statetrail-")).count() == 0
}
