//! Questions to a small store: every command, every form of output, names and times.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::Place;
use serde_json::{Value, json};

/// Every command that answers, with words that give an answer.
const COMMANDS: [&[&str]; 10] = [
    &["import", "--rules", "rules.yaml", "app.log"],
    &["show", "o-1042"],
    &["log", "o-1042"],
    &["diff", "o-1042", "--from", "2026-11-22 10:01"],
    &["diff", "o-1042", "o-1043"],
    &["blame", "o-1042"],
    &["ls"],
    &["find", "order"],
    &["events"],
    &["rules", "check", "rules.yaml"],
];

#[test]
fn every_command_answers_in_every_form() {
    let place = Place::with_log();
    for command in COMMANDS {
        let run = |form: &str| place.run([command, &["--output", form]].concat()).expect_code(0);
        let json = run("json").json();
        let lines = run("jsonl").json_lines();
        match &json {
            Value::Array(elements) => assert_eq!(elements.len(), lines.len(), "{command:?}"),
            _ => assert_eq!(lines.len(), 1, "{command:?}"),
        }
        let csv = run("csv");
        let mut rows = csv::Reader::from_reader(csv.out.as_bytes());
        assert!(rows.headers().unwrap().len() >= 3, "{command:?}");
        // The reader refuses a row that is longer or shorter than the first one.
        rows.records().for_each(|row| assert!(row.is_ok(), "{command:?}"));
        let text = run("text").out;
        assert!(!text.is_empty(), "{command:?}");
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 80, "{command:?} is {widest} columns wide:\n{text}");
    }
}

#[test]
fn the_state_at_any_moment() {
    let place = Place::with_log();
    let state = |options: &[&str]| {
        let answer = place.run([&["show", "o-1042", "-o", "json"], options].concat());
        answer.expect_code(0).json()["state"].clone()
    };
    let placed = json!({"status": "placed", "amount": 12.5, "customer": "ann"});
    let paid = json!({"status": "paid", "amount": 12.5, "customer": "ann", "method": "card"});
    let cancelled = json!({"status": "cancelled", "amount": 12.5, "customer": "ann"});
    for (options, expected) in [
        (&["--at", "2026-11-22 10:00"][..], &placed),
        (&["--at", "2026-11-22T10:00:07.249Z"], &placed),
        (&["--at", "2026-11-22 10:00:07.250"], &paid),
        (&["--at", "2026-11-22 11:01", "--tz", "Europe/Berlin"], &paid),
        (&["--at", "2026-11-22 10:05", "--utc"], &cancelled),
        (&[], &cancelled),
    ] {
        assert_eq!(&state(options), expected, "{options:?}");
    }
    let before = ["show", "o-1042", "--at", "2026-11-22 09:59"];
    place
        .run(before)
        .expect_code(3)
        .expect_error("no event at or before 2026-11-22 09:59:00 (UTC)")
        .expect_error("its first event is of 2026-11-22 10:00:00");
}

#[test]
fn what_was_known_at_a_moment() {
    let place = Place::new();
    let (early, late) = common::LOG.split_at(common::LOG.find("2026-11-22 10:05").unwrap());
    place.write("early.log", early);
    place.write("late.log", late);
    place.run(["import", "--rules", "rules.yaml", "early.log"]).expect_code(0);
    let known_at = |file: &str| {
        let events = place.run(["events", "-o", "json"]).expect_code(0).json();
        let elements = events.as_array().unwrap().clone();
        let of_file = |event: &&Value| event["file"].as_str().unwrap().ends_with(file);
        let first = elements.iter().find(of_file).unwrap()["known_at"].clone();
        first.as_str().unwrap().to_owned()
    };
    let then = known_at("early.log");
    place.run(["import", "--rules", "rules.yaml", "late.log"]).expect_code(0);
    assert_eq!(known_at("early.log"), then, "importing more leaves what is known as it is");
    for (command, field) in [("show", "/state/status"), ("log", "/1/state/status")] {
        let status = |options: &[&str]| {
            let answer = place.run([&[command, "o-1042", "-o", "json"], options].concat());
            answer.expect_code(0).json().pointer(field).cloned()
        };
        assert_eq!(status(&["--as-known-at", &then]), Some(json!("paid")), "{command}");
    }
    let status = |options: &[&str]| {
        let words = [&["diff", "o-1042", "o-1043", "-o", "json"], options].concat();
        place.run(words).expect_code(0).json()["changes"].to_string()
    };
    assert!(!status(&["--as-known-at", &then]).contains("cancelled"));
    assert!(status(&[]).contains("cancelled"));
    let before = ["show", "o-1042", "--as-known-at", "2020-01-01"];
    place.run(before).expect_code(3).expect_error("known by 2020-01-01 00:00:00");
}

