//! The rule workshop on the command line: suggest, try, diff, fmt, check, schema.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{LOG, Place, RULES, project_file};
use serde_json::Value;
use statetrail_event::{Change, Event, EventId, Source, Time};
use statetrail_servers::{Cassandra, Kafka};
use statetrail_shop::{ShopConfig, generate_to_folder};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{EventStore, KnownEvent};

/// A shop's log that no rule knows yet.
const UNKNOWN: &str = "\
2026-11-22 10:00:00.120 INFO  store.Intake - crate c-1001 received from dock 4 weight=120 kg
2026-11-22 10:00:01.500 INFO  store.Intake - crate c-1002 received from dock 2 weight=80 kg
2026-11-22 10:00:02.000 DEBUG store.Heart - beat
2026-11-22 10:00:03.000 INFO  store.Check - crate c-1001 is sound
2026-11-22 10:00:05.000 INFO  store.Racks - crate c-1001 put into rack A-17
2026-11-22 10:00:05.900 INFO  store.Check - crate c-1002 is sound
2026-11-22 10:00:06.000 DEBUG store.Heart - beat
2026-11-22 10:00:07.000 INFO  store.Racks - crate c-1002 put into rack B-02
2026-11-22 10:00:09.000 WARN  store.Racks - rack A-17 is full
2026-11-22 10:00:11.000 INFO  store.Intake - crate c-1003 received from dock 1 weight=95 kg
2026-11-22 10:00:12.000 WARN  store.Check - crate c-1003 is damaged
2026-11-22 10:00:20.000 INFO  store.Ship - crate c-1001 leaves by truck 9
";

#[test]
fn rules_are_suggested_and_tell_the_lives() {
    let place = Place::new();
    place.write("app.log", UNKNOWN);
    let suggested =
        place.run(["rules", "suggest", "--namespace", "store", "app.log", "-o", "jsonl"]);
    let suggestions = suggested.expect_code(0).json_lines();
    assert_eq!(suggestions[0]["entity_type"], "crate", "{suggestions:?}");
    assert_eq!(suggestions[0]["entities"], 3);
    assert_eq!(suggestions[0]["lines"], 9);

    let write = ["rules", "suggest", "--namespace", "store", "--write", "found", "app.log"];
    let told = place.run(write).expect_code(0);
    assert!(told.out.starts_with("# 1. crate.yaml: 3 entities, 4 rules\n"), "{}", told.out);
    place
        .run(write)
        .expect_code(1)
        .expect_error("there is found/crate.yaml already; nothing was written");
    let checked = place.run(["rules", "check", "found"]).expect_code(0);
    assert!(checked.out.ends_with("0 errors, 0 warnings\n"), "{}", checked.out);
    place.run(["import", "--rules", "found", "app.log"]).expect_code(0);
    let shown = place.run(["show", "c-1001", "-o", "json"]).expect_code(0).json();
    assert_eq!(shown["state"]["weight"], 120);
    assert_eq!(shown["state"]["rack"], "A-17");

    let nothing = place.run_with_input(["rules", "suggest"], b"beat\nbeat\n").expect_code(3);
    nothing.expect_error("nothing in these 2 lines looks like the id of an entity");
    place.run_with_input(["rules", "suggest"], b"").expect_code(3).expect_error("there is no line");
}

/// A module that exports what the filter does, but each function without parameters and results.
fn module_with_other_functions() -> Vec<u8> {
    let mut exports = vec![5];
    for name in ["_initialize", "malloc", "free", "statetrail_events"] {
        exports.push(name.len() as u8);
        exports.extend(name.bytes().chain([0, 0]));
    }
    exports.extend([&[6][..], b"memory", &[2, 0]].concat());
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // One type without anything, one function of that type, one memory of a page.
    module.extend([1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1]);
    module.extend([7, exports.len() as u8]);
    module.extend(exports);
    // The function's body: it ends.
    module.extend([10, 4, 1, 2, 0, 0x0b]);
    module
}

/// What stands between two texts in each line that has both, the true ids of a log.
fn true_ids<'l>(
    log: &'l str,
    before: &[&str],
    behind: &[char],
) -> Vec<(&'l str, BTreeSet<&'l str>)> {
    let ids = |line: &'l str| {
        let found = before.iter().filter_map(|before| Some(line.split_once(before)?.1));
        found.filter_map(|rest| rest.split(behind).next()).filter(|id| !id.is_empty()).collect()
    };
    log.lines().map(|line| (line, ids(line))).collect()
}

