//! Rules that change while Fluent Bit works.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use statetrail_servers::FluentBit;

use crate::pipeline::{Pipeline, prepared_folder};

/// How soon a change must be in force.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(10);
/// Between two lines.
const PAUSE: Duration = Duration::from_millis(20);

fn rules(verbs: &[&str]) -> String {
    let mut text = "namespaces: [shop]\nrules:\n".to_owned();
    for verb in verbs {
        text += &format!(
            "  - name: {verb}\n    match: 'order <order> {verb}'\n    \
             emit: [{{entity: order/<order>, event: {verb}}}]\n    samples:\n      \
             - line: 'order o-1 {verb}'\n        events: [{{entity: order/o-1, event: {verb}}}]\n"
        );
    }
    text
}

/// Puts another version behind `..data`, as the kubelet does.
fn swap(rules: &Path, version: &str, text: &str) -> Result<()> {
    fs::create_dir(rules.join(version))?;
    fs::write(rules.join(version).join("shop.yaml"), text)?;
    symlink(version, rules.join("..data_tmp"))?;
    fs::rename(rules.join("..data_tmp"), rules.join("..data"))?;
    Ok(())
}

/// Writes lines of both kinds until a time has passed; returns the number of the next one.
fn write_for(pipeline: &mut Pipeline, first: usize, time: Duration) -> Result<usize> {
    let begun = Instant::now();
    let mut number = first;
    while begun.elapsed() < time {
        pipeline.write(&format!("order o-{number} paid"))?;
        pipeline.write(&format!("order o-{number} sent"))?;
        number += 1;
        thread::sleep(PAUSE);
    }
    Ok(number)
}

#[test]
fn a_config_map_changes_without_a_lost_or_doubled_line() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let folder = prepared_folder(&[])?;
    let rules_folder = folder.path().join("rules");
    swap(&rules_folder, "..first", &rules(&["paid"]))?;
    symlink("..data/shop.yaml", rules_folder.join("shop.yaml"))?;
    let mut pipeline = Pipeline::start(binary, folder, "statetrail_events")?;

    let second = write_for(&mut pipeline, 0, Duration::from_secs(2))?;
    swap(&rules_folder, "..second", &rules(&["paid", "sent"]))?;
    let both = write_for(&mut pipeline, second, IN_FORCE_WITHIN)?;
    let broken = write_for(&mut pipeline, both, Duration::from_secs(1))?;
    swap(&rules_folder, "..third", "namespaces: [shop]\nrules:\n  - name: x\n    mach: a\n")?;
    let end = write_for(&mut pipeline, broken, IN_FORCE_WITHIN + Duration::from_secs(5))?;
    let last = format!("shop/order/o-{}", end - 1);
    let has_come = || {
        let records = pipeline.records().unwrap_or_default();
        records.iter().filter(|record| record["key"] == *last).count() == 2
    };
    pipeline.fluent_bit.wait_for("the last line", has_come)?;

    // How often each line came out, by its number.
    let mut counts = [vec![0; end], vec![0; end]];
    for record in pipeline.records()? {
        let event: serde_json::Value =
            serde_json::from_str(record["event"].as_str().unwrap_or_default())?;
        let kind = usize::from(event["type"] == "order.sent");
        let key = record["key"].as_str().unwrap_or_default();
        let number: usize = key.trim_start_matches("shop/order/o-").parse()?;
        counts[kind][number] += 1;
    }
    ensure!(counts[0].iter().all(|count| *count == 1), "a line is lost or doubled: {counts:?}");
    ensure!(counts[1][..second].iter().all(|count| *count == 0), "rules of later: {counts:?}");
    ensure!(counts[1][both..].iter().all(|count| *count == 1), "not in force: {counts:?}");
    // From one line on all of them, none before.
    ensure!(counts[1].is_sorted(), "rules come and go: {counts:?}");
    let log = pipeline.fluent_bit.log()?;
    ensure!(log.matches("shop.yaml:4:5\n").count() == 1, "told of once, with place: {log}");
    Ok(())
}