#[test]
fn a_trail_can_be_cut_and_turned() {
    let place = Place::with_log();
    let events = |options: &[&str]| -> Vec<String> {
        let answer = place.run([&["log", "order/o-1042", "-o", "jsonl"], options].concat());
        let lines = answer.json_lines();
        lines.iter().map(|step| format!("{} {}", step["event"], step["state"]["status"])).collect()
    };
    let all = [r#""placed" "placed""#, r#""paid" "paid""#, r#""cancelled" "cancelled""#];
    for (options, expected) in [
        (&[][..], &[0, 1, 2][..]),
        (&["--reverse"], &[2, 1, 0]),
        (&["--limit", "2"], &[0, 1]),
        (&["--limit", "0"], &[]),
        (&["--reverse", "--limit", "1"], &[2]),
        (&["--since", "2026-11-22 10:00:01"], &[1, 2]),
        (&["--until", "2026-11-22 10:04"], &[0, 1]),
        (&["--since", "2026-11-22 10:00:01", "--until", "2026-11-22 10:04"], &[1]),
        (&["--since", "2026-11-22 10:00:01", "--until", "2026-11-22 10:00:02"], &[]),
    ] {
        let expected: Vec<&str> = expected.iter().map(|index| all[*index]).collect();
        assert_eq!(events(options), expected, "{options:?}");
    }
    let turned = ["log", "o-1042", "--since", "2026-11-22 11:00", "--until", "2026-11-22 10:00"];
    place.run(turned).expect_code(2).expect_error("is after --until");
}

#[test]
fn the_differences_of_moments_and_entities() {
    let place = Place::with_log();
    let changes = |words: &[&str]| {
        let answer = place.run([&["diff", "-o", "csv"], words].concat()).expect_code(0);
        answer.out.lines().skip(1).collect::<Vec<_>>().join("|")
    };
    for (words, expected) in [
        (
            &["o-1042", "--from", "2026-11-22 10:00", "--to", "2026-11-22 10:01"][..],
            "method,,card|status,placed,paid",
        ),
        (&["o-1042", "--from", "2026-11-22 10:01"], "method,card,|status,paid,cancelled"),
        (&["o-1042", "--to", "2026-11-22 10:00"], "amount,,12.5|customer,,ann|status,,placed"),
        (&["o-1042", "--from", "2026-11-22 10:06"], ""),
        (&["o-1042", "o-1043", "--at", "2026-11-22 10:00"], "amount,12.5,7|customer,ann,bob"),
    ] {
        assert_eq!(changes(words), expected, "{words:?}");
    }
    let turned = ["diff", "o-1042", "--from", "2026-11-22 11:00", "--to", "2026-11-22 10:00"];
    place.run(turned).expect_code(2).expect_error("is after --to");
    place.run(["diff", "o-1042", "o-1043", "--from", "10:00"]).expect_code(2);
}

#[test]
fn each_field_is_blamed_on_its_line() {
    let place = Place::with_log();
    let fields = place.run(["blame", "o-1042", "-o", "jsonl"]).expect_code(0).json_lines();
    let blamed: Vec<(&str, &str)> = fields
        .iter()
        .map(|field| (field["field"].as_str().unwrap(), field["by"]["line"].as_str().unwrap()))
        .collect();
    let placed = "2026-11-22 10:00:00 order o-1042 placed amount=12.5 by ann";
    let cancelled = "2026-11-22 10:05:00 order o-1042 cancelled";
    assert_eq!(blamed, [("amount", placed), ("customer", placed), ("status", cancelled)]);
    for field in &fields {
        let offset = field["by"]["offset"].as_u64().unwrap() as usize;
        let line = field["by"]["line"].as_str().unwrap();
        assert!(common::LOG[offset..].starts_with(line), "{field}");
    }
    place.run(["blame", "o-1042", "--at", "2026-11-22 09:00"]).expect_code(3);
}

#[test]
fn entities_are_listed_and_found() {
    let place = Place::with_log();
    let names = |words: &[&str]| {
        let answer = place.run([words, &["-o", "jsonl"]].concat());
        let names = answer.json_lines();
        let names: Vec<String> =
            names.iter().map(|line| line["entity"].as_str().unwrap().to_owned()).collect();
        (answer.code.unwrap(), names.join(" ").replace("shop/", ""))
    };
    for (words, code, expected) in [
        (
            &["ls"][..],
            0,
            "order/o-1042 order/o-1043 order/o-2000 payment/p-o-1042 payment/p-o-1043",
        ),
        (
            &["ls", "sh"],
            0,
            "order/o-1042 order/o-1043 order/o-2000 payment/p-o-1042 payment/p-o-1043",
        ),
        (&["ls", "shop/order/o-10"], 0, "order/o-1042 order/o-1043"),
        (&["ls", "shop/pay"], 0, "payment/p-o-1042 payment/p-o-1043"),
        (&["ls", "--limit", "1"], 0, "order/o-1042"),
        (&["ls", "web/"], 3, ""),
        (&["find", "order"], 0, "order/o-1042 order/o-1043 order/o-2000"),
        (&["find", "shop/order", "--limit", "2"], 0, "order/o-1042 order/o-1043"),
        (&["find", "web/order"], 3, ""),
        (&["find", "order", "--where", "status=paid"], 0, "order/o-1043"),
        (&["find", "order", "--where", "amount>10"], 0, "order/o-1042 order/o-2000"),
        (&["find", "order", "--where", "!method"], 0, "order/o-1042 order/o-2000"),
        (
            &["find", "order", "--where", "status=paid", "--at", "2026-11-22 10:04"],
            0,
            "order/o-1042 order/o-1043",
        ),
        (
            &[
                "find",
                "order",
                "--where",
                "status=paid",
                "--where",
                "customer=ann",
                "--at",
                "2026-11-22 10:04",
            ],
            0,
            "order/o-1042",
        ),
        (&["find", "order", "--where", "status=lost"], 3, ""),
        (&["find", "order", "--at", "2026-11-22 09:00"], 3, ""),
    ] {
        assert_eq!(names(words), (code, expected.to_owned()), "{words:?}");
    }
    assert_eq!(place.run(["ls", "web/", "-o", "json"]).expect_code(3).out, "[]\n");
    let mistyped = place.run(["find", "ordr", "-o", "json"]).expect_code(3);
    assert_eq!(mistyped.out, "[]\n");
    mistyped.expect_error("no entity is of the type \"ordr\"");
    place
        .run(["find", "order", "--where", "stat=1"])
        .expect_code(3)
        .expect_error("nothing matched");
}

#[test]
fn events_are_listed_by_time() {
    let place = Place::with_log();
    let events = |words: &[&str]| {
        let answer = place.run([&["events", "-o", "jsonl"], words].concat());
        let names = answer.json_lines();
        let names: Vec<&str> = names.iter().map(|line| line["event"].as_str().unwrap()).collect();
        (answer.code.unwrap(), names.join(" "))
    };
    for (words, code, expected) in [
        (&[][..], 0, "placed placed paid accepted paid accepted cancelled placed"),
        (&["--since", "2026-11-22 10:03"], 0, "paid accepted cancelled placed"),
        (&["--until", "2026-11-22 10:00"], 0, "placed placed"),
        (&["--type", "payment"], 0, "accepted accepted"),
        (&["--event", "cancelled"], 0, "cancelled"),
        (&["--grep", "invoice"], 0, "paid accepted"),
        (&["--namespace", "shop", "--limit", "3"], 0, "placed placed paid"),
        (&["--namespace", "web"], 3, ""),
        (&["--since", "now"], 3, ""),
    ] {
        assert_eq!(events(words), (code, expected.to_owned()), "{words:?}");
    }
}

#[test]
fn entities_are_named_by_any_part_that_fits_one() {
    let place = Place::with_log();
    for (typed, expected) in [
        ("shop/order/o-1042", "shop/order/o-1042"),
        ("order/o-1042", "shop/order/o-1042"),
        ("o-1042", "shop/order/o-1042"),
        ("o-2", "shop/order/o-2000"),
        ("p-o-1042", "shop/payment/p-o-1042"),
        ("order/o-20", "shop/order/o-2000"),
        ("2000", "shop/order/o-2000"),
    ] {
        let shown = place.run(["show", typed, "-o", "json"]).expect_code(0).json();
        assert_eq!(shown["entity"], json!(expected), "{typed}");
    }
    for typed in ["o-104", "order", "shop/"] {
        let answer = place.run(["show", typed]).expect_code(4);
        answer.expect_error("fits more than one entity").expect_error("shop/order/o-1043");
    }
    let wrong = place.run(["show", "o-1024"]).expect_code(3);
    wrong.expect_error("\"o-1024\"").expect_error("did you mean shop/order/o-1042");
    place.run(["show", "zebra"]).expect_code(3).expect_error("statetrail ls");
}

#[test]
fn colours_are_for_terminals() {
    let place = Place::with_log();
    for (words, variable, coloured) in [
        (&["log", "o-1042"][..], None, false),
        (&["log", "o-1042", "--color", "always"], None, true),
        (&["log", "o-1042", "--color", "always"], Some("1"), true),
        (&["log", "o-1042", "--color", "never"], None, false),
        (&["log", "o-1042", "--color", "always", "-o", "json"], None, false),
    ] {
        let mut command = place.command(words);
        if let Some(value) = variable {
            command.env("NO_COLOR", value);
        }
        let answer = common::Answer::of(command.output().unwrap()).expect_code(0);
        assert_eq!(answer.out.contains('\u{1b}'), coloured, "{words:?}");
    }
}

#[test]
fn what_services_log_does_not_steer_the_terminal() {
    let place = Place::new();
    place.write("app.log", "2026-11-22 10:00:00 order o-1 placed amount=1 by a\u{1b}[31mnn\u{7}\n");
    place.run(["import", "--rules", "rules.yaml", "app.log"]).expect_code(0);
    for command in ["show", "log", "blame"] {
        let answer = place.run([command, "o-1"]).expect_code(0);
        assert!(!answer.out.contains(['\u{1b}', '\u{7}']), "{}", answer.out);
    }
}

#[test]
fn rules_are_checked() {
    let place = Place::new();
    let clean = place.run(["rules", "check", "rules.yaml"]).expect_code(0);
    assert_eq!(clean.out, "1 rule file: 0 errors, 0 warnings\n");
    place.write("wrong/a.yaml", common::RULES.replace("emit:", "emits:"));
    place.write(
        "wrong/b.yaml",
        common::RULES.replace("{status: paid, method: card}", "{status: open}"),
    );
    let wrong = place.run(["rules", "check", "wrong"]).expect_code(1);
    assert!(wrong.out.contains("wrong/a.yaml:5:5"), "{}", wrong.out);
    assert!(wrong.out.contains("wrong/b.yaml:"), "{}", wrong.out);
    let faults = place.run(["rules", "check", "wrong", "-o", "jsonl"]).expect_code(1);
    assert!(faults.json_lines().len() >= 4);
}

#[test]
fn completions_are_written_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let answer = place.run(["completions", shell]).expect_code(0);
        assert!(answer.out.contains("as-known-at"), "{shell}");
    }
}

#[test]
fn help_names_the_exit_codes_and_gives_examples() {
    let place = Place::new();
    let help = place.run(["--help"]).expect_code(0).out;
    for text in ["Exit codes:", "130", "--store", "STATETRAIL_STORE"] {
        assert!(help.contains(text), "{text}");
    }
    for command in ["import", "show", "log", "diff", "blame", "ls", "find", "events", "demo"] {
        let help = place.run([command, "--help"]).expect_code(0).out;
        assert!(help.contains(&format!("  statetrail {command}")), "{command}");
    }
}