/// The ids of a log by a pattern of its own form, whose groups hold them: what no engine of ours found.
fn ids_by<'l>(log: &'l str, pattern: &str) -> Vec<(&'l str, BTreeSet<&'l str>)> {
    let pattern = regex::Regex::new(pattern).unwrap();
    let ids = |line: &'l str| {
        let found = pattern.captures_iter(line);
        found.filter_map(|found| Some(found.iter().skip(1).flatten().next()?.as_str())).collect()
    };
    log.lines().map(|line| (line, ids(line))).collect()
}

/// How many of the true ids became entities, and how many of their lines gave events, in per cent: by
/// the one of the suggested files that has most of them, as a person would choose it.
fn found_by_suggestions(
    name: &str,
    log: &str,
    true_ids: &[(&str, BTreeSet<&str>)],
) -> (usize, usize) {
    let place = Place::new();
    place.write("app.log", log);
    let suggest = ["rules", "suggest", "--namespace", "app", "--most", "5", "--write", "found"];
    let told = place.run([&suggest[..], &["app.log"]].concat()).expect_code(0);
    place.run(["rules", "check", "found"]).expect_code(0);
    let all: BTreeSet<&str> = true_ids.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    let lines = true_ids.iter().filter(|(_, ids)| !ids.is_empty()).count();
    // Each proposal begins with `# 1. order.yaml: `.
    let proposals = told.out.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(": "));
    let files = proposals.filter_map(|(head, _)| head.split_once(". "));
    let best = files.map(|(rank, file)| (found_by(&place, file, true_ids, &all), rank, file));
    let best =
        best.max_by_key(|((ids, lines, _), rank, _)| (*ids, *lines, std::cmp::Reverse(*rank)));
    let ((ids, taken, entities), rank, file) = best.unwrap();
    let shares = (100 * ids / all.len(), 100 * taken / lines);
    println!(
        "{name}: {ids} of {} ids ({}%), {taken} of their {lines} lines ({}%), {entities} entities in \
         all, by proposal {rank}, {file}",
        all.len(),
        shares.0,
        shares.1,
    );
    shares
}

/// How many of the true ids, how many of their lines and how many entities in all a rule file finds.
fn found_by(
    place: &Place,
    file: &str,
    true_ids: &[(&str, BTreeSet<&str>)],
    all: &BTreeSet<&str>,
) -> (usize, usize, usize) {
    let tried = ["rules", "try", &format!("found/{file}"), "app.log", "-o", "jsonl"];
    let tried = place.run(tried).expect_code(0).json_lines();
    assert_eq!(tried.len(), true_ids.len());
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut taken = 0;
    for (line, (_, ids)) in tried.iter().zip(true_ids) {
        let events = line["events"].as_array().unwrap();
        // The architecture behind a package's name may be part of the id or not.
        let id = |event: &Value| {
            let name = event["entity"].as_str().unwrap();
            let id = name.splitn(3, '/').nth(2)?;
            Some(id.split(':').next().unwrap_or_default().to_owned())
        };
        let of: BTreeSet<String> = events.iter().filter_map(id).collect();
        taken += usize::from(ids.iter().any(|id| of.contains(*id)));
        found.extend(of);
    }
    (all.iter().filter(|id| found.contains(**id)).count(), taken, found.len())
}

/// The log of a real Kafka that is told of some topics.
#[test]
fn suggestions_find_the_partitions_of_kafka() {
    let kafka = Kafka::start().unwrap();
    for number in 0..5 {
        kafka.make_topic(&format!("orders-{number}"), 3).unwrap();
    }
    let server = kafka.server().unwrap();
    server.stop().unwrap();
    let log = std::fs::read_to_string(server.log()).unwrap();
    let ids = ids_by(&log, r"(?:partition[= ]|Partition )([A-Za-z0-9._-]+-\d+)\b");
    let (entities, lines) = found_by_suggestions("Kafka", &log, &ids);
    assert!(entities >= 95 && lines >= 90, "{entities}% of ids, {lines}% of lines");
}

