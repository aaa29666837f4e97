//! `make bench-edge`: what the filter costs a real Fluent Bit, beside a Lua filter that does the
//! same job and beside a guest that does nothing. Needs `FLUENT_BIT`.
//!
//! Each figure is user CPU of the whole process over the same file, minus that of a run without a
//! filter. With `WAMRC`, the filter compiled ahead of time is measured too. Before anything is
//! measured, both filters must make the same events of the same lines.
//! Bytes are those of events and their keys as they go to Kafka, beside the records as JSON; `shop-*`
//! are bytes of lines as the sample shop writes them.
//! Arguments pick what is measured: the number of lines, words that names must hold.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use statetrail_benches::edge::run::{Bench, Way};
use statetrail_benches::edge::shop::{self, ShopLines};
use statetrail_benches::edge::workload::{Kind, Workload};
use statetrail_benches::{Better, Case, Report, median};

const LINES: usize = 400_000;
/// Lines of which the events are compared.
const COMPARED: usize = 2_000;
/// Lines of the shop of which the bytes are counted.
const SHOP_LINES: usize = 20_000;
const ROUNDS: usize = 3;
/// Beyond this many, a run of Lua takes so long that one is enough.
const RULES_ONCE: usize = 100;

fn main() -> Result<()> {
    let (numbers, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.parse::<usize>().is_ok());
    let lines = numbers.first().map_or(Ok(LINES), |lines| lines.parse())?;
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let mut report = Report::new("edge");
    for workload in workloads() {
        if words.iter().all(|word| workload.name().contains(word)) {
            measure(&bench, &workload, lines, &mut report)?;
        }
    }
    for percent in [0, 10, 50, 100] {
        let name = format!("shop-kubernetes-match{percent}");
        if words.iter().all(|word| name.contains(word)) {
            shop_bytes(&bench, &name, percent, &mut report)?;
        }
    }
    let of = |rules: usize| report.value_of(&format!("text-match10-rules{rules}"));
    if let (Some(ten), Some(thousand)) = (of(10), of(1_000)) {
        println!("10% matches: 1,000 rules cost {:.2} times 10 rules", thousand / ten);
    }
    report.write()?;
    Ok(())
}

fn workloads() -> Vec<Workload> {
    let mut all = Vec::new();
    for kind in [Kind::Text, Kind::Json] {
        for kubernetes in [false, true] {
            for percent in [0, 10, 50, 100] {
                all.push(Workload { kind, kubernetes, percent, rules: 10 });
            }
        }
    }
    for rules in [100, 1_000] {
        all.push(Workload { kind: Kind::Text, kubernetes: false, percent: 10, rules });
    }
    all
}

fn measure(bench: &Bench, workload: &Workload, lines: usize, report: &mut Report) -> Result<()> {
    fs::write(bench.path().join("rules/rules.yaml"), workload.rule_file())?;
    fs::write(bench.path().join("events.lua"), workload.lua())?;
    let (event_bytes, record_bytes) = same_events(bench, workload)?;
    workload.write_records(&bench.path().join("records"), lines)?;
    let ways = bench.ways();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
    let rounds = if workload.rules > RULES_ONCE { 1 } else { ROUNDS };
    for _ in 0..rounds {
        for (way, times) in ways.iter().zip(&mut times) {
            times.push(bench.run(*way, "records", None)?);
        }
    }
    let mut medians = times.iter_mut().map(|times| median(times).as_secs_f64());
    let mut next = || medians.next().context("a way that was not measured");
    let none = next()?;
    let (floor, lua, ours) = (next()? - none, next()? - none, next()? - none);
    let ahead = medians.next().map(|ahead| ahead - none);
    let name = workload.name();
    let mut add = |name: String, value: f64, rival: Option<(&'static str, f64)>| {
        report.add(Case { name, value, unit: "s", better: Better::Lower, rival });
    };
    add(name.clone(), ours, Some(("Lua", lua)));
    if let Some(ahead) = ahead {
        add(format!("{name}-ahead"), ahead, Some(("Lua", lua)));
    }
    add(format!("{name}-floor"), floor, None);
    add(format!("{name}-none"), none, None);
    add_bytes(report, &name, COMPARED, event_bytes, record_bytes);
    println!("  {:.2} of Lua, {:.2} of the floor", ours / lua, ours / floor);
    Ok(())
}

