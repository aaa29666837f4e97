//! The rule language. Its features are shown by rule files whose samples are the tests; what
//! samples cannot show is tested here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use statetrail_rules::{RuleText, check};

/// The rule files of a folder of the tests, in the order of their names.
fn rule_files(folder: &str) -> Vec<RuleText> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<RuleText> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| RuleText {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            text: std::fs::read_to_string(&path).unwrap(),
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

#[test]
fn every_sample_gives_what_it_says() {
    let files = rule_files("language");
    assert!(files.len() >= 15, "only {} rule files", files.len());
    // One by one, because all are for the same namespace.
    let faults = files.iter().flat_map(|file| check(std::slice::from_ref(file)));
    let faults: Vec<String> = faults.map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
