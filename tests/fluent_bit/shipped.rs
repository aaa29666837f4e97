//! The configurations in `fluent-bit/`, with the folders of a test in the place of a node's.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use statetrail_servers::FluentBit;
use statetrail_tests::{filter_module, project_folder};

/// The one that the manifests have.
const OF_CLUSTERS: &str = "k8s/base/fluent-bit/fluent-bit.yaml";

/// Every configuration that is shipped.
pub(crate) fn all() -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(project_folder().join("fluent-bit"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            all.push(path);
        }
    }
    all.push(project_folder().join(OF_CLUSTERS));
    all.sort();
    ensure!(!all.is_empty(), "no configuration is shipped");
    Ok(all)
}

/// A configuration as it is shipped, but for where things are.
pub(crate) fn configuration(path: &Path, folder: &Path, brokers: &str) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut text = text.replace("${KAFKA_BROKERS}", brokers);
    for (there, here) in [
        ("/etc/statetrail/statetrail_filter.wasm", filter_module()?),
        ("/etc/statetrail-teams", &folder.join("teams")),
        ("/etc/statetrail-node", &folder.join("name")),
        ("/etc/statetrail", folder),
        ("/var/log/containers", &folder.join("containers")),
        ("/var/lib/fluent-bit", &folder.join("lib")),
    ] {
        text = text.replace(there, &here.display().to_string());
    }
    Ok(text)
}

/// A folder with the shipped rules, and with room for logs and what Fluent Bit keeps.
pub(crate) fn folder() -> Result<tempfile::TempDir> {
    let folder = FluentBit::folder()?;
    for name in ["rules", "containers", "lib"] {
        fs::create_dir(folder.path().join(name))?;
    }
    for rules in ["shop.yaml", "canary.yaml"] {
        let shipped = project_folder().join("fluent-bit/rules").join(rules);
        fs::copy(shipped, folder.path().join("rules").join(rules))?;
    }
    Ok(folder)
}

/// The part between two headings of a pipeline in the place of what stands there.
fn with_part(text: &str, from: &str, to: &str, part: &str) -> Result<String> {
    let begin = text.find(from).with_context(|| format!("no {from:?}"))?;
    let end = text[begin..].find(to).map_or(text.len(), |end| begin + end);
    Ok(format!("{}{part}{}", &text[..begin], &text[end..]))
}

/// What the journal would give, for a Fluent Bit that was built without its plugin.
const JOURNAL: &str = r#"  inputs:
    - name: dummy
      tag: host.init
      samples: 1
      dummy: '{"_HOSTNAME": "node-1", "SYSLOG_IDENTIFIER": "systemd", "_PID": "1", "MESSAGE": "Started parcel-sorter.service - Sorts parcels by depot."}'

"#;

/// The log of a pod of the shop, where the configurations look for it.
pub(crate) fn container_log(folder: &Path, pod: &str) -> PathBuf {
    let id = "0123456789abcdef".repeat(4);
    folder.join(format!("containers/{pod}_shop_app-{id}.log"))
}

/// A line of a container for which there is a rule, of an order of its own.
pub(crate) fn order_line(number: usize) -> String {
    format!("2026-11-22T10:00:00.{number:09}Z stdout F order o-{number} delivery note: bell\n")
}

/// The configuration with a file in that folder, `out.jsonl`, as its only output.
pub(crate) fn into_file(text: &str, folder: &Path) -> Result<String> {
    let (before, _) = text.split_once("  outputs:\n").context("the outputs come last")?;
    Ok(format!(
        "{before}  outputs:\n    - {{name: file, match: '*', path: {}, file: out.jsonl, format: plain}}\n",
        folder.display()
    ))
}

/// Says loudly when this Fluent Bit cannot read a journal, so that something stands in for it.
fn with_journal(binary: &Path, text: String) -> Result<String> {
    let help = Command::new(binary).arg("--help").output()?;
    if !text.contains("name: systemd")
        || String::from_utf8_lossy(&help.stdout).contains("  systemd")
    {
        return Ok(text);
    }
    eprintln!("NOT TESTED: the input of systemd.yaml, as {} has no such plugin", binary.display());
    with_part(&text, "  inputs:\n", "  filters:\n", JOURNAL)
}