/// The log of a real Cassandra that compacts its own tables while some are made.
#[test]
fn suggestions_find_the_compactions_of_cassandra() {
    let cassandra = Cassandra::start(1).unwrap();
    let place = Place::new();
    let nodes = cassandra.contact_points().join(",");
    for number in 0..6 {
        let store = format!("cassandra://{nodes}/suggest_{number}");
        let migrate = ["migrate", "--store", &store, "--rate", "10", "--replication", "1"];
        place.run(migrate).expect_code(0);
    }
    let server = cassandra.node(0).unwrap();
    server.stop().unwrap();
    let log = std::fs::read_to_string(server.log()).unwrap();
    for (what, pattern) in [
        ("compactions", r"Compact(?:ing|ed) \(([0-9a-f-]{36})\)"),
        ("tables", r"(?:Initializing|flush of) ([a-z_]+\.[a-z_0-9]+)"),
    ] {
        let ids = ids_by(&log, pattern);
        let (entities, lines) = found_by_suggestions(&format!("Cassandra's {what}"), &log, &ids);
        assert!(entities >= 90 && lines >= 75, "{what}: {entities}% of ids, {lines}% of lines");
    }
}

/// Most groups of alternatives are told of once in each of two forms, and what they point to stands
/// beside them: that is what is found.
#[test]
fn suggestions_find_the_alternatives_of_debian() {
    let log = std::fs::read_to_string("/var/log/alternatives.log").unwrap_or_default();
    if log.lines().count() < 50 {
        eprintln!("SKIPPED: /var/log/alternatives.log is not here, or has too little in it");
        return;
    }
    let groups = ids_by(&log, r"(?:--install \S+|link group) (\S+)");
    found_by_suggestions("groups of alternatives", &log, &groups);
    let programs = ids_by(&log, r"(?:--install \S+ \S+|point to) (\S+)");
    let (entities, lines) = found_by_suggestions("what alternatives point to", &log, &programs);
    assert!(entities >= 80 && lines >= 35, "{entities}% of ids, {lines}% of lines");
}

#[test]
fn suggestions_find_the_machines_of_openstack() {
    let path = project_file("../shared/data/openstack/OpenStack_2k.log");
    let Ok(log) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is not here", path.display());
        return;
    };
    let ids = true_ids(&log, &["[instance: ", "for instance "], &[']', ' ', '\n']);
    let (entities, lines) = found_by_suggestions("OpenStack", &log, &ids);
    assert!(entities >= 90 && lines >= 80, "{entities}% of ids, {lines}% of lines");
}

#[test]
fn suggestions_find_the_packages_of_debian() {
    let Ok(log) = std::fs::read_to_string("/var/log/dpkg.log") else {
        eprintln!("SKIPPED: /var/log/dpkg.log is not here");
        return;
    };
    let log: String = log.lines().take(3_000).map(|line| format!("{line}\n")).collect();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let owned: Vec<(String, Option<String>)> = log
        .lines()
        .map(|line| {
            let words = words(line);
            let at = if words.get(2).is_some_and(|word| word == "status") { 4 } else { 3 };
            let package = words.get(at).filter(|word| word.contains(':'));
            (line.to_owned(), package.and_then(|word| word.split(':').next().map(str::to_owned)))
        })
        .collect();
    let ids: Vec<(&str, BTreeSet<&str>)> =
        owned.iter().map(|(line, id)| (&**line, id.as_deref().into_iter().collect())).collect();
    let (entities, lines) = found_by_suggestions("dpkg", &log, &ids);
    assert!(entities >= 90 && lines >= 80, "{entities}% of ids, {lines}% of lines");
}

/// The shop's logs were not looked at while this was built.
#[test]
fn suggestions_find_the_orders_of_the_shop() {
    let place = Place::new();
    let config = ShopConfig::one_day(20_000);
    generate_to_folder(&config, &place.path("logs")).unwrap();
    let mut log = String::new();
    for entry in std::fs::read_dir(place.path("logs")).unwrap() {
        // What a container runtime puts before a line is no part of it.
        for line in std::fs::read(entry.unwrap().path()).unwrap().split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let text = line.splitn(4, ' ').nth(3).unwrap_or_default();
            log.push_str(&format!("{text}\n"));
        }
    }
    let orders = |line: &'static str| {
        let is_id = |word: &&str| {
            word.strip_prefix("o-").is_some_and(|rest| {
                rest.bytes().all(|byte| byte.is_ascii_digit()) && !rest.is_empty()
            })
        };
        line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(is_id).collect()
    };
    let log: &'static str = log.leak();
    let ids: Vec<(&str, BTreeSet<&str>)> = log.lines().map(|line| (line, orders(line))).collect();
    let (entities, lines) = found_by_suggestions("shop", log, &ids);
    assert!(entities >= 90 && lines >= 80, "{entities}% of ids, {lines}% of lines");
}

