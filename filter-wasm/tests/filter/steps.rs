//! How many steps the interpreter takes for a record. `cargo test -p statetrail-filter steps --
//! --nocapture` prints in which functions.

use serde_json::json;
use statetrail_rules::RuleText;

use crate::corpus::{Record, container_tag, folder};
use crate::guest::{EVENTS, Guest, Handover, Reply};
use crate::step_meter::Steps;
use crate::wasm;

/// Calls of which the steps are averaged, after as many that are not counted.
const CALLS: i64 = 100;

fn rules(count: usize) -> RuleText {
    let mut text = "namespaces: [shop]\nrules:\n".to_owned();
    for number in 0..count {
        let words = format!("payment{number} accepted");
        text += &format!(
            "  - name: text-{number}\n    match: 'order <order> {words} amount=<amount:number> by <method>'\n    \
             emit: [{{entity: order/<order>, event: paid, set: {{amount: <amount>, method: <method>}}}}]\n    \
             samples:\n      - line: 'order o-1 {words} amount=1.5 by card'\n        events: \
             [{{entity: order/o-1, event: paid, set: {{amount: 1.5, method: card}}}}]\n"
        );
    }
    RuleText { name: "shop.yaml".to_owned(), text }
}

fn json_rules(count: usize) -> RuleText {
    let mut text = "namespaces: [shop]\nrules:\n".to_owned();
    for number in 0..count {
        let words = format!("payment{number} accepted");
        text += &format!(
            "  - name: json-{number}\n    match: {{json: {{msg: '{words}', order: <order>, amount: <amount>, method: <method>}}}}\n    \
             emit: [{{entity: order/<order>, event: paid, set: {{amount: <amount>, method: <method>}}}}]\n    \
             samples:\n      - line: '{{\"msg\":\"{words}\",\"order\":\"o-1\",\"amount\":1.5,\"method\":\"card\"}}'\n        events: \
             [{{entity: order/o-1, event: paid, set: {{amount: 1.5, method: card}}}}]\n"
        );
    }
    RuleText { name: "shop.yaml".to_owned(), text }
}

/// Steps of one call by function, for a line that comes again and again.
fn steps(rules: RuleText, line: &str, with_kubernetes: bool, found: bool) -> Steps {
    let folder = folder(&[rules]);
    steps_in(&folder, 0, line, with_kubernetes, found)
}

/// Those of a filter that tells about itself, over so many files, when every record is of another
/// second: each asks for the time.
fn reporting_steps(files: usize) -> Steps {
    let file = |number| RuleText { name: format!("{number}.yaml"), ..rules(1) };
    let files: Vec<RuleText> = (0..files).map(file).collect();
    let folder = folder(&files);
    std::fs::write(folder.path().join("node"), "node-1").expect("there is room for a file");
    steps_in(&folder, 1, OTHER, false, false)
}

fn steps_in(
    folder: &tempfile::TempDir,
    seconds: u32,
    line: &str,
    with_kubernetes: bool,
    found: bool,
) -> Steps {
    let module = wasm::counted();
    let mut guest = Guest::start_counted(module, folder.path()).expect("the filter starts");
    let tag = container_tag("shop", "checkout-7d9f6c5b8-x2x7k", "app");
    let mut fields = json!({"stream": "stdout", "log": line});
    if with_kubernetes {
        fields["kubernetes"] = json!({
            "pod_name": "checkout-7d9f6c5b8-x2x7k", "namespace_name": "shop",
            "pod_id": "6f9619ff-8b86-4011-b42d-00c04fc964ff", "host": "worker-3.example.internal",
            "container_name": "app", "container_image": "registry.example.internal/shop:4.17.2",
            "labels": {"app.kubernetes.io/name": "checkout", "pod-template-hash": "7d9f6c5b8"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090"},
        });
    }
    let mut call = |number: i64| {
        let time = (1_763_805_600 + seconds * number as u32, number as u32);
        let record = Record::new(&tag, time, &fields);
        let reply =
            guest.call(EVENTS, &tag, time, &record.json, Handover::Json).expect("no record traps");
        // The first one tells that the filter has started.
        assert_eq!(matches!(reply, Reply::Text(_)), found || (seconds * (number == 0) as u32 > 0));
        guest.steps()
    };
    let before = (0..CALLS).map(&mut call).last().unwrap_or_default();
    let after = (CALLS..2 * CALLS).map(&mut call).last().unwrap_or_default();
    let mean = |(name, steps): (&String, &i64)| (name.clone(), (steps - before[name]) / CALLS);
    after.iter().map(mean).filter(|(_, steps)| *steps > 0).collect()
}

fn report(what: &str, steps: &Steps) -> i64 {
    let total = steps.values().sum();
    println!("{what}: {total} steps");
    let mut order: Vec<_> = steps.iter().collect();
    order.sort_by_key(|(_, steps)| -**steps);
    for (name, steps) in order.iter().take(25) {
        println!("{steps:>8} {name}");
    }
    total
}

const PLAIN: &str = "INFO  [worker-7] com.example.shop.Orders - order o-104211 payment3 accepted \
    amount=12.50 by card";
const OTHER: &str = "WARN  [worker-12] com.example.shop.Orders - order o-104211 waits for stock \
    since 4417ms, will look again";
const JSON: &str = r#"{"level":"info","logger":"com.example.shop.Orders","msg":"payment3 accepted","order":"o-104211","amount":12.5,"method":"card"}"#;
const OTHER_JSON: &str = r#"{"level":"debug","logger":"com.example.shop.Pool","msg":"connection returned","connection":2411,"active":7,"idle":3}"#;

#[test]
fn steps_of_a_record() {
    for (what, rules, line, kubernetes, found, most) in [
        ("text, match", rules(10), PLAIN, false, true, 7_000),
        ("text, no match", rules(10), OTHER, false, false, 1_400),
        ("text, kubernetes, match", rules(10), PLAIN, true, true, 7_300),
        ("text, kubernetes, no match", rules(10), OTHER, true, false, 1_700),
        ("JSON, match", json_rules(10), JSON, false, true, 16_200),
        ("JSON, no match", json_rules(10), OTHER_JSON, false, false, 2_000),
        ("text, no match, 1,000 rules", rules(1_000), OTHER, false, false, 1_400),
    ] {
        let total = report(what, &steps(rules, line, kubernetes, found));
        assert!(total <= most, "{what}: {total} steps, at most {most} are allowed");
    }
}

#[test]
fn steps_of_a_record_that_asks_for_the_time() {
    for (files, most) in [(1, 2_000), (500, 2_000)] {
        let what = format!("text, no match, another second, {files} files");
        let total = report(&what, &reporting_steps(files));
        assert!(total <= most, "{what}: {total} steps, at most {most} are allowed");
    }
}
