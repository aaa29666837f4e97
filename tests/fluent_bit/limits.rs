//! Large lines, large records, many sources and many rules, with the settings that are shipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use statetrail_event::Time;
use statetrail_filter::{Counters, Filter, Mode};
use statetrail_rules::RuleText;
use statetrail_servers::FluentBit;
use statetrail_tests::project_folder;

use crate::pipeline::{Pipeline, prepared_folder};
use crate::same_bytes::tag_of;
use crate::shipped;

const SECONDS: u32 = 1_763_805_600;
/// As container runtimes cut lines.
const PART_BYTES: usize = 16 * 1024;
const MIB: usize = 1 << 20;
/// Longest part of a line with the shipped settings (`buffer_max_size`).
const BUFFER_MAX_BYTES: usize = 2 * MIB;
/// More than the filter remembers.
const PODS: usize = 10_050;

/// Reads records that are JSON, each with its time, where the shipped configuration reads lines.
const JSON_RECORDS: &str = "\
parsers:
  - {name: records, format: json, time_key: time, time_keep: true, \
     time_format: '%Y-%m-%dT%H:%M:%S.%LZ'}
";

fn rules(verbs: impl Iterator<Item = String>) -> String {
    let mut text = "namespaces: [shop]\nrules:\n".to_owned();
    for verb in verbs {
        text += &format!(
            "  - name: {verb}\n    match: 'order <order> {verb} <note:rest>'\n    emit: \
             [{{entity: order/<order>, event: {verb}, set: {{note: <note>}}}}]\n    samples:\n      \
             - line: 'order o-1 {verb} x'\n        events: \
             [{{entity: order/o-1, event: {verb}, set: {{note: x}}}}]\n"
        );
    }
    text
}

fn one_rule() -> String {
    rules(["paid".to_owned()].into_iter())
}

/// A log that is read, and what the native engine makes of its records.
struct Log {
    path: PathBuf,
    bytes: Vec<u8>,
    nanos: u32,
    /// Bytes of lines that Fluent Bit itself leaves out: it does not count them.
    skipped: usize,
    filter: Filter,
    mode: Mode,
    /// The replies, with records that pass.
    expected: Vec<Value>,
}

impl Log {
    fn new(folder: &Path, mode: Mode) -> Result<Log> {
        let name = format!("checkout-1_shop_app-{}.log", "0123456789abcdef".repeat(4));
        fs::write(folder.join("rules/shop.yaml"), one_rule())?;
        // Without a name the filter does not tell about itself, which would come in between.
        fs::write(folder.join("node"), "")?;
        let mut filter = Filter::default();
        filter.reload(&[RuleText { name: "shop.yaml".to_owned(), text: one_rule() }]);
        let path = folder.join("containers").join(name);
        Ok(Log {
            path,
            bytes: Vec::new(),
            nanos: 0,
            skipped: 0,
            filter,
            mode,
            expected: Vec::new(),
        })
    }

    /// The time of the next record: every one has its own.
    fn next_time(&mut self) -> Result<Time> {
        self.nanos += 1_000;
        Time::from_seconds(i64::from(SECONDS), self.nanos).context("a time")
    }

    /// Adds a line as a container runtime writes it.
    fn add_line(&mut self, text: &str, part_bytes: usize) -> Result<()> {
        let time = self.next_time()?;
        // Fluent Bit tells when the first part was written and where the last one begins.
        let mut offset = 0;
        let mut parts = text.as_bytes().chunks(part_bytes).peekable();
        let mut part_time = time;
        while let Some(part) = parts.next() {
            offset = self.bytes.len();
            part_time.write_rfc3339(&mut self.bytes);
            // A runtime gives each part the time at which it came.
            part_time = Time::from_nanos(part_time.nanos() + 1);
            let whole = parts.peek().is_none();
            self.bytes.extend_from_slice(if whole { b" stdout F " } else { b" stdout P " });
            self.bytes.extend_from_slice(part);
            self.bytes.push(b'\n');
        }
        if self.bytes.len() - offset > BUFFER_MAX_BYTES {
            self.skipped += self.bytes.len() - offset;
            return Ok(());
        }
        let record = json!({"stream": "stdout", "log": text});
        self.expect(record, offset)
    }

    /// Adds a record as a line of JSON.
    fn add_record(&mut self, mut fields: Map<String, Value>) -> Result<()> {
        let offset = self.bytes.len();
        let mut text = Vec::new();
        self.next_time()?.write_rfc3339(&mut text);
        fields.insert("time".to_owned(), String::from_utf8(text)?.into());
        serde_json::to_writer(&mut self.bytes, &fields)?;
        self.bytes.push(b'\n');
        self.expect(Value::Object(fields), offset)
    }

