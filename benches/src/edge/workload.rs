//! Lines, the records that Fluent Bit reads them from, and the rules, for us and for Lua.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde_json::json;

use crate::phrases::phrase;

/// What the lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Plain text.
    Text,
    /// One JSON object a line.
    Json,
}

/// One mixture of lines.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// What they look like.
    pub kind: Kind,
    /// Whether records carry the map that the kubernetes filter adds.
    pub kubernetes: bool,
    /// How many of a hundred match a rule.
    pub percent: usize,
    /// How many rules there are.
    pub rules: usize,
}

impl Workload {
    /// Its name in tables.
    #[must_use]
    pub fn name(&self) -> String {
        let kind = if self.kind == Kind::Text { "text" } else { "json" };
        let kubernetes = if self.kubernetes { "-kubernetes" } else { "" };
        format!("{kind}{kubernetes}-match{}-rules{}", self.percent, self.rules)
    }

    /// The rule file.
    #[must_use]
    pub fn rule_file(&self) -> String {
        let mut text = String::from("namespaces: [shop]\nrules:\n");
        for number in 0..self.rules {
            let phrase = phrase(number);
            let (matches, line) = match self.kind {
                Kind::Text => (
                    format!("'order <order> {phrase} amount=<amount:number> by <method>'"),
                    format!("order o-1 {phrase} amount=2.5 by card"),
                ),
                Kind::Json => (
                    format!(
                        "{{json: {{msg: '{phrase}', order: <order>, amount: <amount>, \
                         method: <method>}}}}"
                    ),
                    format!(r#"{{"msg":"{phrase}","order":"o-1","amount":2.5,"method":"card"}}"#),
                ),
            };
            let _ = write!(
                text,
                "  - name: rule-{number}\n    match: {matches}\n    emit:\n      \
                 - {{entity: order/<order>, event: changed, \
                 set: {{amount: <amount>, method: <method>}}}}\n    samples:\n      \
                 - line: '{line}'\n        events:\n          - {{entity: order/o-1, \
                 event: changed, set: {{amount: 2.5, method: card}}}}\n"
            );
        }
        text
    }

    /// The script of the Lua filter, with its table of rules.
    #[must_use]
    pub fn lua(&self) -> String {
        let mut text = String::from("local RULES = {\n");
        for number in 0..self.rules {
            let phrase = phrase(number);
            let patterns = match self.kind {
                Kind::Text => format!(
                    "literal = ' {phrase} amount=', \
                     pattern = 'order (%S+) {phrase} amount=(%-?%d+%.?%d*) by (%S+)'"
                ),
                Kind::Json => format!(
                    "literal = '\"msg\":\"{phrase}\"', order = '\"order\":\"([^\"]*)\"', \
                     amount = '\"amount\":(%-?%d+%.?%d*)', method = '\"method\":\"([^\"]*)\"'"
                ),
            };
            let _ = writeln!(text, "    {{name = 'rules.yaml/rule-{number}', {patterns}}},");
        }
        text.push_str("}\n");
        text + include_str!("../../edge/events.lua")
    }

    /// Writes so many records, one JSON object a line, as a parser of Fluent Bit takes them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_records(&self, path: &Path, count: usize) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let mut random = Random(42);
        for number in 0..count {
            let line = self.line(number, &mut random);
            // Nanoseconds as container runtimes write them, so that no two lines share a time.
            let (second, nanos) = (number / 1_000, number % 1_000 * 1_000_000 + 17);
            let time = format!("2026-11-22T10:{:02}:{:02}.{nanos:09}Z", second / 60, second % 60);
            let mut record = json!({"time": time, "stream": "stdout", "log": line});
            if self.kubernetes {
                record["kubernetes"] = kubernetes();
            }
            serde_json::to_writer(&mut file, &record)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    }

    fn line(&self, number: usize, random: &mut Random) -> String {
        let matches = number * 7919 % 100 < self.percent;
        match (self.kind, matches) {
            (Kind::Text, true) => format!(
                "INFO  [worker-{}] com.example.shop.Orders - order o-{} {} amount={}.{:02} by card",
                random.below(16),
                random.below(1_000_000),
                phrase(random.below(self.rules)),
                random.below(900),
                random.below(99) + 1,
            ),
            (Kind::Text, false) => noise(random),
            (Kind::Json, true) => format!(
                r#"{{"level":"info","logger":"com.example.shop.Orders","msg":"{}","order":"o-{}","amount":{}.{:02},"method":"card"}}"#,
                phrase(random.below(self.rules)),
                random.below(1_000_000),
                random.below(900),
                random.below(99) + 1,
            ),
            (Kind::Json, false) => format!(
                r#"{{"level":"debug","logger":"com.example.shop.Pool","msg":"connection returned","connection":{},"active":{},"idle":{}}}"#,
                random.below(4_000),
                random.below(40),
                random.below(40),
            ),
        }
    }
}

/// What a service says besides.
fn noise(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!(
            "INFO  [http-{}] com.example.shop.Access - GET /api/v1/orders/o-{}?expand=items 200 {} {}ms",
            random.below(64),
            random.below(1_000_000),
            random.below(20_000),
            random.below(900)
        ),
        1 => format!(
            "DEBUG [pool-{}] com.example.shop.Pool - connection {} returned, active={} idle={} waiting=0",
            random.below(8),
            random.below(4_000),
            random.below(40),
            random.below(40)
        ),
        2 => format!(
            "WARN  [worker-{}] com.example.shop.Orders - order o-{} waits for stock since {}ms, will look",
            random.below(16),
            random.below(1_000_000),
            random.below(90_000)
        ),
        _ => format!(
            "INFO  [worker-{}] com.example.shop.Cache - entry customer:{} loaded in {}us, size={}",
            random.below(16),
            random.below(1_000_000),
            random.below(3_000),
            random.below(100_000)
        ),
    }
}

/// As the kubernetes filter adds it for an ordinary pod.
pub(super) fn kubernetes() -> serde_json::Value {
    json!({
        "pod_name": "checkout-7d9f6c5b8-x2x7k", "namespace_name": "shop",
        "pod_id": "6f9619ff-8b86-4011-b42d-00c04fc964ff", "pod_ip": "10.244.3.17",
        "host": "worker-3.example.internal", "container_name": "app",
        "docker_id": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "container_image": "registry.example.internal/shop/checkout:4.17.2",
        "container_hash": "registry.example.internal/shop/checkout@sha256:0123456789abcdef0123456789abcdef",
        "labels": {
            "app.kubernetes.io/name": "checkout", "app.kubernetes.io/part-of": "shop",
            "pod-template-hash": "7d9f6c5b8",
        },
        "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090"},
    })
}

/// A fixed sequence: the same lines in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}
