//! Messages about broken rule files, whole and all of a file at once: `NAME.txt` is what a user
//! reads about `NAME.yaml`. With `STATETRAIL_BLESS=1` the tests write what they now get; read it
//! before you commit it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use statetrail_rules::{Diagnostic, RuleText, check};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("diagnostics")
}

/// The rule files of the folder with their names, in order.
fn broken_files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn diagnostics(name: &str, text: &str) -> Vec<Diagnostic> {
    check(&[RuleText { name: format!("{name}.yaml"), text: text.to_owned() }])
}

#[test]
fn every_message_is_what_it_shall_be() {
    let bless = std::env::var_os("STATETRAIL_BLESS").is_some();
    let mut different = Vec::new();
    for (name, text) in broken_files() {
        let messages: Vec<String> =
            diagnostics(&name, &text).iter().map(|diagnostic| format!("{diagnostic}\n")).collect();
        let messages = messages.join("\n");
        let path = folder().join(format!("{name}.txt"));
        if bless {
            fs::write(&path, &messages).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != messages {
            different.push(format!("--- {name} now gives:\n{messages}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// No expectation is left behind by a file that was renamed or removed.
#[test]
fn every_expectation_has_its_file() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.with_extension("yaml").exists(), "{} has no rule file", path.display());
    }
}

#[test]
fn every_broken_file_gives_a_message_within_it() {
    for (name, text) in broken_files() {
        let diagnostics = diagnostics(&name, &text);
        assert!(!diagnostics.is_empty(), "{name} is not broken");
        // A carriage return alone ends a line in YAML.
        let lines = text.replace("\r\n", "\n").replace('\r', "\n");
        for diagnostic in diagnostics {
            let line = lines.lines().nth(diagnostic.line - 1).unwrap_or_default();
            assert_eq!(diagnostic.text, line, "{name}: {diagnostic}");
            assert!(diagnostic.column <= line.chars().count() + 1, "{name}: {diagnostic}");
        }
    }
}
