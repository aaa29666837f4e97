//! The rules and the records that the tests run over.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use statetrail_rules::RuleText;
use statetrail_shop::{Amount, LogLine, ShopConfig, generate};

/// Lines of each log that are taken; more of the same would only take longer.
const LINES_MAX: usize = 3_000;

/// A record as Fluent Bit reads it from a file.
pub(crate) struct Record {
    pub(crate) tag: String,
    pub(crate) time: (u32, u32),
    pub(crate) json: Vec<u8>,
    pub(crate) msgpack: Vec<u8>,
}

impl Record {
    /// A record with these fields.
    pub(crate) fn new(tag: &str, time: (u32, u32), fields: &serde_json::Value) -> Record {
        Record {
            tag: tag.to_owned(),
            time,
            json: fields.to_string().into_bytes(),
            msgpack: rmp_serde::to_vec_named(fields).expect("JSON can be packed"),
        }
    }
}

/// The tag that a container's log gets from in_tail.
pub(crate) fn container_tag(namespace: &str, pod: &str, container: &str) -> String {
    let id = "0123456789abcdef".repeat(4);
    format!("kube.var.log.containers.{pod}_{namespace}_{container}-{id}.log")
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the repository")
}

/// A folder as Fluent Bit's configuration names it, with rule files in it.
pub(crate) fn folder(files: &[RuleText]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let rules = folder.path().join("rules");
    fs::create_dir(&rules).expect("the folder is new");
    for file in files {
        fs::write(rules.join(&file.name), &file.text).expect("there is room for a file");
    }
    // Without a name the filter does not tell about itself, which would come in between.
    fs::write(folder.path().join("node"), "").expect("there is room for a file");
    folder
}

/// The rule files that are shipped, and one for every kind of match.
pub(crate) fn rule_files() -> Vec<RuleText> {
    let shipped = root().join("fluent-bit/rules");
    let mut paths: Vec<PathBuf> = fs::read_dir(&shipped)
        .expect("the shipped rules are in the repository")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    let mut files: Vec<RuleText> = paths
        .iter()
        .map(|path| RuleText {
            name: path.file_name().expect("it is a file").to_string_lossy().into_owned(),
            text: fs::read_to_string(path).expect("the rules can be read"),
        })
        .collect();
    files.push(RuleText { name: "every-kind.yaml".to_owned(), text: EVERY_KIND.to_owned() });
    files
}

/// The time of the records whose own time does not matter.
pub(crate) const TIME: (u32, u32) = (1_763_805_600, 123_456_789);

/// Everything: the shop's lines, this machine's package log, a public OpenStack log, and lines
/// made to be difficult.
pub(crate) fn records() -> Vec<Record> {
    let mut records = shop_records();
    records.extend(file_records("host.dpkg", Path::new("/var/log/dpkg.log")));
    let openstack = root().join("../shared/data/openstack/OpenStack_2k.log");
    records.extend(file_records("host.openstack", &openstack));
    records.extend(difficult_records());
    records
}

fn shop_records() -> Vec<Record> {
    let config = ShopConfig { amount: Amount::Lines(LINES_MAX as u64), ..ShopConfig::default() };
    let mut records = Vec::new();
    let mut take = |line: &LogLine<'_>| {
        let nanos = line.time.nanos();
        let time = ((nanos / 1_000_000_000) as u32, (nanos % 1_000_000_000) as u32);
        let text = String::from_utf8_lossy(line.text);
        let pod = line.pod.name.as_str();
        let tag = container_tag("shop", pod, "app");
        let fields = match records.len() % 2 {
            0 => json!({"log": text, "stream": "stdout", "offset": records.len()}),
            _ => json!({
                "stream": "stdout",
                "log": text,
                "kubernetes": {
                    "pod_name": pod, "namespace_name": "shop", "container_name": "app",
                    "labels": {"app": "shop", "host": "x"}, "host": "node-1",
                },
            }),
        };
        records.push(Record::new(&tag, time, &fields));
        Ok(())
    };
    generate(&config, &mut take, None).expect("the shop runs");
    records
}