#[test]
fn tried_lines_tell_what_they_give_and_lack() {
    let place = Place::new();
    let log = format!("{LOG}order o-1 paid with card\norder o-2 placed amount=much by x\n");
    let tried = place.run_with_input(["rules", "try", "rules.yaml", "-o", "jsonl"], log.as_bytes());
    let lines = tried.expect_code(0).json_lines();
    assert_eq!(lines.len(), 9);
    assert_eq!(lines[0]["rules"][0]["rule"], "rules.yaml/placed");
    assert_eq!(lines[0]["rules"][0]["captures"]["order"], "o-1042");
    assert_eq!(lines[3]["events"][1]["entity"], "shop/payment/p-o-1042");
    assert_eq!(lines[2]["near"], Value::Null);
    assert_eq!(lines[7]["near"]["rule"], "rules.yaml/paid");
    assert_eq!(lines[7]["near"]["place"], 15);
    assert_eq!(lines[8]["near"]["expected"], "`<amount:number>`");

    let text =
        place.run_with_input(["rules", "try", "rules.yaml"], log.as_bytes()).expect_code(0).out;
    assert!(text.contains("9 lines, 6 matched, 3 not\n"), "{text}");
    assert!(text.contains("        2         4       0  rules.yaml/paid\n"), "{text}");
    let unmatched = ["rules", "try", "rules.yaml", "--unmatched"];
    let text = place.run_with_input(unmatched, log.as_bytes()).expect_code(0).out;
    assert!(!text.contains("-> "), "{text}");
    let pointed = "order o-1 paid with card\n               ^\n  nearest is rules.yaml/paid, at column 16 it wants `by `\n";
    assert!(text.contains("  nearest is rules.yaml/paid, at column"), "{text}");
    assert!(text.contains(pointed) || text.contains("`<order> paid by `"), "{text}");
    let late = ["rules", "try", "rules.yaml"];
    let late = place.run_with_input(late, b"job j-1 placed amount=5 by ann\n").expect_code(0).out;
    let told =
        "job j-1 placed amount=5 by ann\n  nearest is rules.yaml/placed; nowhere it has `order `\n";
    assert!(late.starts_with(told), "{late}");
    place
        .run(["rules", "try", "rules.yaml", "--namespace", "nowhere", "-"])
        .expect_code(3)
        .expect_error("no rule file of rules.yaml applies to the namespace \"nowhere\"");
    place.run(["rules", "try", "no.yaml"]).expect_code(1).expect_error("no.yaml: there is no such");
    place
        .run(["rules", "try", "rules.yaml", "no.log"])
        .expect_code(1)
        .expect_error("no.log: there is no");
}

/// Lines that are handed over are of no container that could be known.
#[test]
fn rules_for_containers_are_tried_on_lines_of_their_namespace() {
    let place = Place::new();
    place.write("app.yaml", RULES.replace("[shop]\n", "[shop]\ncontainers: [app]\n"));
    let tried = ["rules", "try", "app.yaml", "--namespace", "shop"];
    let tried = place.run_with_input(tried, LOG.as_bytes()).expect_code(0).out;
    assert!(tried.contains("7 lines, 6 matched, 1 not\n"), "{tried}");
    let compared = ["rules", "diff", "app.yaml", "rules.yaml", "--namespace", "shop"];
    let compared = place.run_with_input(compared, LOG.as_bytes()).expect_code(0).out;
    assert!(compared.starts_with("0 of 7 lines differ"), "{compared}");
}

#[test]
fn other_rules_are_compared_by_what_they_make() {
    let place = Place::new();
    place.write(
        "new/rules.yaml",
        RULES
            .replace("status: cancelled", "status: gone")
            .replace("paid by <method>", "paid by c<method>"),
    );
    let diff = ["rules", "diff", "rules.yaml", "new", "-o", "jsonl"];
    let found = place.run_with_input(diff, LOG.as_bytes()).expect_code(1).json_lines();
    let told: Vec<(&str, &str, u64)> = found
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap();
            (text("difference"), text("event"), it["number"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("changes", "paid", 4),
            ("changes", "accepted", 4),
            ("vanishes", "paid", 5),
            ("vanishes", "accepted", 5),
            ("changes", "cancelled", 6),
        ]
    );
    let text = place.run_with_input(["rules", "diff", "rules.yaml", "new"], LOG.as_bytes());
    let text = text.expect_code(1).out;
    assert!(
        text.ends_with("3 of 7 lines differ: 0 events to appear, 2 to vanish, 3 to change\n"),
        "{text}"
    );
    let same = place.run_with_input(["rules", "diff", "rules.yaml", "rules.yaml"], LOG.as_bytes());
    same.expect_code(0);
}

