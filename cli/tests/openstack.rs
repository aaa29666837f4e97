//! OpenStack's log against a reading of it that knows nothing of rules.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Place, project_file};

/// What Nova's messages say about the state of a machine.
const STATES: [(&str, &str); 7] = [
    ("Attempting claim", "claiming"),
    ("Claim successful", "claimed"),
    ("Creating image", "building"),
    ("Instance spawned successfully", "active"),
    ("Terminating instance", "deleting"),
    ("Deleting instance files", "deleting"),
    ("Deletion of ", "deleted"),
];

/// For each machine, its states in order, each with the time as the log writes it.
fn read_by_hand(log: &str) -> BTreeMap<String, Vec<(String, &'static str)>> {
    let mut machines: BTreeMap<String, Vec<(String, &str)>> = BTreeMap::new();
    for line in log.lines() {
        let Some((head, rest)) = line.split_once("[instance: ") else { continue };
        let (machine, message) = rest.split_once("] ").unwrap();
        let states = machines.entry(machine.to_owned()).or_default();
        let mut words = head.split(' ').skip(1);
        let time = format!("{} {}", words.next().unwrap(), words.next().unwrap());
        if let Some((_, state)) = STATES.iter().find(|(start, _)| message.starts_with(start)) {
            states.push((time, state));
        }
    }
    machines.values_mut().for_each(|states| states.sort_by(|a, b| a.0.cmp(&b.0)));
    machines
}

#[test]
fn machines_live_as_the_log_says() {
    let log = project_file("../shared/data/openstack/OpenStack_2k.log");
    let Ok(text) = std::fs::read_to_string(&log) else {
        eprintln!("SKIPPED: {} is not here", log.display());
        return;
    };
    let machines = read_by_hand(&text);
    assert_eq!(machines.len(), 22);
    let place = Place::new();
    let rules = project_file("fluent-bit/rules");
    let import = ["import", "--rules", rules.to_str().unwrap(), log.to_str().unwrap()];
    place.run(import).expect_code(0);
    assert_eq!(place.counts().entities, 22);

    for at in ["2017-05-16 00:05", "2017-05-16 00:10", "2017-05-16 00:13:30.5", "2017-05-17"] {
        let find = ["find", "openstack/vm", "--where", "state=deleted", "--at", at, "-o", "jsonl"];
        let answer = place.run(find);
        let found: BTreeSet<String> = answer
            .json_lines()
            .iter()
            .map(|line| line["entity"].as_str().unwrap().replace("openstack/vm/", ""))
            .collect();
        let state_then = |states: &[(String, &'static str)]| {
            states.iter().rfind(|(time, _)| time.as_str() <= at).map(|(_, state)| *state)
        };
        let deleted: BTreeSet<String> = machines
            .iter()
            .filter(|(_, states)| state_then(states) == Some("deleted"))
            .map(|(machine, _)| machine.clone())
            .collect();
        assert_eq!(found, deleted, "at {at}");
    }

    for (machine, states) in &machines {
        let steps = place.run(["log", machine, "-o", "jsonl"]).expect_code(0).json_lines();
        let seen: Vec<(String, String)> = steps
            .iter()
            .filter_map(|step| {
                let state = step["set"]["state"].as_str()?;
                let time = step["time"].as_str().unwrap().replace('T', " ");
                Some((time.trim_end_matches('Z').to_owned(), state.to_owned()))
            })
            .collect();
        let expected: Vec<(String, String)> = states
            .iter()
            .map(|(time, state)| (time.trim_end_matches(".000").to_owned(), (*state).to_owned()))
            .collect();
        assert_eq!(seen, expected, "{machine}");
    }
}