/// The lines of a file that may not be there.
fn file_records(tag: &str, path: &Path) -> Vec<Record> {
    let Ok(bytes) = fs::read(path) else {
        eprintln!("not tested: there is no {}", path.display());
        return Vec::new();
    };
    let lines = bytes.split(|byte| *byte == b'\n').take(LINES_MAX);
    let record = |(number, line): (usize, &[u8])| {
        // Several lines a second, as the log's own times have it.
        let time = (TIME.0 + number as u32 / 3, 0);
        let fields = json!({"log": String::from_utf8_lossy(line), "file": path.to_string_lossy()});
        Record::new(tag, time, &fields)
    };
    lines.enumerate().map(record).collect()
}

fn difficult_records() -> Vec<Record> {
    let tag = container_tag("kinds", "pod-1", "app");
    let lines = [
        "",
        "\n",
        "\0",
        "job j-1 done\r\n",
        "job j\0-1 done",
        "job \u{1f600}\u{fffd}\"\\ done",
        "job  done",
        "worker=7 took 12.5 for \"a \\\"quoted\\\" word\"",
        "worker=99999999999999999999 took 1 for \"x\"",
        r#"{"msg":"job seen","job":{"id":"j-\u00e9\n2","n":1.5,"ok":true}}"#,
        r#"{"msg":"job seen","job":{"id":"","n":null}}"#,
        "level=info event=job.moved job=j-3 to=\"east side\" n=-5",
        "job j-4 failed: exit 3",
        "job j-4 failed: signal KILL",
        "card=4111111111111111 job j-5 done",
    ];
    let mut records = Vec::new();
    for line in lines {
        records.push(Record::new(&tag, TIME, &json!({"log": line})));
        records.push(Record::new(&tag, TIME, &json!({"log": line, "zero": 0, "x": [1, 2]})));
        records.push(Record::new("unknown", TIME, &json!({"message": line})));
    }
    for length in [255, 256, 257, 65_535, 65_536, 70_000, 1 << 20, (1 << 20) + 1] {
        let line = format!("job {} done", "x".repeat(length - 9));
        records.push(Record::new(&tag, TIME, &json!({"log": line})));
    }
    records
}

/// A rule for every kind of match, and several events of one line.
const EVERY_KIND: &str = r#"
namespaces: [kinds, "kinds-*"]
containers: [app]
redact: ['card=<_>']
rules:
  - name: done
    match: 'job <job> done'
    continue: true
    emit:
      - {entity: job/<job>, event: done, set: {state: done}, unset: [worker]}
      - {entity: queue/main, event: left, set: {last: 'job <job>'}}
    samples:
      - line: 'job j-1 done'
        events:
          - {entity: job/j-1, event: done, set: {state: done}, unset: [worker]}
          - {entity: queue/main, event: left, set: {last: 'job j-1'}}
  - name: took
    match: 'worker=<worker:int> took <seconds:number> for <job:quoted>'
    emit:
      - {entity: 'job/<job>', event: took, set: {worker: <worker>, seconds: <seconds>}}
    samples:
      - line: 'worker=7 took 12.5 for "j-1"'
        events:
          - {entity: job/j-1, event: took, set: {worker: 7, seconds: 12.5}}
  - name: seen
    match: {json: {msg: 'job seen', job.id: <job>, job.n: <n>}}
    emit:
      - {entity: 'job/<job>', event: seen, set: {n: <n>}}
    samples:
      - line: '{"msg":"job seen","job":{"id":"j-1","n":2}}'
        events:
          - {entity: job/j-1, event: seen, set: {n: 2}}
  - name: moved
    match: {logfmt: {event: job.moved, job: <job>, to: '<place:any>'}}
    emit:
      - {entity: 'job/<job>', event: moved, set: {place: <place>}}
    samples:
      - line: 'event=job.moved job=j-1 to=west'
        events:
          - {entity: job/j-1, event: moved, set: {place: west}}
  - name: failed
    match: {regex: 'job (?P<job>[a-z]-[0-9]+) failed: (?:exit (?P<code>[0-9]+)|signal (?P<signal>[A-Z]+))'}
    emit:
      - {entity: 'job/<job>', event: failed, set: {code: '<code:int>', signal: <signal>}}
    samples:
      - line: 'job j-1 failed: exit 3'
        events:
          - {entity: job/j-1, event: failed, set: {code: 3}}
"#;