/// What goes to Kafka of the sample shop's lines.
fn shop_bytes(bench: &Bench, name: &str, percent: usize, report: &mut Report) -> Result<()> {
    fs::write(bench.path().join("rules/rules.yaml"), shop::RULES)?;
    let sample = bench.path().join("sample");
    // Half of the shop's lines change something.
    let telling =
        ShopLines::new(3 * SHOP_LINES as u64)?.write_records(&sample, SHOP_LINES, percent)?;
    let (events, bytes) = records(bench, Way::Ours)?;
    ensure!(events.len() == telling, "{} lines gave events, not {telling}", events.len());
    add_bytes(report, name, SHOP_LINES, bytes, fs::metadata(&sample)?.len());
    Ok(())
}

/// What goes to Kafka for a line on average, keys included, beside the record as JSON.
fn add_bytes(report: &mut Report, name: &str, lines: usize, events: usize, records: u64) {
    let a_line = |bytes: f64| bytes / lines as f64;
    report.add(Case {
        name: format!("{name}-bytes"),
        value: a_line(events as f64),
        unit: "B/line",
        better: Better::Lower,
        rival: Some(("records as JSON", a_line(records as f64))),
    });
}

/// Both filters must do the same job, or the comparison means nothing. Ids are made in different
/// ways, and must be different for every event in both. Returns the bytes of the events and of the
/// records.
fn same_events(bench: &Bench, workload: &Workload) -> Result<(usize, u64)> {
    workload.write_records(&bench.path().join("sample"), COMPARED)?;
    let ((ours, bytes), (lua, _)) = (events(bench, Way::Ours)?, events(bench, Way::Lua)?);
    for (line, event) in &ours {
        ensure!(lua.get(line) == Some(event), "Lua makes {:?} of {event}", lua.get(line));
    }
    let expected = COMPARED * workload.percent / 100;
    ensure!(ours.len() == lua.len(), "{} events, {} of Lua", ours.len(), lua.len());
    ensure!(ours.len() == expected, "{} events of {expected} lines", ours.len());
    Ok((bytes, fs::metadata(bench.path().join("sample"))?.len()))
}

/// What comes out for the sample, and how many bytes of it go to Kafka.
fn records(bench: &Bench, way: Way) -> Result<(Vec<Value>, usize)> {
    let path = bench.path().join("events");
    fs::write(&path, "")?;
    bench.run(way, "sample", Some("events"))?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    for record in fs::read_to_string(&path)?.lines() {
        let record: Value = serde_json::from_str(record)?;
        bytes += text_of(&record)?.len() + record["key"].as_str().map_or(0, str::len);
        records.push(record);
    }
    Ok((records, bytes))
}

fn text_of(record: &Value) -> Result<&str> {
    record["event"].as_str().context("a record without an event")
}

/// The events of the sample by their times, without their ids, and how many bytes they have.
fn events(bench: &Bench, way: Way) -> Result<(BTreeMap<String, Value>, usize)> {
    let (records, bytes) = records(bench, way)?;
    let (mut events, mut ids) = (BTreeMap::new(), Vec::new());
    for record in records {
        let text = text_of(&record)?;
        let mut event: Value = serde_json::from_str(text)?;
        let id = event.as_object_mut().and_then(|event| event.remove("id"));
        ids.push(id.context("an event without an id")?.to_string());
        event["key"] = record["key"].clone();
        events.insert(event["time"].to_string(), event);
    }
    ids.sort_unstable();
    ids.dedup();
    ensure!(ids.len() == events.len(), "{way:?}: ids or times come twice");
    Ok((events, bytes))
}