#[test]
fn fluent_bit_accepts_every_configuration() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let folder = folder()?;
    for path in all()? {
        let text = configuration(&path, folder.path(), "127.0.0.1:9")?;
        let text = with_journal(binary, text)?;
        FluentBit::dry_run(binary, folder.path(), &text)
            .with_context(|| path.display().to_string())?;
        // One that is wrong is refused, or this would say nothing.
        for wrong in ["function_names:", "event_formats:"] {
            let text = text.replace(&wrong.replace("s:", ":"), wrong);
            let refused = FluentBit::dry_run(binary, folder.path(), &text);
            ensure!(refused.is_err(), "{}: {wrong} is accepted", path.display());
        }
    }
    Ok(())
}

/// A dry run reads settings; what the plugins make of them shows only at a start.
#[test]
fn fluent_bit_starts_with_every_configuration() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    for path in all()? {
        let folder = folder()?;
        for name in ["teams", "name"] {
            fs::create_dir(folder.path().join(name))?;
        }
        let text = configuration(&path, folder.path(), "127.0.0.1:9")?;
        let text = with_journal(binary, text)?;
        // A port that may be another one's here, and certificates of a cluster.
        let belongs_elsewhere =
            |line: &&str| line.contains("http_server:") || line.contains("rdkafka.s");
        let lines = text.lines().filter(|line| !belongs_elsewhere(line));
        let text: String = lines.map(|line| line.to_owned() + "\n").collect();
        let fluent_bit =
            FluentBit::start(binary, folder, &text).with_context(|| path.display().to_string())?;
        let log = fluent_bit.log()?;
        let refused = log.lines().find(|line| line.contains("rdkafka") && line.contains("error"));
        ensure!(refused.is_none(), "{}: {refused:?}", path.display());
        fluent_bit.server().kill()?;
    }
    Ok(())
}

/// Runs a shipped configuration with a file as its output until there are so many records, and returns
/// them with their events as JSON.
fn records(
    binary: &'static Path,
    folder: tempfile::TempDir,
    name: &str,
    adapt: impl Fn(String) -> Result<String>,
    count: usize,
) -> Result<Vec<Value>> {
    let out = folder.path().join("out.jsonl");
    let path = project_folder().join("fluent-bit").join(name);
    let text = into_file(&adapt(configuration(&path, folder.path(), "")?)?, folder.path())?;
    let fluent_bit = FluentBit::start(binary, folder, &text)?;
    let lines = || fs::read_to_string(&out).unwrap_or_default();
    fluent_bit.wait_for("all records", || lines().lines().count() >= count)?;
    fluent_bit.server().stop()?;
    let record = |line: &str| {
        let mut record: Value = serde_json::from_str(line)?;
        let events = record["event"].as_str().context("a record without events")?;
        record["event"] = serde_json::from_str(events)?;
        Ok(record)
    };
    lines().lines().map(record).collect()
}

pub(crate) const CAUSE_RULE: &str = "\
namespaces: [shop]
rules:
  - name: failed
    match: 'order <order> failed: <error> <_:any>Caused by: <cause>:'
    emit:
      - {entity: order/<order>, event: failed, set: {error: <error>, cause: <cause>}}
    samples:
      - line: \"2026-11-22 order o-7 failed: a.B x\\n\\tat a\\nCaused by: c.D: no\"
        events:
          - {entity: order/o-7, event: failed, set: {error: a.B, cause: c.D}}
";

#[test]
fn a_message_over_several_lines_is_one_line_for_the_rules() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let folder = folder()?;
    fs::write(folder.path().join("rules/cause.yaml"), CAUSE_RULE)?;
    let message = [
        "2026-11-22 10:00:00 order o-7 failed: java.io.IOException card refused",
        "\tat shop.Checkout.pay",
        "Caused by: java.net.SocketException: reset",
        "2026-11-22 10:00:01 order o-8 delivery note removed",
    ];
    let line = |(number, text)| format!("2026-11-22T10:00:00.{number:09}Z stdout F {text}\n");
    let text: String = message.into_iter().enumerate().map(line).collect();
    fs::write(container_log(folder.path(), "checkout-1"), text)?;
    let records = records(binary, folder, "multiline.yaml", Ok, 2)?;
    let event = |key: &str| records.iter().find(|record| record["key"] == key);
    let failed = event("shop/order/o-7").with_context(|| format!("{records:?}"))?;
    let set = &failed["event"]["data"]["set"];
    ensure!(set["error"] == "java.io.IOException", "{failed}");
    ensure!(set["cause"] == "java.net.SocketException", "{failed}");
    ensure!(failed["event"]["time"] == "2026-11-22T10:00:00.000000000Z", "{failed}");
    ensure!(event("shop/order/o-8").is_some(), "{records:?}");
    Ok(())
}

