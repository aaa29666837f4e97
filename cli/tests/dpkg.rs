//! Debian's package log against a reading of it that knows nothing of rules.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{Place, project_file};
use serde_json::{Map, Value, json};

/// Packages of which the whole trail is compared.
const TRAILS: usize = 12;

/// For each package, the time, status, version and line of its status lines, in order.
fn read_by_hand(log: &str) -> BTreeMap<&str, Vec<[&str; 4]>> {
    let mut packages: BTreeMap<&str, Vec<[&str; 4]>> = BTreeMap::new();
    for line in log.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let [_, _, "status", status, package, version] = words.as_slice() {
            packages.entry(package).or_default().push([&line[..19], status, version, line]);
        }
    }
    packages
}

fn state_of([_, status, version, _]: &[&str; 4]) -> Value {
    let mut state = Map::from_iter([("status".to_owned(), json!(status))]);
    if *version != "<none>" {
        state.insert("version".to_owned(), json!(version));
    }
    Value::Object(state)
}

#[test]
fn packages_live_as_the_log_says() {
    let log = Path::new("/var/log/dpkg.log");
    let Ok(text) = std::fs::read_to_string(log) else {
        eprintln!("SKIPPED: {} is not here", log.display());
        return;
    };
    let packages = read_by_hand(&text);
    let place = Place::new();
    let rules = project_file("fluent-bit/rules");
    let import = ["import", "--rules", rules.to_str().unwrap(), log.to_str().unwrap()];
    place.run(import).expect_code(0);

    let found = place.run(["find", "debian/package", "-o", "jsonl"]).expect_code(0).json_lines();
    let found: BTreeMap<String, &Value> = found
        .iter()
        .map(|line| {
            (line["entity"].as_str().unwrap().replace("debian/package/", ""), &line["state"])
        })
        .collect();
    for (package, states) in &packages {
        assert_eq!(found.get(*package), Some(&&state_of(states.last().unwrap())), "{package}");
    }

    let mut longest: Vec<(&&str, &Vec<[&str; 4]>)> = packages.iter().collect();
    longest.sort_by_key(|(_, states)| std::cmp::Reverse(states.len()));
    for (package, states) in longest.into_iter().take(TRAILS) {
        let name = format!("debian/package/{package}");
        let steps = place.run(["log", &name, "-o", "jsonl"]).expect_code(0).json_lines();
        let seen: Vec<(String, &Value)> = steps
            .iter()
            .filter(|step| step["set"]["status"].is_string())
            .map(|step| (step["time"].as_str().unwrap().replace(['T', 'Z'], " "), &step["state"]))
            .collect();
        let expected: Vec<(String, Value)> =
            states.iter().map(|state| (format!("{} ", state[0]), state_of(state))).collect();
        assert_eq!(seen.len(), expected.len(), "{package}");
        for ((seen_time, seen), (time, state)) in seen.iter().zip(&expected) {
            assert_eq!((seen_time, *seen), (time, state), "{package}");
        }
        let blamed = place.run(["blame", &name, "-o", "jsonl"]).expect_code(0).json_lines();
        let status = blamed.iter().find(|field| field["field"] == json!("status")).unwrap();
        assert_eq!(status["by"]["line"], json!(states.last().unwrap()[3]), "{package}");
    }
}