#[test]
fn rule_files_are_formatted() {
    let place = Place::new();
    let untidy = "rules: # all\n- {name: a, match: \"a <x> b\", emit: []}\nnamespaces:\n- shop\n";
    let tidy =
        "rules: # all\n  - name: a\n    match: 'a <x> b'\n    emit: []\nnamespaces: [shop]\n";
    let path = place.write("rules/a.yaml", untidy);
    place.write("rules/b.yaml", tidy);
    let check = place.run(["rules", "fmt", "rules", "--check"]).expect_code(1);
    assert_eq!(check.out, "rules/a.yaml\n2 rule files, 1 not in the usual form\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), untidy);
    place.run(["rules", "fmt", "rules"]).expect_code(0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), tidy);
    place.run(["rules", "fmt", "rules", "--check"]).expect_code(0);
    let piped = place.run_with_input(["rules", "fmt", "-"], untidy.as_bytes()).expect_code(0);
    assert_eq!(piped.out, tidy);
    place.write("rules/c.yaml", "namespaces: [");
    let refused = place.run(["rules", "fmt", "rules"]).expect_code(1);
    refused.expect_error("rules/c.yaml:2:1: not YAML").expect_error("nothing was changed");
}

#[test]
fn faults_can_be_annotations_of_github() {
    let place = Place::new();
    place.write("broken.yaml", "namespaces: [shop]\nrules: 5\n");
    let told = place.run(["rules", "check", "broken.yaml", "--github"]).expect_code(1);
    assert!(told.out.starts_with("::error file=broken.yaml,line=2,col=8,"), "{}", told.out);
}

/// Every rule file that is in use is valid by the schema, and a key that the checker does not know is
/// none of the schema's.
#[test]
fn the_schema_knows_what_the_checker_knows() {
    let place = Place::new();
    let schema = place.run(["rules", "schema"]).expect_code(0).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let folder = project_file("fluent-bit/rules");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let value = yaml(&text);
        let faults: Vec<String> = validator.iter_errors(&value).map(|it| it.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}");
        files += 1;
    }
    assert!(files >= 15, "{files} rule files");
    let good = yaml(RULES);
    let paths =
        ["", "/rules/0", "/rules/0/emit/0", "/rules/0/samples/0", "/rules/0/samples/0/events/0"];
    for path in paths {
        let mut value = good.clone();
        value.pointer_mut(path).unwrap()["no_such_key"] = Value::from("x");
        assert!(!validator.is_valid(&value), "an unknown key at {path:?}");
        place.write("changed.yaml", value.to_string());
        let told = place.run(["rules", "check", "changed.yaml"]).expect_code(1).out;
        assert!(told.contains("unknown key `no_such_key`"), "{told}");
        let keys: Vec<String> =
            good.pointer(path).unwrap().as_object().unwrap().keys().cloned().collect();
        for key in keys {
            let mut value = good.clone();
            value.pointer_mut(path).unwrap().as_object_mut().unwrap().remove(&key);
            place.write("changed.yaml", value.to_string());
            let is_refused = place
                .run(["rules", "check", "changed.yaml"])
                .out
                .contains(&format!("needs `{key}`"));
            assert_eq!(!validator.is_valid(&value), is_refused, "without {key} at {path:?}");
        }
    }
}

