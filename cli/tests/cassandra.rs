//! A store in a real Cassandra: every command answers as it does on a file; `migrate`; addresses
//! that lead nowhere.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Answer, Place, project_file};
use serde_json::Value;
use statetrail_servers::Cassandra;
use statetrail_shop::{ShopConfig, generate_to_folder};

/// A few hundred orders.
const LINES: u64 = 20_000;

/// The address of a keyspace of this process.
fn address(keyspace: &str) -> String {
    let nodes = Cassandra::shared().unwrap().contact_points().join(",");
    format!("cassandra://{nodes}/cli_{keyspace}_{}", std::process::id())
}

fn migrate(place: &Place, address: &str, options: &[&str]) -> Answer {
    let command = ["migrate", "--store", address, "--rate", "10", "--replication", "1"];
    place.run([&command, options].concat())
}

/// The log files of a shop, and its rules.
fn shop(place: &Place) -> Vec<PathBuf> {
    let config = ShopConfig { late_share: 0.01, repeat_share: 0.01, ..ShopConfig::one_day(LINES) };
    generate_to_folder(&config, &place.path("logs")).unwrap();
    fs::copy(project_file("fluent-bit/rules/shop.yaml"), place.path("shop.yaml")).unwrap();
    let files = fs::read_dir(place.path("logs")).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

/// Takes away when something became known, where, and how fast, which differ from store to store;
/// and the place in the file, because of a line that stands twice either place is right.
fn without_own(mut answer: Value) -> Value {
    match &mut answer {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                !["known_at", "offset", "store", "seconds", "lines_per_second"]
                    .contains(&name.as_str())
            });
            for field in fields.values_mut() {
                *field = without_own(field.take());
            }
        }
        Value::Array(elements) => {
            for element in elements {
                *element = without_own(element.take());
            }
        }
        _ => {}
    }
    answer
}

#[test]
fn every_command_answers_as_on_a_file() {
    let place = Place::new();
    let logs: Vec<String> =
        shop(&place).into_iter().map(|path| path.display().to_string()).collect();
    let address = address("answers");
    migrate(&place, &address, &["--state-index"]).expect_code(0);
    // The present is part of some answers, so it is told.
    let compare = |command: &[&str]| {
        let run =
            |store: &str| place.run([command, &["--store", store, "--output", "json"]].concat());
        let (of_file, of_cluster) = (run("sqlite:store.db"), run(&address));
        assert_eq!(of_cluster.code, of_file.code, "{command:?}: {}", of_cluster.err);
        assert_eq!(without_own(of_cluster.json()), without_own(of_file.json()), "{command:?}");
        of_file
    };
    let mut import = vec!["import", "--rules", "shop.yaml"];
    import.extend(logs.iter().map(String::as_str));
    let imported = compare(&import).expect_code(0).json();
    assert!(imported["events_new"].as_u64().unwrap() > LINES / 4, "{imported}");
    assert_eq!(compare(&import).expect_code(0).json()["events_new"], 0, "imported again");

    let orders = compare(&["ls", "shop/order/"]).expect_code(0).json();
    let orders = orders.as_array().unwrap();
    assert!(orders.len() > 20, "{}", orders.len());
    let name = |order: &Value| order["entity"].as_str().unwrap().to_owned();
    let (first, second) = (name(&orders[orders.len() / 2]), name(&orders[1]));
    let id = first.rsplit('/').next().unwrap();
    let middle = orders[orders.len() / 2]["last"].as_str().unwrap();
    let now = "2030-01-01T00:00:00Z";
    for command in [
        &["show", id, "--at", now][..],
        &["show", &first, "--at", middle],
        &["log", &first],
        &["log", &first, "--reverse", "--until", middle],
        &["diff", &first, "--from", "2020-01-01", "--to", middle],
        &["diff", &first, &second, "--at", middle],
        &["blame", &first, "--at", now],
        &["ls"],
        &["ls", "order/o-1"],
        &["find", "order", "--at", now, "--where", "status=completed"],
        &["find", "shop/order", "--at", middle, "--where", "status!=completed", "--limit", "7"],
        &["find", "order", "--at", now, "--where", "status=nothing-of-that-name"],
        &["find", "stock", "--at", now, "--where", "available>10"],
        &["events", "--until", middle, "--limit", "50"],
        &["events", "--since", middle, "--limit", "50"],
        &["events", "--grep", id],
    ] {
        compare(command);
    }
    let status = |code: i32, command: &[&str]| {
        let answer = place.run([command, &["--store", &address]].concat()).expect_code(code);
        assert!(!answer.out.is_empty() || code != 0, "{command:?}");
    };
    status(0, &["show", id]);
    status(0, &["find", "order", "--where", "status=completed"]);
    status(3, &["show", "no-such-order"]);
    status(4, &["show", "o-1"]);
}

