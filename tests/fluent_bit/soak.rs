//! Many lines through one Fluent Bit, with rules that change all along.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};
use statetrail_servers::FluentBit;

use crate::pipeline::{Pipeline, prepared_folder};

/// Says how many lines: `SOAK_LINES=20000000` takes minutes.
const VARIABLE: &str = "SOAK_LINES";
const LINES: u64 = 200_000;
/// One line of so many matches whatever rules are in force, and one those of a single version.
const MATCHES_ONE_OF: u64 = 10;
/// How far writing may be ahead of what has come out, in a long run and as a part of a short one.
const AHEAD: u64 = 400_000;
const AHEAD_PART: u64 = 20;
const BLOCK: u64 = 2_000;
const RULES_CHANGE_EVERY: Duration = Duration::from_secs(6);
/// How often memory is measured in a run, at equal numbers of lines.
const MEASUREMENTS: u64 = 40;
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// How much more memory may be resident in the second half than ever before.
const GROWTH_BYTES_MAX: u64 = 8 << 20;

fn lines() -> u64 {
    std::env::var(VARIABLE).ok().and_then(|lines| lines.parse().ok()).unwrap_or(LINES)
}

/// One rule that stays, and one that every version has for itself. Now and then the file is broken,
/// which changes nothing.
fn rules(version: usize) -> String {
    if version % 5 == 4 {
        return format!("namespaces: [shop]\nrules:\n  - name: v{version}\n    mach: x\n");
    }
    let mut text = "namespaces: [shop]\nrules:\n".to_owned();
    for (name, verb) in [("paid", "paid".to_owned()), ("seen", format!("seen{version}"))] {
        text += &format!(
            "  - name: {name}\n    match: 'order <order> {verb}'\n    \
             emit: [{{entity: order/<order>, event: {name}}}]\n    samples:\n      \
             - line: 'order o-1 {verb}'\n        events: [{{entity: order/o-1, event: {name}}}]\n"
        );
    }
    text
}

/// The line with this number.
fn line(number: u64, version: usize) -> String {
    match number % MATCHES_ONE_OF {
        0 => format!("order o-{number} paid"),
        5 => format!("order x-{number} seen{version}"),
        _ => format!(
            "2026-11-22T06:15:24.504Z INFO [worker-3] request handled path=/api/cart/{number} ms=12"
        ),
    }
}

/// Reads what comes out while it grows.
struct Reader {
    path: PathBuf,
    file: Option<BufReader<File>>,
    partial: String,
    /// The number of the next line that must come.
    next: u64,
    /// The last line that matched a single version's rule, and how many there were.
    seen: (u64, u64),
    /// What the filter has told about itself.
    told: Map<String, Value>,
}

impl Reader {
    fn new(path: PathBuf) -> Reader {
        let (partial, told) = (String::new(), Map::new());
        Reader { path, file: None, partial, next: 0, seen: (0, 0), told }
    }

    /// Takes what has come since.
    fn take(&mut self) -> Result<()> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok().map(BufReader::new);
        }
        let Some(mut file) = self.file.take() else { return Ok(()) };
        while file.read_line(&mut self.partial)? > 0 && self.partial.ends_with('\n') {
            let record: Value = serde_json::from_str(&self.partial)?;
            self.partial.clear();
            let text = |name: &str| record[name].as_str().context("a text");
            self.count(text("key")?)?;
            self.listen(text("event")?)?;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Every line that matches must come once, in the order of writing.
    fn count(&mut self, key: &str) -> Result<()> {
        if let Some(number) = key.strip_prefix("shop/order/o-") {
            ensure!(number.parse() == Ok(self.next), "{key} comes instead of {}", self.next);
            self.next += MATCHES_ONE_OF;
        } else if let Some(number) = key.strip_prefix("shop/order/x-") {
            let number: u64 = number.parse()?;
            ensure!(number > self.seen.0, "{key} comes after {}", self.seen.0);
            self.seen = (number, self.seen.1 + 1);
        }
        Ok(())
    }

    /// Notes what the filter tells about itself, alone or behind the events of a line.
    fn listen(&mut self, events: &str) -> Result<()> {
        if !events.contains("\"filter/soak\"") {
            return Ok(());
        }
        let events: Value = serde_json::from_str(events)?;
        let own = events.as_array().and_then(|events| events.last()).unwrap_or(&events);
        let set = own["data"]["set"].as_object().context("fields")?;
        self.told.extend(set.clone());
        Ok(())
    }

    fn told(&self, field: &str) -> u64 {
        self.told.get(field).and_then(Value::as_u64).unwrap_or_default()
    }
}

/// A Fluent Bit under way.
struct Soak {
    pipeline: Pipeline,
    reader: Reader,
    rules: PathBuf,
    version: usize,
    rules_changed: Instant,
    lines: u64,
    /// Resident bytes, with the number of lines that had come out.
    memory: Vec<(u64, u64)>,
}

