//! The rule language. Its features are shown by rule files whose samples are the tests; what
//! samples cannot show is tested here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use statetrail_rules::{RuleText, capture_types, check};

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

/// The examples of the document, each under the number of its line.
fn documented() -> Vec<RuleText> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut examples: Vec<RuleText> = Vec::new();
    let mut is_in_one = false;
    for (number, line) in (1..).zip(page.lines()) {
        if line.starts_with("```") {
            is_in_one = line == "```yaml";
            if is_in_one {
                examples
                    .push(RuleText { name: format!("line-{number}.yaml"), text: String::new() });
            }
        } else if let Some(example) = examples.last_mut().filter(|_| is_in_one) {
            example.text.extend([line, "\n"]);
        }
    }
    examples
}

#[test]
fn the_documents_examples_are_right() {
    let examples = documented();
    assert!(examples.len() >= 6, "only {} examples", examples.len());
    let faults = examples.iter().flat_map(|example| check(std::slice::from_ref(example)));
    let faults: Vec<String> = faults.map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    // Each type of a capture has its example.
    let all: String = examples.iter().map(|example| example.text.as_str()).collect();
    for capture_type in capture_types().into_iter().filter(|name| *name != "word") {
        assert!(all.contains(&format!(":{capture_type}>")), "no example of {capture_type}");
    }
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
