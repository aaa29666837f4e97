//! A folder of its own for each test, and the real binary in it.

#![allow(dead_code, reason = "not every test file needs all of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use flate2::write::GzEncoder;
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{Counts, EventStore};
use tempfile::TempDir;

/// The rules of most tests: orders that are placed, paid and cancelled.
pub(crate) const RULES: &str = "\
namespaces: [shop]
rules:
  - name: placed
    match: 'order <order> placed amount=<amount:number> by <customer>'
    emit:
      - entity: order/<order>
        event: placed
        set: {status: placed, amount: <amount>, customer: <customer>}
    samples:
      - line: 'order o-1 placed amount=5 by ann'
        events: [{entity: order/o-1, event: placed, set: {status: placed, amount: 5, customer: ann}}]
  - name: paid
    match: 'order <order> paid by <method>'
    emit:
      - entity: order/<order>
        event: paid
        set: {status: paid, method: <method>}
      - entity: payment/p-<order>
        event: accepted
        set: {method: <method>}
    samples:
      - line: 'order o-1 paid by card'
        events:
          - {entity: order/o-1, event: paid, set: {status: paid, method: card}}
          - {entity: payment/p-o-1, event: accepted, set: {method: card}}
  - name: cancelled
    match: 'order <order> cancelled'
    emit:
      - {entity: order/<order>, event: cancelled, set: {status: cancelled}, unset: [method]}
    samples:
      - line: 'order o-1 cancelled'
        events: [{entity: order/o-1, event: cancelled, set: {status: cancelled}, unset: [method]}]
";

/// The log of most tests.
pub(crate) const LOG: &str = "\
2026-11-22 10:00:00 order o-1042 placed amount=12.5 by ann
2026-11-22 10:00:00 order o-1043 placed amount=7 by bob
2026-11-22 10:00:05 nothing that a rule knows
2026-11-22 10:00:07.250 order o-1042 paid by card
2026-11-22 10:03:00 order o-1043 paid by invoice
2026-11-22 10:05:00 order o-1042 cancelled
2026-11-22 10:06:00 order o-2000 placed amount=99.99 by \"eve\"
";

/// A folder with rules, logs and a store.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The exit code.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Place {
    /// A new folder with the rules in `rules.yaml`.
    pub(crate) fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        place.write("rules.yaml", RULES);
        place
    }

    /// A new folder in which the usual log is imported.
    pub(crate) fn with_log() -> Place {
        let place = Place::new();
        place.write("app.log", LOG);
        place.run(["import", "--rules", "rules.yaml", "app.log"]).expect_code(0);
        place
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The command, ready to run: in the folder, with its store, in UTC.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statetrail"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("STATETRAIL_STORE", "sqlite:store.db")
            .env("TZ", "UTC")
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Answer {
        Answer::of(self.command(args).output().unwrap())
    }

    /// Runs a command to its end with a text on standard input.
    pub(crate) fn run_with_input<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Answer {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that refuses its input early may be gone before all is written.
        let _ = child.stdin.take().unwrap().write_all(input);
        Answer::of(child.wait_with_output().unwrap())
    }

    /// What is in the store.
    pub(crate) fn counts(&self) -> Counts {
        let store = SqliteStore::open_read_only(&self.path("store.db")).unwrap();
        pollster::block_on(store.counts()).unwrap()
    }
}

impl Answer {
    /// The answer of a process that ended.
    pub(crate) fn of(output: Output) -> Answer {
        let answer = Answer {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!answer.err.contains("panicked"), "{answer:?}");
        answer
    }

    /// The answer of an import that shows its progress in lines and is interrupted once its first batch
    /// is in the store.
    pub(crate) fn of_interrupted_import(mut import: Child) -> Answer {
        // Held to the end, or the import could not tell its progress any more.
        let mut progress = BufReader::new(import.stderr.take().unwrap()).lines();
        let first = progress.next().unwrap().unwrap();
        assert!(first.starts_with("imported "), "{first}");
        let answer = Answer::of_interrupted(import);
        drop(progress);
        answer
    }

    /// The answer of a process that is interrupted now.
    pub(crate) fn of_interrupted(process: Child) -> Answer {
        let interrupted = Command::new("kill").args(["-INT", &process.id().to_string()]).status();
        assert!(interrupted.unwrap().success());
        Answer::of(process.wait_with_output().unwrap()).expect_code(130)
    }

    /// Fails unless the exit code is that one.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Answer {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Fails unless standard error holds that text.
    #[track_caller]
    pub(crate) fn expect_error(self, text: &str) -> Answer {
        assert!(self.err.contains(text), "no {text:?} in: {}", self.err);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The ids of the events that standard output holds as JSON.
    #[track_caller]
    pub(crate) fn ids(&self) -> Vec<String> {
        let events = self.json();
        events.as_array().unwrap().iter().map(|event| event["id"].to_string()).collect()
    }

    /// Standard output as JSON lines.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The bytes as one gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file of the project.
pub(crate) fn project_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