/// YAML as JSON, by the usual form's own reading of it.
fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// Tells a store what filters on two nodes counted.
fn filters_have_reported(place: &Place) {
    let reported = [
        ("node-1", "matched.rules.yaml/placed", 70),
        ("node-1", "matched.rules.yaml/paid", 7),
        ("node-1", "failed.rules.yaml/paid", 3),
        ("node-2", "matched.rules.yaml/placed", 30),
        ("node-2", "redacted.rules.yaml/placed", 2),
        ("node-2", "matched.rules.yaml", 30),
    ];
    let events: Vec<KnownEvent> = (0..)
        .zip(reported)
        .map(|(number, (node, field, count))| {
            let time = Time::from_nanos(1_790_000_000_000_000_000 + i64::from(number));
            let event = Event {
                id: EventId([number; 16]),
                entity: format!("statetrail/filter/{node}").parse().unwrap(),
                name: "counted".to_owned(),
                time,
                seq: 0,
                changes: vec![Change::set(field, count)],
                source: Arc::new(Source { uri: "/statetrail".to_owned(), ..Source::default() }),
                offset: None,
                rule: None,
                line: None,
            };
            KnownEvent { event, known_at: time }
        })
        .collect();
    let store = SqliteStore::open(&place.path("store.db")).unwrap();
    pollster::block_on(store.append(&events)).unwrap();
}

#[test]
fn hot_and_dead_rules_are_told() {
    let place = Place::new();
    filters_have_reported(&place);
    let stats = place.run(["rules", "stats", "-o", "jsonl"]).expect_code(0).json_lines();
    let of = |rule: &Value| {
        let count = |name: &str| rule[name].as_u64().unwrap();
        (
            rule["rule"].as_str().unwrap().to_owned(),
            ["matched", "failed", "redacted", "nodes"].map(count),
        )
    };
    let told: Vec<_> = stats.iter().map(of).collect();
    assert_eq!(
        told,
        [
            ("rules.yaml/placed".to_owned(), [100, 0, 2, 2]),
            ("rules.yaml/paid".to_owned(), [7, 3, 0, 1]),
        ]
    );
    let dead = ["rules", "stats", "--rules", "rules.yaml", "--dead"];
    let text = place.run(dead).expect_code(0).out;
    assert!(
        text.contains("\nshop\n            0         0         0      0  rules.yaml/cancelled\n"),
        "{text}"
    );
    assert!(text.ends_with("\n1 rule, 1 without a line, on 2 nodes\n"), "{text}");
    place.run(["rules", "stats", "--at", "2020-01-01"]).expect_code(3);
}

/// Imports use rules without counting them in the store.
#[test]
fn without_a_filter_no_rule_is_called_dead() {
    let place = Place::with_log();
    for options in [&[][..], &["--dead"], &["-o", "jsonl"]] {
        let stats = [&["rules", "stats", "--rules", "rules.yaml"][..], options].concat();
        let told = place
            .run(stats)
            .expect_code(3)
            .expect_error("no filter has reported to this store; imports do not count rules here");
        assert_eq!(told.out, "");
    }
}

/// The engines agree: what the native one and the compiled filter give for every shipped sample.
#[test]
fn every_sample_passes_in_the_compiled_filter_too() {
    let filter = statetrail_servers::filter_module().unwrap();
    let (filter, rules) = (filter.to_str().unwrap(), project_file("fluent-bit/rules"));
    let place = Place::new();
    let tested =
        place.run(["rules", "test", rules.to_str().unwrap(), "--wasm", filter, "-o", "jsonl"]);
    let samples = tested.expect_code(0).json_lines();
    assert!(samples.len() > 300, "{} samples", samples.len());
    for sample in &samples {
        assert_eq!(sample["filter"], sample["want"], "{sample}");
        assert_eq!(sample["native"], sample["want"], "{sample}");
    }

    // A sample that is wrong fails in both, and says so beside what was wanted.
    place.write("shop.yaml", RULES.replacen("method: card", "method: cash", 1));
    let tested = place.run(["rules", "test", "shop.yaml", "--wasm", filter]).expect_code(1);
    assert!(tested.out.contains("the native engine gives\n"), "{}", tested.out);
    assert!(tested.out.contains("the filter gives\n"), "{}", tested.out);
    assert!(tested.out.contains(" 1 failed\n"), "{}", tested.out);

    let wat = project_file("README.md");
    let wrong = ["rules", "test", "shop.yaml", "--wasm", wat.to_str().unwrap()];
    place.run(wrong).expect_code(1).expect_error("not a WASM module");
    let engine = b"\0asm\x01\0\0\0";
    std::fs::write(place.path("empty.wasm"), engine).unwrap();
    let wrong = ["rules", "test", "shop.yaml", "--wasm", "empty.wasm"];
    place.run(wrong).expect_code(1).expect_error("a WASM module, but not statetrail's filter");
    place.write("other.wasm", module_with_other_functions());
    let wrong = ["rules", "test", "shop.yaml", "--wasm", "other.wasm"];
    place.run(wrong).expect_code(1).expect_error("but not statetrail's filter");
    let wrong = ["rules", "test", "shop.yaml", "--wasm", "gone.wasm"];
    place.run(wrong).expect_code(1).expect_error("gone.wasm: cannot be read");
}

