//! Invariant I2 from one end to the other: a line that Fluent Bit sends and a line that is
//! imported from its file give events with the same ids.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use statetrail_event::Time;
use statetrail_filter::{Filter, Mode};
use statetrail_rules::RuleText;
use statetrail_tests::statetrail;

const RULES: &str = "\
namespaces: [shop]
rules:
  - name: counted
    match: 'stock <item> <count:int>'
    emit:
      - {entity: item/<item>, event: counted, set: {count: <count>}}
      - {entity: shelf/<item>, event: looked-at}
    samples:
      - line: 'stock a 1'
        events:
          - {entity: item/a, event: counted, set: {count: 1}}
          - {entity: shelf/a, event: looked-at}
";

/// Longer than any line that is looked at.
const TOO_LONG: usize = (1 << 20) + 1;

/// A line of a log, and the record that Fluent Bit makes of it.
struct Both {
    in_file: String,
    record: Value,
    time: &'static str,
}

/// A plain line: a parser took its time and left it as it was.
fn plain(time: &'static str, text: &str) -> Both {
    let in_file = format!("{time} {text}");
    let record = json!({"log": in_file, "offset": 7, "file": "/var/log/app.log"});
    Both { in_file, record, time }
}

/// A line as containerd writes it, and as the `cri` parser reads it.
fn cri(time: &'static str, text: &str) -> Both {
    let record = json!({"time": time, "stream": "stderr", "logtag": "F", "log": text, "offset": 7});
    Both { in_file: format!("{time} stderr F {text}"), record, time }
}

/// A line as Docker writes it, and as the `docker` parser reads it.
fn docker(time: &'static str, text: &str) -> Both {
    let record = json!({"log": format!("{text}\n"), "stream": "stdout", "time": time});
    Both { in_file: record.to_string(), record, time }
}

#[test]
fn the_same_line_has_the_same_ids_in_fluent_bit_and_in_an_import() -> Result<()> {
    let id = "0123456789abcdef".repeat(4);
    let container = format!("cart-6f9c_shop_app-{id}.log");
    let container_tag = format!("kube.var.log.containers.{container}");
    let long = "x".repeat(TOO_LONG);
    // Moments that come again, equal lines, lines of no rule, a line that nobody looks at.
    let seconds = ["2026-11-22T10:00:00Z", "2026-11-22T10:00:01Z"];
    let plain_lines = [
        plain(seconds[0], "stock a 1"),
        plain(seconds[0], "stock a 2"),
        plain(seconds[1], "nothing that a rule knows"),
        plain(seconds[1], "stock a 3"),
        plain(seconds[0], "stock a 1"),
        plain(seconds[1], &long),
        plain(seconds[1], "stock b 3"),
        plain(seconds[0], "stock a 4"),
    ];
    let nanos = ["2026-11-22T10:00:00.000000001Z", "2026-11-22T10:00:00.000000002Z", seconds[1]];
    for (what, file, tag, lines, events) in [
        ("a plain file", "app.log", "host.app", &plain_lines[..], 12),
        ("a container's log", &container, &container_tag, &runtime_lines(cri, nanos), 10),
        ("the same by another name", "0.log", "host.0", &runtime_lines(cri, nanos), 10),
        ("Docker's", "json.log", "host.json", &runtime_lines(docker, nanos), 10),
    ] {
        let imported = imported(file, lines).context(what)?;
        ensure!(imported.len() == events, "{what}: {} events", imported.len());
        let filtered = filtered(tag, lines).context(what)?;
        ensure!(filtered == imported, "{what}: {filtered:?} is not {imported:?}");
    }
    Ok(())
}

/// Lines of which several have the same time: a coarse clock, and one line that came twice.
fn runtime_lines(line: fn(&'static str, &str) -> Both, times: [&'static str; 3]) -> Vec<Both> {
    vec![
        line(times[0], "stock a 1"),
        line(times[0], "stock a 2"),
        line(times[1], "nothing that a rule knows"),
        line(times[1], "stock a 3"),
        line(times[0], "stock a 1"),
        line(times[2], "stock a 5"),
        line(times[2], "stock a 6"),
    ]
}

/// The ids of the events that the real binary stores.
fn imported(file: &str, lines: &[Both]) -> Result<BTreeSet<String>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("rules.yaml"), RULES)?;
    let text: String = lines.iter().map(|line| format!("{}\n", line.in_file)).collect();
    std::fs::write(folder.path().join(file), text)?;
    run(folder.path(), &["import", "--rules", "rules.yaml", file])?;
    let events = run(folder.path(), &["events", "--output", "jsonl"])?;
    events.lines().map(|event| id_of(&serde_json::from_str(event)?)).collect()
}

fn run(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = statetrail()?;
    command.args(arguments).args(["--store", "sqlite:trail.db"]).current_dir(folder);
    let output = command.output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {told}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The ids of the events that the filter replies with.
fn filtered(tag: &str, lines: &[Both]) -> Result<BTreeSet<String>> {
    let mut filter = Filter::default();
    let rules =
        RuleText { name: "/etc/statetrail/rules/rules.yaml".to_owned(), text: RULES.into() };
    let faults = filter.reload(&[rules]);
    ensure!(faults.is_empty(), "{faults:?}");
    let mut ids = BTreeSet::new();
    for line in lines {
        let time = Time::parse_rfc3339(line.time)?.nanos();
        let (seconds, nanos) = (time / 1_000_000_000, time % 1_000_000_000);
        let record = line.record.to_string();
        let reply = filter.process(
            Mode::Events,
            tag.as_bytes(),
            u32::try_from(seconds)?,
            u32::try_from(nanos)?,
            record.as_bytes(),
        );
        if let Some(text) = reply.text() {
            let reply: Value = serde_json::from_slice(text)?;
            let events: Value = serde_json::from_str(reply["event"].as_str().context("no event")?)?;
            for event in events.as_array().context("one event of two")? {
                ids.insert(id_of(event)?);
            }
        }
    }
    Ok(ids)
}

fn id_of(event: &Value) -> Result<String> {
    Ok(event["id"].as_str().with_context(|| format!("no id in {event}"))?.to_owned())
}
