//! A million lines of the shop through the real binary into SQLite: every state at any moment
//! is what the shop itself says it was; in disorder, twice, and imported again, nothing differs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use statetrail_shop::{ShopConfig, Truth, TruthRecorder, generate_to_folder_with_truth};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{Counts, EventStore};
use statetrail_tests::{Disorder, agrees_with_truth, disordered_copy, project_folder, statetrail};

const LINES: u64 = 1_000_000;
const MOMENTS: usize = 100_000;

#[test]
fn a_million_lines_give_the_shops_truth_in_any_order() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let logs = folder.path().join("logs");
    // Split lines would fall apart in the shuffled copy.
    let config = ShopConfig { part_bytes: 1 << 20, ..ShopConfig::one_day(LINES) };
    let mut recorder = TruthRecorder::default();
    let summary = generate_to_folder_with_truth(&config, &logs, Some(&mut recorder))?;
    ensure!(summary.lines == LINES, "the shop wrote {} lines", summary.lines);
    let truth = recorder.finish();

    let straight = folder.path().join("straight.db");
    let first = import(&straight, &logs)?;
    ensure!(first.new > LINES / 4, "only {} events of {LINES} lines", first.new);
    compare(&straight, &truth)?;
    let counts = counts(&straight)?;
    ensure!(counts.events == first.new, "{counts:?} beside {first:?}");
    ensure!(counts.entities == truth.entities().len() as u64, "{counts:?}");

    let again = import(&straight, &logs)?;
    ensure!(again.new == 0 && again.found == first.found, "the second time: {again:?}");
    ensure!(self::counts(&straight)? == counts);

    let disorder = Disorder { seed: 7, late_within: Duration::from_secs(300), repeat_share: 0.1 };
    let shuffled_logs = folder.path().join("shuffled");
    std::fs::create_dir(&shuffled_logs)?;
    disordered_copy(&logs, &shuffled_logs, disorder)?;
    let shuffled = folder.path().join("shuffled.db");
    let third = import(&shuffled, &shuffled_logs)?;
    ensure!(third.new == first.new, "in disorder: {third:?}, in order: {first:?}");
    ensure!(third.found > first.new + first.new / 20, "no line came twice: {third:?}");
    compare(&shuffled, &truth)?;
    import(&shuffled, &shuffled_logs)?;
    ensure!(self::counts(&shuffled)? == counts);
    compare(&shuffled, &truth)
}

/// What `statetrail import` says it did.
#[derive(Debug)]
struct Imported {
    new: u64,
    found: u64,
}

fn import(store: &Path, logs: &Path) -> Result<Imported> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(logs)? {
        files.push(entry?.path());
    }
    files.sort();
    let output = run(statetrail()?
        .arg("import")
        .arg("--store")
        .arg(format!("sqlite:{}", store.display()))
        .arg("--rules")
        .arg(project_folder().join("fluent-bit/rules/shop.yaml"))
        .args(["--output", "json"])
        .args(&files))?;
    let report: serde_json::Value = serde_json::from_str(&output)?;
    let number = |name: &str| {
        let value = report.get(name).and_then(serde_json::Value::as_u64);
        value.with_context(|| format!("no {name} in {report}"))
    };
    Ok(Imported { new: number("events_new")?, found: number("events")? })
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn counts(store: &Path) -> Result<Counts> {
    let store = SqliteStore::open_read_only(store)?;
    Ok(pollster::block_on(store.counts())?)
}

/// Compares the state of random entities at random moments with the truth.
fn compare(store: &Path, truth: &Truth) -> Result<()> {
    let store = SqliteStore::open_read_only(store)?;
    pollster::block_on(agrees_with_truth(&store, truth, MOMENTS))
}