impl Soak {
    fn start(binary: &'static std::path::Path, lines: u64) -> Result<Soak> {
        let folder = prepared_folder(&[("shop.yaml", &rules(0))])?;
        fs::write(folder.path().join("node"), "soak")?;
        let rules = folder.path().join("rules/shop.yaml");
        let reader = Reader::new(folder.path().join("out.jsonl"));
        let pipeline = Pipeline::start(binary, folder, "statetrail_events")?;
        let rules_changed = Instant::now();
        let memory = Vec::new();
        Ok(Soak { pipeline, reader, rules, version: 0, rules_changed, lines, memory })
    }

    fn change_rules(&mut self) -> Result<()> {
        self.version += 1;
        self.rules_changed = Instant::now();
        Ok(fs::write(&self.rules, rules(self.version))?)
    }

    fn write(&mut self) -> Result<()> {
        let lines = self.lines;
        let ahead = AHEAD.min(lines / AHEAD_PART);
        let mut written = 0;
        while written < lines {
            for number in written..lines.min(written + BLOCK) {
                self.pipeline.write(&line(number, self.version))?;
            }
            written = lines.min(written + BLOCK);
            self.keep_watch()?;
            while self.reader.next + ahead < written {
                thread::sleep(Duration::from_millis(2));
                self.keep_watch()?;
            }
        }
        Ok(())
    }

    /// Does what is due.
    fn keep_watch(&mut self) -> Result<()> {
        self.reader.take()?;
        self.measure()?;
        if self.rules_changed.elapsed() > RULES_CHANGE_EVERY {
            self.change_rules()?;
        }
        Ok(())
    }

    fn measure(&mut self) -> Result<()> {
        let come = self.reader.next;
        let last = self.memory.last().map_or(0, |(come, _)| *come);
        if come >= last + self.lines / MEASUREMENTS {
            let bytes = self.pipeline.fluent_bit.server().resident_bytes()?;
            self.memory.push((come, bytes));
        }
        Ok(())
    }

    fn wait_for(&mut self, what: &str, done: impl Fn(&Reader) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !done(&self.reader) {
            ensure!(begun.elapsed() < ENDS_WITHIN, "{what}: only {} came", self.reader.next);
            thread::sleep(Duration::from_millis(20));
            self.reader.take()?;
            self.measure()?;
        }
        Ok(())
    }

    /// Lets the filter tell its counts after so many lines, which it does when rules change and a
    /// record comes. Returns how many lines that took.
    fn ask_for_counts(&mut self, lines: u64) -> Result<u64> {
        self.version -= self.version % 5;
        self.change_rules()?;
        let mut more = 0;
        while self.reader.told("lines") < lines {
            ensure!(
                self.rules_changed.elapsed() < ENDS_WITHIN,
                "no counts: {:?}",
                self.reader.told
            );
            self.pipeline.write("nothing")?;
            more += 1;
            thread::sleep(Duration::from_millis(500));
            self.reader.take()?;
        }
        Ok(more)
    }

    fn check_memory(&self) -> Result<()> {
        let lines = self.lines;
        let max = |half: &dyn Fn(u64) -> bool| {
            let half = self.memory.iter().filter(|(come, _)| half(*come));
            half.map(|(_, bytes)| *bytes).max().unwrap_or_default()
        };
        let (first, second) = (max(&|come| come < lines / 2), max(&|come| come >= lines / 2));
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        eprintln!("at most {:.1} MiB, then {:.1} MiB resident", mib(first), mib(second));
        for (come, bytes) in self.memory.iter().step_by(2) {
            eprintln!("  {come} lines: {:.1} MiB", mib(*bytes));
        }
        ensure!(first > 0 && second > 0, "nothing was measured: {:?}", self.memory);
        ensure!(second <= first + GROWTH_BYTES_MAX, "memory grows");
        Ok(())
    }
}

#[test]
fn every_line_counts_once_while_rules_change() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let lines = lines();
    let begun = Instant::now();
    let mut soak = Soak::start(binary, lines)?;
    soak.write()?;
    soak.wait_for("the last line", |reader| reader.next >= lines)?;
    eprintln!("{lines} lines and {} versions of rules in {:?}", soak.version, begun.elapsed());
    let more = soak.ask_for_counts(lines)?;
    soak.check_memory()?;

    let reader = &soak.reader;
    eprintln!("{:?}, of single versions {}", reader.told, reader.seen.1);
    let told = |field: &str| reader.told(field);
    ensure!((lines..=lines + more).contains(&told("lines")), "{lines} lines are {}", told("lines"));
    ensure!(told("matched") == lines.div_ceil(MATCHES_ONE_OF) + reader.seen.1, "matched");
    ensure!(told("events") == told("matched"), "events");
    ensure!(told("unmatched") == told("lines") - told("matched"), "unmatched");
    for none in
        ["out_of_scope", "failed", "oversized", "without_line", "unreadable", "passed_by", "traps"]
    {
        ensure!(told(none) == 0, "{none}");
    }
    let log = soak.pipeline.fluent_bit.log()?;
    let faults: Vec<&str> = log.lines().filter(|line| line.contains("[error]")).take(5).collect();
    ensure!(faults.is_empty(), "{faults:#?}");
    Ok(())
}