    fn expect(&mut self, mut record: Value, offset: usize) -> Result<()> {
        // In the order in which Fluent Bit adds them.
        record["file"] = self.path.display().to_string().into();
        record["offset"] = (offset - self.skipped).into();
        let tag = record["new_tag"].as_str().map_or_else(|| tag_of(&self.path), str::to_owned);
        let bytes = serde_json::to_vec(&record)?;
        let reply =
            self.filter.process(self.mode, tag.as_bytes(), SECONDS, self.nanos, &bytes).text();
        match (self.mode, reply) {
            (_, Some(reply)) => self.expected.push(serde_json::from_slice(reply)?),
            (Mode::Annotate, None) => self.expected.push(record),
            (Mode::Events, None) => {}
        }
        Ok(())
    }

    /// Lets Fluent Bit read the log and compares what comes out. Returns the native counters.
    fn run(
        &self,
        binary: &'static Path,
        folder: tempfile::TempDir,
        adapt: impl Fn(String) -> String,
    ) -> Result<Counters> {
        fs::write(&self.path, &self.bytes)?;
        let out = folder.path().join("out.jsonl");
        let name = if self.mode == Mode::Events { "events.yaml" } else { "annotate.yaml" };
        let shipped = project_folder().join("fluent-bit").join(name);
        let text = shipped::configuration(&shipped, folder.path(), "")?;
        let (before, _) = text.split_once("\n  outputs:\n").context("the outputs come last")?;
        let path = folder.path().display();
        let output = format!(
            "{before}\n  outputs:\n    - {{name: file, match: '*', path: {path}, \
             file: out.jsonl, format: plain}}\n"
        );
        let begun = Instant::now();
        let fluent_bit = FluentBit::start(binary, folder, &adapt(output))?;
        let count = || fs::read(&out).map_or(0, |text| text.split(|b| *b == b'\n').count() - 1);
        let came = fluent_bit.wait_for("all records", || count() >= self.expected.len());
        eprintln!("{} of {} after {:?}", count(), self.expected.len(), begun.elapsed());
        let log = fluent_bit.log()?;
        came.with_context(|| log.clone())?;
        // What is too much would come out at the latest now.
        fluent_bit.server().stop()?;
        self.compare(&fs::read_to_string(&out)?)?;
        let faults: Vec<&str> = log.lines().filter(|line| line.contains("[error]")).collect();
        ensure!(faults.is_empty() && !log.contains("statetrail:"), "{faults:#?} {log}");
        Ok(*self.filter.counters())
    }

    fn compare(&self, text: &str) -> Result<()> {
        let mut got: Vec<Value> =
            text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(got.len() == self.expected.len(), "{} for {}", got.len(), self.expected.len());
        for record in &mut got {
            // Of the runtime's own words the parser keeps one that does not matter.
            record.as_object_mut().context("a map")?.remove("_p");
        }
        // Records of several tags may come in another order; all of them have a time.
        let in_order = |records: &[Value]| {
            let mut texts: Vec<String> = records.iter().map(Value::to_string).collect();
            texts.sort_unstable();
            texts
        };
        for (got, expected) in in_order(&got).iter().zip(&in_order(&self.expected)) {
            let shown = |text: &str| text.chars().take(3_000).collect::<String>();
            ensure!(got == expected, "got\n{}\nnot\n{}", shown(got), shown(expected));
        }
        Ok(())
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn with_json_records(text: &str) -> String {
    format!("{JSON_RECORDS}{}", text.replace("multiline.parser: cri", "parser: records"))
}

#[test]
fn lines_of_a_megabyte() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    // Of a line over Fluent Bit's own limit the filter sees nothing.
    for (part_bytes, oversized) in [(PART_BYTES, 2), (usize::MAX, 1)] {
        let folder = shipped::folder()?;
        let mut log = Log::new(folder.path(), Mode::Events)?;
        for length in [100, MIB - 1, MIB, MIB + 1, 100, 1_000_000, 3 * MIB, 100] {
            let head = format!("order o-{} paid ", log.nanos);
            log.add_line(&format!("{head}{}", "x".repeat(length - head.len())), part_bytes)?;
        }
        let counters = log.run(binary, folder, |text| text)?;
        ensure!((counters.matched, counters.oversized) == (6, oversized), "{counters:?}");
    }
    Ok(())
}

/// A record of a pod, of which every second line matches.
fn of_pod(number: usize, pod: usize) -> Map<String, Value> {
    let verb = if number.is_multiple_of(2) { "paid" } else { "seen" };
    object(json!({
        "log": format!("order o-{number} {verb} it"),
        "kubernetes": {
            "pod_name": format!("pod-{pod}"), "namespace_name": "shop", "container_name": "app",
            "host": "node-7", "labels": {"app": "shop"},
        },
    }))
}

/// Lets both functions of the filter take so many records.
fn both_ways(count: usize, record: impl Fn(usize) -> Map<String, Value>) -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    for mode in [Mode::Events, Mode::Annotate] {
        let folder = shipped::folder()?;
        let mut log = Log::new(folder.path(), mode)?;
        for number in 0..count {
            log.add_record(record(number))?;
        }
        log.run(binary, folder, |text| with_json_records(&text))?;
    }
    Ok(())
}

