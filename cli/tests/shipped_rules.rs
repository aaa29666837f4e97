//! The rule files that come with the project: each takes its own lines, and none of another program.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{Place, project_file};
use serde_json::Value;

/// Every sample's line with the rule that it stands beside, and how many events it gives.
fn samples() -> Vec<(String, String, usize)> {
    let mut samples = Vec::new();
    for entry in std::fs::read_dir(project_file("fluent-bit/rules")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let rules: Value =
            serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for rule in rules["rules"].as_array().unwrap() {
            let name = format!("{file}/{}", rule["name"].as_str().unwrap());
            for sample in rule["samples"].as_array().unwrap() {
                let line = sample["line"].as_str().unwrap().to_owned();
                samples.push((line, name.clone(), sample["events"].as_array().unwrap().len()));
            }
        }
    }
    samples
}

#[test]
fn there_is_nothing_to_say_about_them() {
    let rules = project_file("fluent-bit/rules");
    let checked = Place::new().run(["rules", "check", rules.to_str().unwrap()]).expect_code(0);
    assert!(checked.out.ends_with("0 errors, 0 warnings\n"), "{}", checked.out);
}

/// Editors complete and check them by the schema that lies beside their folder.
#[test]
fn each_names_the_schema() {
    let schema = Place::new().run(["rules", "schema"]).expect_code(0).out;
    let path = project_file("fluent-bit/rules.schema.json");
    assert_eq!(std::fs::read_to_string(path).unwrap(), schema, "it is what the command prints");
    for entry in std::fs::read_dir(project_file("fluent-bit/rules")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let named = "# yaml-language-server: $schema=../rules.schema.json\n";
        assert!(text.starts_with(named), "{}", path.display());
    }
}

/// A plain file without a namespace is tried against all of them.
#[test]
fn none_takes_the_lines_of_another() {
    let samples = samples();
    assert!(samples.len() > 300, "{} samples", samples.len());
    let lines: String = samples.iter().map(|(line, ..)| format!("{line}\n")).collect();
    let rules = project_file("fluent-bit/rules");
    let tried = ["rules", "try", rules.to_str().unwrap(), "-o", "jsonl"];
    let tried = Place::new().run_with_input(tried, lines.as_bytes()).expect_code(0).json_lines();
    assert_eq!(tried.len(), samples.len());
    for (tried, (line, rule, events)) in tried.iter().zip(&samples) {
        let taker = tried["rules"][0]["rule"].as_str().unwrap_or("no rule");
        let file = |rule: &str| rule.split('/').next().unwrap_or_default().to_owned();
        assert_eq!(file(taker), file(rule), "{line}");
        assert_eq!(tried["events"].as_array().unwrap().len(), *events, "{line}");
    }
}
