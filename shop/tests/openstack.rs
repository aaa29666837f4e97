//! The rules for OpenStack Nova over a real log, checked against what plain string searches find
//! in it. The log is not part of the project; without it there is nothing to check.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use statetrail_event::{Event, State, Time, Value};
use statetrail_rules::{Extractor, Line, Origin, RuleSet, RuleText};

const NOVA_RULES: &str = include_str!("../../fluent-bit/rules/openstack-nova.yaml");

/// The log's lines with their times, or `None` where the log is not there.
fn log() -> Option<Vec<(Time, String)>> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/openstack/OpenStack_2k.log");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    };
    let timed = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let time = format!("{}T{}Z", words.next().unwrap(), words.next().unwrap());
        (Time::parse_rfc3339(&time).unwrap(), line.to_owned())
    };
    Some(text.lines().map(timed).collect())
}

/// The events of each machine, in the order of the log.
fn trails(log: &[(Time, String)]) -> BTreeMap<String, Vec<Event>> {
    let text = RuleText { name: "openstack-nova.yaml".into(), text: NOVA_RULES.into() };
    let (mut rules, faults) = RuleSet::parse(&[text]);
    assert!(faults.is_empty(), "{faults:?}");
    let scope = rules.scope("openstack", "").unwrap();
    let origin = Origin::plain(Some("openstack"), None, None);
    let mut extractor = Extractor::new();
    let mut events = Vec::new();
    for (position, (time, line)) in log.iter().enumerate() {
        let line =
            Line { bytes: line.as_bytes(), time: *time, position: position as u64, offset: None };
        extractor.events(&rules, scope, &origin, &line, &mut events);
    }
    let mut trails: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in events {
        assert_eq!(event.entity.entity_type(), "vm");
        trails.entry(event.entity.id().to_owned()).or_default().push(event);
    }
    trails
}

fn state_at(trail: &[Event], time: Time) -> State {
    let mut state = State::new();
    for event in trail.iter().filter(|event| event.time <= time) {
        state.apply(event.key(), &event.changes);
    }
    state
}

/// The uuid after `[instance: `.
fn instance(line: &str) -> Option<&str> {
    line.split_once("[instance: ")?.1.get(..36)
}

#[test]
fn every_machine_of_the_log_has_a_trail() {
    let Some(log) = log() else { return };
    let named: BTreeSet<&str> = log.iter().filter_map(|(_, line)| instance(line)).collect();
    let trails = trails(&log);
    assert_eq!(trails.keys().map(String::as_str).collect::<BTreeSet<_>>(), named);
}

#[test]
fn at_every_moment_the_deleted_machines_are_those_whose_files_were_deleted() {
    let Some(log) = log() else { return };
    let trails = trails(&log);
    let mut deleted = BTreeSet::new();
    let deletions: BTreeMap<Time, &str> = log
        .iter()
        .filter(|(_, line)| line.contains("] Deletion of ") && line.ends_with(" complete"))
        .map(|(time, line)| (*time, instance(line).unwrap()))
        .collect();
    assert!(!deletions.is_empty());
    for (time, machine) in deletions {
        let before = Time::from_nanos(time.nanos() - 1);
        for (moment, becomes) in [(before, false), (time, true)] {
            if becomes {
                deleted.insert(machine);
            }
            let found: BTreeSet<&str> = trails
                .iter()
                .filter(|(_, trail)| {
                    state_at(trail, moment).get("state") == Some(&Value::text("deleted"))
                })
                .map(|(machine, _)| machine.as_str())
                .collect();
            assert_eq!(found, deleted, "at {moment}");
        }
    }
}

#[test]
fn a_whole_life_is_in_order() {
    let Some(log) = log() else { return };
    let mut whole = 0;
    for (machine, trail) in trails(&log) {
        let states: Vec<String> = trail
            .iter()
            .filter_map(|event| state_at(&trail, event.time).get("state").map(ToString::to_string))
            .collect();
        let mut states: Vec<&str> = states.iter().map(String::as_str).collect();
        states.dedup();
        if trail[0].name == "claim-attempted" && trail.iter().any(|event| event.name == "deleted") {
            let life = ["claiming", "claimed", "building", "active", "deleting", "deleted"];
            assert_eq!(states, life, "{machine}");
            whole += 1;
        }
    }
    assert!(whole > 10, "only {whole} whole lives");
}

#[test]
fn figures_are_those_of_the_lines() {
    let Some(log) = log() else { return };
    let mut checked = 0;
    let trails = trails(&log);
    for (_, line) in &log {
        let Some((_, rest)) = line.split_once("] Took ") else { continue };
        let seconds: f64 = rest.split(' ').next().unwrap().parse().unwrap();
        let field = match rest {
            _ if rest.contains("to spawn") => "spawn_seconds",
            _ if rest.contains("to build") => "build_seconds",
            _ if rest.contains("to destroy") => "destroy_seconds",
            _ => "deallocate_seconds",
        };
        let state = state_at(&trails[instance(line).unwrap()], Time::MAX);
        assert_eq!(state.get(field).unwrap().to_string(), seconds.to_string(), "{line}");
        checked += 1;
    }
    assert!(checked > 50);
}