#[test]
fn ten_thousand_pods_by_their_metadata() -> Result<()> {
    both_ways(2 * PODS + 1, |number| of_pod(number, number % PODS))
}

/// Gives every record the tag that it names, as a tail of so many files would.
const OWN_TAGS: &str = "  filters:
    - name: rewrite_tag
      match: kube.*
      rule: $new_tag .+ $new_tag false
      emitter_mem_buf_limit: 50M
    - name: wasm
      match: events.*
";

#[test]
fn ten_thousand_pods_by_their_tags() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let folder = shipped::folder()?;
    let mut log = Log::new(folder.path(), Mode::Events)?;
    let id = "0123456789abcdef".repeat(4);
    for number in 0..2 * PODS + 1 {
        let mut fields = of_pod(number, 0);
        fields.remove("kubernetes");
        let tag = format!("events.containers.pod-{}_shop_app-{id}", number % PODS);
        fields.insert("new_tag".to_owned(), tag.into());
        log.add_record(fields)?;
    }
    let filters = "  filters:\n    - name: wasm\n      match: kube.*\n";
    log.run(binary, folder, |text| with_json_records(&text).replace(filters, OWN_TAGS))?;
    Ok(())
}

/// A record of many keys, some of which are nested.
fn large(number: usize) -> Map<String, Value> {
    let mut fields = of_pod(number, number / 10);
    for key in 0..200 {
        fields.insert(format!("key_{key}"), format!("value {number} \"{key}\"").into());
    }
    let mut deep = json!({"end": number});
    for level in 0..20 + number % 10 {
        deep = json!({format!("level-{level}"): deep, "list": [1, [2, null]]});
    }
    fields["kubernetes"]["annotations"] = deep;
    fields
}

#[test]
fn records_of_two_hundred_keys_and_deep_metadata() -> Result<()> {
    both_ways(1_000, large)
}

/// Writes a line for each rule, and waits until its events come.
fn every_rule_works(pipeline: &mut Pipeline, verbs: &[String], round: usize) -> Result<()> {
    let known = pipeline.records()?.len();
    for (number, verb) in verbs.iter().enumerate() {
        pipeline.write(&format!("order o-{round}-{number} {verb} it"))?;
        pipeline.write(&format!("order o-{round}-{number} un{verb} it"))?;
    }
    let count = || pipeline.records().map_or(0, |records| records.len());
    pipeline.fluent_bit.wait_for("all events", || count() >= known + verbs.len())?;
    let records = pipeline.records()?;
    ensure!(records.len() == known + verbs.len(), "{} came out", records.len() - known);
    for (number, record) in records[known..].iter().enumerate() {
        let event: Value = serde_json::from_str(record["event"].as_str().unwrap_or_default())?;
        ensure!(record["key"] == format!("shop/order/o-{round}-{number}"), "{record}");
        ensure!(event["type"] == format!("order.{}", verbs[number]), "{record}");
    }
    Ok(())
}

/// Loads the files, and loads them again while lines come.
fn many_rules(files: usize, rules_per_file: usize) -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let mut verbs: Vec<String> =
        (0..files * rules_per_file).map(|number| format!("verb{number}x")).collect();
    let text = |verbs: &[String]| rules(verbs.iter().cloned());
    let texts: Vec<(String, String)> = verbs
        .chunks(rules_per_file)
        .enumerate()
        .map(|(number, verbs)| (format!("file-{number}.yaml"), text(verbs)))
        .collect();
    let texts: Vec<(&str, &str)> =
        texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let folder = prepared_folder(&texts)?;
    fs::write(folder.path().join("node"), "")?;
    let begun = Instant::now();
    let mut pipeline = Pipeline::start(binary, folder, "statetrail_events")?;
    eprintln!("{} rules were loaded after {:?}", verbs.len(), begun.elapsed());
    every_rule_works(&mut pipeline, &verbs, 0)?;

    verbs[0] = "changed".to_owned();
    let path = pipeline.fluent_bit.path().join("rules/file-0.yaml");
    fs::write(path, text(&verbs[..rules_per_file]))?;
    let begun = Instant::now();
    while !pipeline.fluent_bit.log()?.contains("rules of") {
        ensure!(begun.elapsed() < Duration::from_secs(20), "{}", pipeline.fluent_bit.log()?);
        pipeline.write("nothing")?;
        std::thread::sleep(Duration::from_millis(20));
    }
    eprintln!("a change was in force after {:?}", begun.elapsed());
    every_rule_works(&mut pipeline, &verbs, 1)?;
    let log = pipeline.fluent_bit.log()?;
    ensure!(!log.contains("[error]"), "{log}");
    Ok(())
}

#[test]
fn five_hundred_rule_files() -> Result<()> {
    many_rules(500, 2)
}

#[test]
fn a_thousand_rules_in_one_file() -> Result<()> {
    many_rules(1, 1_000)
}