#[test]
fn samples_are_run_and_what_differs_stands_side_by_side() {
    let place = Place::new();
    place.write("shop.yaml", RULES);
    let tested = place.run(["rules", "test", "shop.yaml"]).expect_code(0);
    assert!(tested.out.ends_with(" 0 failed\n"), "{}", tested.out);
    place.write("shop.yaml", RULES.replacen("method: card", "method: cash", 1));
    let tested = place.run(["rules", "test", "shop.yaml"]).expect_code(1);
    let beside = |line: &str| line.contains("\"cash") && line.contains("\"card");
    assert!(tested.out.lines().any(beside), "{}", tested.out);
    assert!(tested.out.lines().all(|line| line.chars().count() <= 80), "{}", tested.out);
}

#[test]
fn every_file_that_cannot_be_tested_is_told() {
    let place = Place::new();
    place.write("rules/a.yaml", "namespaces: [shop]\nrules: 5\n");
    place.write("rules/b.yaml", RULES);
    let twice = RULES.replace("name: cancelled", "name: paid").replace("[shop]", "'shop'");
    place.write("rules/c.yaml", twice);
    let told = place.run(["rules", "test", "rules"]).expect_code(1);
    let told = told.expect_error("the rules cannot be used\n").err;
    let places: Vec<&str> =
        told.lines().filter_map(|line| line.trim_start().strip_prefix("--> ")).collect();
    assert_eq!(places, ["rules/a.yaml:2:8", "rules/c.yaml:1:13", "rules/c.yaml:26:11"], "{told}");
}

#[test]
fn rules_without_samples_are_named() {
    let place = Place::new();
    let bare = "  - {name: bare, match: 'order <order> lost', emit: []}\n";
    place.write("shop.yaml", format!("{RULES}{bare}"));
    let tested = place.run(["rules", "test", "shop.yaml"]).expect_code(0).out;
    let told = "\n1 rule without samples: shop.yaml/bare\n";
    assert!(tested.ends_with(told), "{tested}");
}

#[test]
fn where_there_is_no_line_nothing_is_tried_or_compared() {
    let place = Place::new();
    for command in
        [&["rules", "try", "rules.yaml"][..], &["rules", "diff", "rules.yaml", "rules.yaml"]]
    {
        for form in ["text", "jsonl"] {
            let command = [command, &["-o", form]].concat();
            place.run_with_input(command, b"").expect_code(3).expect_error("there is no line");
        }
    }
    let one = place.run_with_input(["rules", "try", "rules.yaml"], b"beat\n").expect_code(0).out;
    assert!(one.contains("1 line, 0 matched, 1 not\n"), "{one}");
}

#[test]
fn what_is_tried_and_compared_fits_the_width() {
    let place = Place::new();
    let id = "x".repeat(90);
    let log = format!("order {id} paid by card\norder {id} cancelled\n");
    place.write("new.yaml", RULES.replace("status: cancelled", "status: gone"));
    let tried = place.run_with_input(["rules", "try", "rules.yaml"], log.as_bytes());
    let diff = ["rules", "diff", "rules.yaml", "new.yaml"];
    let compared = place.run_with_input(diff, log.as_bytes());
    for told in [tried.expect_code(0).out, compared.expect_code(1).out] {
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
        let joined = told.replace("\n     ", "").replace("\n    ", "");
        assert!(joined.contains(&format!("shop/order/{id}")), "{told}");
    }
}

#[test]
fn a_rule_file_from_standard_input_is_checked() {
    let place = Place::new();
    let checked = place.run_with_input(["rules", "check", "-"], RULES.as_bytes()).expect_code(0);
    assert_eq!(checked.out, "1 rule file: 0 errors, 0 warnings\n");
    let broken = b"namespaces: [shop]\nrules: 5\n";
    let checked = place.run_with_input(["rules", "check", "-"], broken).expect_code(1);
    assert!(checked.out.contains("--> standard input:2:8\n"), "{}", checked.out);
    place.run(["rules", "check", "-", "rules.yaml"]).expect_code(2).expect_error("- stands alone");
}