/// The lines that a cluster kept give by other rules what the logs would have given, in a file; and
/// those of the file in a cluster.
#[test]
fn the_past_is_rebuilt_out_of_a_cluster_and_into_one() {
    let place = Place::new();
    let logs: Vec<String> =
        shop(&place).into_iter().map(|path| path.display().to_string()).collect();
    let rules = fs::read_to_string(place.path("shop.yaml")).unwrap();
    let corrected = rules.replace("status: cancelled", "status: called-off");
    assert_ne!(corrected, rules);
    place.write("new/shop.yaml", corrected);
    let (kept, rebuilt) = (address("kept"), address("rebuilt"));
    migrate(&place, &kept, &[]).expect_code(0);
    migrate(&place, &rebuilt, &[]).expect_code(0);
    let run =
        |command: &[&str]| place.run([command, &["-o", "json"]].concat()).expect_code(0).json();
    let of_logs = |rules: &str, store: &str| {
        let logs: Vec<&str> = logs.iter().map(String::as_str).collect();
        run(&[&["import", "--rules", rules, "--store", store][..], &logs].concat())
    };
    let of_store = |from: &str, store: &str| {
        run(&["import", "--rules", "new", "--from", from, "--store", store])
    };
    of_logs("shop.yaml", &kept);
    of_logs("new", "sqlite:fresh.db");
    let facts = |store: &str| {
        let mut events = without_own(run(&["events", "--store", store]));
        for event in events.as_array_mut().unwrap() {
            // Of a line that two files have, either may be named.
            event.as_object_mut().unwrap().remove("file");
        }
        events
    };
    let fresh = facts("sqlite:fresh.db");

    let report = of_store(&kept, "sqlite:of-cluster.db");
    assert_eq!(report["events_new"].as_u64(), Some(fresh.as_array().unwrap().len() as u64));
    assert!(facts("sqlite:of-cluster.db") == fresh, "out of a cluster");
    of_store("sqlite:of-cluster.db", &rebuilt);
    assert!(facts(&rebuilt) == fresh, "into a cluster");
    assert_eq!(of_store("sqlite:of-cluster.db", &rebuilt)["events_new"], 0, "once more");
    let known_at = |store: &str| {
        let events = run(&["events", "--store", store, "--limit", "500"]);
        let of = |event: &Value| (event["id"].clone(), event["known_at"].clone());
        events.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(known_at(&rebuilt), known_at(&kept));
    place
        .run(["import", "--rules", "new", "--from", &kept, "--store", &kept])
        .expect_code(2)
        .expect_error("is both where lines are read and where events shall go");
}

#[test]
fn migrate_tells_what_it_made_in_every_form() {
    let place = Place::new();
    let address = address("made");
    let text = migrate(&place, &address, &["--retention", "90d"]).expect_code(0).out;
    assert!(text.starts_with(&format!("{address}: made\n")), "{text}");
    assert!(text.contains("retention        90d\n"), "{text}");
    let again = migrate(&place, &address, &["--retention", "90d"]).expect_code(0).out;
    assert!(again.contains("is there, as stated; nothing changed"), "{again}");
    let json = migrate(&place, &address, &["--retention", "90d", "-o", "json"]).expect_code(0);
    let json = json.json();
    assert_eq!((&json["store"], &json["created"]), (&Value::from(&*address), &false.into()));
    assert_eq!(json["settings"]["rate"], "10");
    let csv = migrate(&place, &address, &["--retention", "90d", "-o", "csv"]).expect_code(0);
    let mut rows = csv::Reader::from_reader(csv.out.as_bytes());
    let headings = rows.headers().unwrap().clone();
    assert_eq!(&headings[0], "store");
    let row = rows.records().next().unwrap().unwrap();
    let cell = |name: &str| &row[headings.iter().position(|heading| heading == name).unwrap()];
    assert_eq!((cell("created"), cell("retention")), ("false", "90d"));

    migrate(&place, &address, &["--retention", "30d", "--state-index"])
        .expect_code(5)
        .expect_error("retention is 90d, not 30d; state_index is false, not true")
        .expect_error("state the same again");
}

#[test]
fn a_store_that_is_not_there_or_cannot_be_made() {
    let place = Place::with_log();
    migrate(&place, "sqlite:store.db", &[])
        .expect_code(2)
        .expect_error("a store in a file makes itself");
    migrate(&place, &address("wrong"), &["--retention", "soon"])
        .expect_code(2)
        .expect_error("retention \"soon\" is not of the form");
    let missing = address("missing");
    for command in [&["ls"][..], &["import", "--rules", "rules.yaml", "app.log"]] {
        place
            .run([command, &["--store", &missing]].concat())
            .expect_code(5)
            .expect_error(&format!("make it with statetrail migrate --store {missing}"));
    }
    for (store, code, expected) in [
        ("cassandra://", 2, "the keyspace is missing"),
        ("cassandra://db", 2, "the keyspace is missing"),
        ("cassandra://db/Trail", 2, "keyspace \"Trail\""),
        ("cassandra://u:secret@db/trail", 2, "has no place in an address"),
        ("cassandra://db/trail?colour=red", 2, "unknown setting \"colour\""),
        ("cassandra://127.0.0.1:1/trail", 5, "refused the connection"),
        ("cassandra://no-such-host.invalid/trail", 5, "none of its hosts has an address"),
        ("cassandra://127.0.0.1:1/trail?user=u&password_file=none", 5, "cannot be read"),
        ("cassandra://127.0.0.1:1/trail?ca_file=none", 5, "none cannot be used for TLS"),
    ] {
        for command in [&["ls"][..], &["migrate", "--rate", "10", "--replication", "1"]] {
            let answer = place.run([command, &["--store", store]].concat()).expect_code(code);
            let answer = answer.expect_error(expected);
            assert!(!answer.err.contains("secret"), "{}", answer.err);
            assert!(!answer.err.contains("sqlite:PATH"), "{}", answer.err);
        }
    }
}