/// A rule file of a team, which gives events of this name.
fn team_rule(event: &str) -> String {
    format!(
        "namespaces: [shop]\nrules:\n  - name: seen\n    match: 'parcel <parcel> seen'\n    \
         emit: [{{entity: parcel/<parcel>, event: {event}}}]\n    samples:\n      \
         - {{line: parcel p-1 seen, events: [{{entity: parcel/p-1, event: {event}}}]}}\n"
    )
}

/// As the kubelet brings a new version of ConfigMaps: a folder of its own, to which links lead.
fn bring(rules: &Path, version: &str, text: &str) -> Result<()> {
    fs::create_dir_all(rules.join(version))?;
    fs::write(rules.join(version).join("team.yaml"), text)?;
    let link = rules.join("..data_tmp");
    symlink(version, &link)?;
    fs::rename(link, rules.join("..data"))?;
    if !rules.join("team.yaml").exists() {
        symlink("..data/team.yaml", rules.join("team.yaml"))?;
    }
    Ok(())
}

#[test]
fn rules_of_a_team_change_in_a_cluster_without_a_restart() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let folder = folder()?;
    let (path, out) = (folder.path().to_owned(), folder.path().join("out.jsonl"));
    let rules = path.join("teams/rules");
    bring(&rules, "..1", &team_rule("first"))?;
    fs::create_dir(path.join("name"))?;
    fs::write(path.join("name/node"), "node-1")?;
    let text = configuration(&project_folder().join(OF_CLUSTERS), &path, "")?;
    // Its port may be another one's here.
    let output = into_file(&text, &path)?.replace("http_server: on", "http_server: off");
    let log = container_log(&path, "a-1");
    fs::write(&log, "")?;
    let fluent_bit = FluentBit::start(binary, folder, &output)?;
    let number = Cell::new(0);
    // A line at each look: rules are looked at as long as lines come.
    let until = |what: &str| {
        fluent_bit.wait_for(what, || {
            number.set(number.get() + 1);
            let line =
                format!("2026-11-22T10:00:00.{:09}Z stdout F parcel p-1 seen\n", number.get());
            let appended = OpenOptions::new().append(true).open(&log);
            appended.and_then(|mut log| log.write_all(line.as_bytes())).is_ok()
                && fs::read_to_string(&out).is_ok_and(|records| records.contains(what))
        })
    };
    until("parcel.first")?;
    bring(&rules, "..2", &team_rule("second"))?;
    until("parcel.second")?;
    // All three folders are seen: rules that come along, the team's, and the node's name.
    let said = fs::read_to_string(&out)?;
    ensure!(said.contains("matched.shop.yaml") && said.contains("matched.team.yaml"), "{said}");
    ensure!(said.contains("filter/node-1"), "{said}");
    fluent_bit.server().stop()?;
    Ok(())
}

/// All but the reading of a journal itself.
#[test]
fn what_the_journal_says_is_a_line_for_the_rules() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let folder = folder()?;
    let rules = project_folder().join("fluent-bit/rules/systemd.yaml");
    fs::copy(rules, folder.path().join("rules/systemd.yaml"))?;
    let adapt = |text: String| with_part(&text, "  inputs:\n", "  filters:\n", JOURNAL);
    let records = records(binary, folder, "systemd.yaml", adapt, 1)?;
    ensure!(records[0]["key"] == "hosts/unit/node-1/parcel-sorter.service", "{records:?}");
    ensure!(records[0]["event"]["data"]["set"]["state"] == "started", "{records:?}");
    Ok(())
}

/// What a reader of the documents copies is what is tested.
#[test]
fn the_snippet_of_the_documents_is_the_tested_one() -> Result<()> {
    let readme = fs::read_to_string(project_folder().join("filter-wasm/README.md"))?;
    let shipped = fs::read_to_string(project_folder().join("fluent-bit/add-to-existing.yaml"))?;
    let snippet = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let snippet = snippet.context("the README has no snippet of YAML")?;
    let parts: Vec<&str> = snippet.split("    # ...\n").collect();
    ensure!(parts.len() > 1 && parts.iter().all(|part| part.lines().count() > 3), "{snippet}");
    for part in parts {
        let part = part.trim_start_matches("  outputs:\n");
        ensure!(shipped.contains(part), "not in add-to-existing.yaml:\n{part}");
    }
    Ok(())
}
