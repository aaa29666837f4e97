//! The corpus of the filter's own tests, and a million damaged records, through a real Fluent Bit.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use statetrail_event::Time;
use statetrail_filter::{Filter, Mode};
use statetrail_servers::FluentBit;
use statetrail_tests::filter_module;

use crate::corpus::{self, Record};

const DAMAGED: usize = 1_000_000;

/// Reads every file of a folder, and writes what comes out into files named by tags.
fn configuration(folder: &Path, function: &str, exit: bool) -> Result<String> {
    Ok(format!(
        "\
service: {{flush: 0.5, grace: 10, log_level: info, json.escape_unicode: off}}
parsers:
  - {{name: records, format: json, time_key: time, time_keep: true, \
         time_format: '%Y-%m-%dT%H:%M:%S.%LZ'}}
pipeline:
  inputs:
    - {{name: tail, path: '{folder}/in/containers/*.log', tag: 'kube.*', parser: records, \
         read_from_head: true, exit_on_eof: {exit}, buffer_max_size: 32M}}
  filters:
    - {{name: wasm, match: '*', wasm_path: {module}, function_name: {function}, \
         event_format: json, accessible_paths: {folder}}}
  outputs:
    - {{name: file, match: '*', path: {folder}/out, mkdir: true, format: plain}}
",
        folder = folder.display(),
        module = filter_module()?.display(),
    ))
}

/// The tag that in_tail makes of a path: it leaves one dot of several, as before a hidden folder.
pub(crate) fn tag_of(path: &Path) -> String {
    let dotted = format!("kube{}", path.display()).replace('/', ".");
    let words = dotted.split('.').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(".")
}

/// What a record's reply says: key and events.
type Said = (String, String);

fn said(record: &Value) -> Result<Said> {
    let text = |name: &str| record[name].as_str().map(str::to_owned).context("no text");
    Ok((text("key")?, text("event")?))
}

/// A folder with rule files, and with one file of records for each tag of the corpus.
fn written(records: &[&Record]) -> Result<tempfile::TempDir> {
    let folder = corpus::folder(&corpus::rule_files());
    let logs = folder.path().join("in/containers");
    fs::create_dir_all(&logs)?;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for record in records {
        let name = record.tag.rsplit("containers.").next().unwrap_or(&record.tag);
        let file = files.entry(format!("{}.log", name.trim_end_matches(".log"))).or_default();
        let mut fields: Value = serde_json::from_slice(&record.json)?;
        let time = Time::from_seconds(i64::from(record.time.0), record.time.1).context("a time")?;
        let mut text = Vec::new();
        time.write_rfc3339(&mut text);
        fields["time"] = json!(String::from_utf8(text)?);
        serde_json::to_writer(&mut *file, &fields)?;
        file.push(b'\n');
    }
    for (name, bytes) in files {
        fs::write(logs.join(name), bytes)?;
    }
    Ok(folder)
}

#[test]
fn native_and_fluent_bit_give_the_same_bytes() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let corpus = corpus::records();
    // Fluent Bit's own reader of JSON ends a text there.
    let records: Vec<&Record> =
        corpus.iter().filter(|record| !contains(&record.json, b"\\u0000")).collect();
    let folder = written(&records)?;
    let logs = folder.path().join("in/containers");
    let mut filter = Filter::default();
    filter.reload(&corpus::rule_files());
    let mut expected: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    for record in &records {
        let name = record.tag.rsplit("containers.").next().unwrap_or(&record.tag);
        let tag = tag_of(&logs.join(format!("{}.log", name.trim_end_matches(".log"))));
        let (seconds, nanos) = record.time;
        let reply = filter.process(Mode::Events, tag.as_bytes(), seconds, nanos, &record.json);
        if let Some(text) = reply.text() {
            let reply: Value = serde_json::from_slice(text)?;
            expected.entry(tag).or_default().push(said(&reply)?);
        }
    }
    let path = folder.path().to_owned();
    let text = configuration(&path, "statetrail_events", false)?;
    let fluent_bit = FluentBit::start(binary, folder, &text)?;
    let all = || expected.iter().all(|(tag, said)| replies(&path, tag).len() >= said.len());
    if let Err(error) = fluent_bit.wait_for("all replies", all) {
        let missing = |(tag, said): (&String, &Vec<Said>)| {
            let got = replies(&path, tag);
            let first = said.iter().find(|said| !got.contains(said));
            first.map(|first| format!("{} of {} in {tag}; {first:?}", got.len(), said.len()))
        };
        let missing: Vec<String> = expected.iter().filter_map(missing).collect();
        return Err(error).context(format!("{missing:#?}"));
    }
    // What is too much would come out at the latest now.
    fluent_bit.server().stop()?;
    let mut compared = 0;
    for (tag, expected) in &expected {
        let got = replies(&path, tag);
        ensure!(got.len() == expected.len(), "{tag}: {} for {}", got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            ensure!(got == expected, "{tag}: Fluent Bit\n{got:?}\nnative\n{expected:?}");
            compared += 1;
        }
    }
    ensure!(compared > records.len() / 10, "only {compared} of {} matched", records.len());
    let log = fluent_bit.log()?;
    ensure!(!log.contains("[error]") && !log.contains("statetrail:"), "{log}");
    Ok(())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// What came out with a tag so far.
fn replies(folder: &Path, tag: &str) -> Vec<Said> {
    let text = fs::read_to_string(folder.join("out").join(tag)).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines.filter_map(|record: Value| said(&record).ok()).collect()
}

/// None is lost: where every record passes, as many come out as went in.
#[test]
#[ignore = "needs FLUENT_BIT and minutes"]
fn of_a_million_damaged_records_none_is_lost() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let corpus = corpus::records();
    let short: Vec<&Record> = corpus.iter().filter(|record| record.json.len() < 2_000).collect();
    let folder = corpus::folder(&corpus::rule_files());
    let logs = folder.path().join("in/containers");
    fs::create_dir_all(&logs)?;
    let name = short[0].tag.rsplit("containers.").next().context("a container's tag")?;
    let mut bytes = Vec::new();
    let mut random = Random(7);
    for number in 0..DAMAGED {
        let start = bytes.len();
        bytes.extend_from_slice(&short[number % short.len()].json);
        for _ in 0..random.below(4) {
            let at = start + random.below(bytes.len() - start);
            // No line ends within, and Fluent Bit drops a line that holds a zero byte itself.
            let byte = match random.below(3) {
                0 => random.below(255) as u8 + 1,
                _ => b"\"\\{}[],:u0n "[random.below(12)],
            };
            bytes[at] = if byte == b'\n' { b' ' } else { byte };
        }
        if random.below(20) == 0 {
            let length = 1 + random.below(bytes.len() - start);
            bytes.truncate(start + length);
        }
        bytes.push(b'\n');
    }
    fs::write(logs.join(name), &bytes)?;
    let path = folder.path().to_owned();
    let text = configuration(&path, "statetrail_annotate", false)?;
    let fluent_bit = FluentBit::start(binary, folder, &text)?;
    let out = path.join("out").join(tag_of(&logs.join(name)));
    let count =
        || fs::read(&out).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count());
    let waited = fluent_bit.wait_for("all records", || count() >= DAMAGED);
    // What is doubled would come out at the latest now.
    fluent_bit.server().stop()?;
    let log = fluent_bit.log()?;
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("[error]")).take(5).collect();
    ensure!(waited.is_ok() && count() == DAMAGED, "{} came out: {errors:#?}", count());
    ensure!(errors.is_empty(), "{errors:#?}");
    Ok(())
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}
