//! The rules for Debian's package log over this machine's own, if it has one, checked against
//! what plain string operations find in it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeMap;

use statetrail_event::{EntityName, State, Time};
use statetrail_rules::{Extractor, Line, Origin, RuleSet, RuleText};

const DPKG_RULES: &str = include_str!("../../fluent-bit/rules/dpkg.yaml");
const LOG: &str = "/var/log/dpkg.log";

/// A package with the status and the version that a state or a line gives it.
type Packages = BTreeMap<String, (Option<String>, Option<String>)>;

fn by_rules(log: &str) -> Packages {
    let text = RuleText { name: "dpkg.yaml".into(), text: DPKG_RULES.into() };
    let (mut rules, faults) = RuleSet::parse(&[text]);
    assert!(faults.is_empty(), "{faults:?}");
    let scope = rules.scope("debian", "").unwrap();
    let origin = Origin::plain(Some("debian"), None, Some(LOG));
    let mut extractor = Extractor::new();
    let mut events = Vec::new();
    for (position, line) in log.lines().enumerate() {
        let time = Time::parse_rfc3339(&format!("{}Z", &line[..19])).unwrap();
        let line = Line { bytes: line.as_bytes(), time, position: position as u64, offset: None };
        extractor.events(&rules, scope, &origin, &line, &mut events);
    }
    let mut states: BTreeMap<EntityName, State> = BTreeMap::new();
    for event in &events {
        states.entry(event.entity.clone()).or_default().apply(event.key(), &event.changes);
    }
    let shown = |state: &State, field| state.get(field).map(ToString::to_string);
    let package = |(entity, state): (EntityName, State)| {
        let known = (shown(&state, "status"), shown(&state, "version"));
        (entity.id().to_owned(), known)
    };
    states.into_iter().map(package).collect()
}

fn by_hand(log: &str) -> Packages {
    let mut packages = Packages::new();
    for line in log.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[2..] {
            ["status", status, package, version] => {
                let version = (version != "<none>").then(|| version.to_owned());
                packages.insert(package.to_owned(), (Some(status.to_owned()), version));
            }
            ["startup" | "conffile", ..] => {}
            [_, package, _, _] => {
                packages.entry(package.to_owned()).or_default();
            }
            _ => {}
        }
    }
    packages
}

#[test]
fn packages_end_as_their_last_status_lines_say() {
    let Ok(log) = std::fs::read_to_string(LOG) else {
        eprintln!("skipped: there is no readable {LOG}");
        return;
    };
    let expected = by_hand(&log);
    assert_eq!(by_rules(&log), expected);
}

#[test]
fn a_package_lives_and_dies() {
    let life = "\
2026-03-05 08:14:06 startup archives unpack
2026-03-05 08:14:06 install teacup:amd64 <none> 4.2-1
2026-03-05 08:14:06 status half-installed teacup:amd64 4.2-1
2026-03-05 08:14:07 status unpacked teacup:amd64 4.2-1
2026-03-05 08:14:08 configure teacup:amd64 4.2-1 <none>
2026-03-05 08:14:08 status half-configured teacup:amd64 4.2-1
2026-03-05 08:14:08 status installed teacup:amd64 4.2-1
2026-05-02 07:00:01 remove teacup:amd64 4.2-1 <none>
2026-05-02 07:00:02 status config-files teacup:amd64 4.2-1
2026-05-02 07:00:05 purge teacup:amd64 4.2-1 <none>
2026-05-02 07:00:05 status not-installed teacup:amd64 <none>
";
    let known_after = |lines: usize| {
        let log: Vec<&str> = life.lines().take(lines).collect();
        by_rules(&log.join("\n"))
            .remove("teacup:amd64")
            .map(|(status, version)| (status.unwrap_or_default(), version.unwrap_or_default()))
    };
    let known = |status: &str, version: &str| Some((status.to_owned(), version.to_owned()));
    assert_eq!(known_after(1), None);
    assert_eq!(known_after(2), known("", ""));
    assert_eq!(known_after(4), known("unpacked", "4.2-1"));
    assert_eq!(known_after(7), known("installed", "4.2-1"));
    assert_eq!(known_after(9), known("config-files", "4.2-1"));
    assert_eq!(known_after(11), known("not-installed", ""));
}
