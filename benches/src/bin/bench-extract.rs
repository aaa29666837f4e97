//! `make bench-extract`: lines to CloudEvents with our rules, beside the `regex` crate's
//! RegexSet plus captures, which give the same bytes.

use std::hint::black_box;

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};
use statetrail_benches::{Better, Case, Report, alternate};
use statetrail_event::cloudevents::write_parts;
use statetrail_event::{EventRef, LineIdentity, Time, ValueRef, seq_of};
use statetrail_rules::{Extractor, Line, Origin, RuleSet, RuleText};

const LINES: usize = 20_000;
const ROUNDS: usize = 7;
const SOURCE: &str = "/shop";

const SUBJECTS: [&str; 40] = [
    "payment", "invoice", "refund", "shipment", "parcel", "basket", "coupon", "voucher", "stock",
    "picking", "packing", "label", "customs", "return", "exchange", "deposit", "ledger", "claim",
    "address", "contact", "review", "ticket", "booking", "quote", "offer", "contract", "renewal",
    "account", "wallet", "credit", "charge", "dispute", "payout", "transfer", "pallet", "carton",
    "route", "courier", "handover", "locker",
];
const VERBS: [&str; 25] = [
    "accepted",
    "rejected",
    "started",
    "finished",
    "cancelled",
    "delayed",
    "retried",
    "confirmed",
    "reserved",
    "released",
    "opened",
    "closed",
    "archived",
    "restored",
    "approved",
    "declined",
    "scheduled",
    "dispatched",
    "received",
    "verified",
    "flagged",
    "cleared",
    "locked",
    "unlocked",
    "expired",
];

/// The `number`-th pair of words that a rule looks for.
fn phrase(number: usize) -> String {
    format!(
        "{} {}",
        SUBJECTS[number % SUBJECTS.len()],
        VERBS[number / SUBJECTS.len() % VERBS.len()]
    )
}

fn rule_file(rules: usize) -> String {
    let mut text = String::from("namespaces: [shop]\nrules:\n");
    for number in 0..rules {
        text.push_str(&format!(
            "  - name: rule-{number}\n    match: 'order <order> {} amount=<amount:number> by <method>'\n    \
             emit:\n      - entity: order/<order>\n        event: changed\n        \
             set: {{amount: <amount>, method: <method>}}\n",
            phrase(number)
        ));
    }
    text
}

fn expression(number: usize) -> String {
    format!(r"order (\S+) {} amount=([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?) by (\S+)", phrase(number))
}

/// Lines of which `percent` match one of the first `rules` rules, in a fixed mixture.
fn lines(percent: usize, rules: usize) -> Vec<String> {
    let mut seed = 42u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let line = |index: usize| {
        let second = index % 60;
        let head = format!("2026-11-22T10:00:{second:02}.{:06}Z", next(1_000_000));
        if index * 7919 % 100 < percent {
            let rule = next(rules);
            return format!(
                "{head} INFO  [worker-{}] com.example.shop.Orders - order o-{} {} amount={}.{:02} by card",
                next(16),
                next(1_000_000),
                phrase(rule),
                next(900),
                next(100)
            );
        }
        match next(5) {
            0 => format!(
                "{head} INFO  [http-{}] com.example.shop.Access - GET /api/v1/orders/o-{}?expand=items 200 {} {}ms agent=\"okhttp/4.12\"",
                next(64),
                next(1_000_000),
                next(20_000),
                next(900)
            ),
            1 => format!(
                "{head} DEBUG [pool-{}] com.example.shop.Pool - connection {} returned, active={} idle={} waiting=0",
                next(8),
                next(4_000),
                next(40),
                next(40)
            ),
            2 => format!(
                "{head} INFO  [sched-1] com.example.shop.Metrics - heap used={}MB committed=2048MB gc={}ms threads={}",
                next(2_048),
                next(90),
                next(200)
            ),
            3 => format!(
                "{head} WARN  [worker-{}] com.example.shop.Orders - order o-{} waits for stock since {}ms, will look again",
                next(16),
                next(1_000_000),
                next(90_000)
            ),
            _ => format!(
                "{head} INFO  [worker-{}] com.example.shop.Cache - entry customer:{} loaded in {}us, size={}",
                next(16),
                next(1_000_000),
                next(3_000),
                next(100_000)
            ),
        }
    };
    (0..LINES).map(line).collect()
}

fn our_run(
    extractor: &mut Extractor,
    rules: &mut RuleSet,
    lines: &[String],
    out: &mut Vec<u8>,
) -> u64 {
    let Some(scope) = rules.scope("shop", "") else { return 0 };
    let origin = Origin::plain(Some("shop"), None, None);
    let mut bytes = 0;
    for (index, line) in lines.iter().enumerate() {
        out.clear();
        let time = Time::from_nanos(index as i64);
        let line = Line { bytes: line.as_bytes(), time, position: 0, offset: None };
        extractor.write_json(rules, scope, &origin, &line, out);
        bytes += black_box(&*out).len() as u64;
    }
    bytes
}

struct RegexWay {
    set: RegexSet,
    each: Vec<Regex>,
    names: Vec<String>,
}

impl RegexWay {
    fn new(rules: usize) -> Result<RegexWay, regex::Error> {
        let expressions: Vec<String> = (0..rules).map(expression).collect();
        // Room for 1,000 expressions; with the default it would fall back to something slower.
        let set = RegexSetBuilder::new(&expressions)
            .unicode(false)
            .size_limit(1 << 28)
            .dfa_size_limit(1 << 28)
            .build()?;
        let each = expressions
            .iter()
            .map(|text| regex::bytes::RegexBuilder::new(text).unicode(false).build());
        let names = (0..rules).map(|number| format!("rules.yaml/rule-{number}"));
        Ok(RegexWay { set, each: each.collect::<Result<_, _>>()?, names: names.collect() })
    }

    fn run(&self, lines: &[String], out: &mut Vec<u8>) -> u64 {
        let source_hash = LineIdentity::source_hash(SOURCE);
        let mut bytes = 0;
        for (index, line) in lines.iter().enumerate() {
            out.clear();
            let time = Time::from_nanos(index as i64);
            self.line(line.as_bytes(), time, source_hash, out);
            bytes += black_box(&*out).len() as u64;
        }
        bytes
    }

    fn line(&self, line: &[u8], time: Time, source_hash: u64, out: &mut Vec<u8>) {
        let Some(rule) = self.set.matches(line).iter().next() else { return };
        let Some(captures) = self.each[rule].captures(line) else { return };
        let text = |group: usize| captures.get(group).map_or(&b""[..], |found| found.as_bytes());
        let order = String::from_utf8_lossy(text(1));
        let amount: f64 =
            std::str::from_utf8(text(2)).ok().and_then(|t| t.parse().ok()).unwrap_or(0.0);
        let seq = seq_of(0, 0);
        let event = EventRef {
            id: LineIdentity::new(source_hash, time, line).event_id(seq),
            namespace: "shop",
            entity_type: "order",
            entity_id: &order,
            name: "changed",
            time,
            seq,
            source: SOURCE,
            node: None,
            file: None,
            offset: None,
            rule: Some(&self.names[rule]),
            line: Some(line),
        };
        let amount = statetrail_event::Finite::new(amount).map(ValueRef::Number);
        write_parts(out, &event, &mut |writer| {
            writer("amount", amount);
            writer("method", Some(ValueRef::Text(text(3))));
        });
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut report = Report::new("extract");
    for rules in [1, 10, 100, 1_000] {
        let texts = [RuleText { name: "rules.yaml".to_owned(), text: rule_file(rules) }];
        let (mut set, faults) = RuleSet::parse(&texts);
        if let Some(fault) = faults.first() {
            return Err(fault.to_string().into());
        }
        let rival = RegexWay::new(rules)?;
        for percent in [0, 10, 50, 100] {
            let lines = lines(percent, rules);
            measure(&mut report, percent, rules, &mut set, &rival, &lines)?;
        }
    }
    for percent in [0, 10, 50, 100] {
        let cost = |rules: usize| report.value_of(&format!("match{percent}-rules{rules}"));
        if let (Some(ten), Some(thousand)) = (cost(10), cost(1_000)) {
            println!("{percent}% matches: 1,000 rules cost {:.2} times 10 rules", ten / thousand);
        }
    }
    Ok(report.write()?)
}

fn measure(
    report: &mut Report,
    percent: usize,
    rules: usize,
    set: &mut RuleSet,
    rival: &RegexWay,
    lines: &[String],
) -> Result<(), String> {
    let mut extractor = Extractor::new();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    same_output(set, rival, lines)?;
    let timing = alternate(
        ROUNDS,
        || {
            black_box(our_run(&mut extractor, set, lines, &mut ours));
        },
        || {
            black_box(rival.run(lines, &mut theirs));
        },
    );
    let megabytes = lines.iter().map(|line| line.len() + 1).sum::<usize>() as f64 / 1e6;
    let name = format!("match{percent}-rules{rules}");
    report.add(Case {
        name: name.clone(),
        value: megabytes / timing.ours.as_secs_f64(),
        unit: "MB/s",
        better: Better::Higher,
        rival: Some(("regexset", megabytes / timing.rival.as_secs_f64())),
    });
    report.add(Case {
        name: format!("{name}-lines"),
        value: lines.len() as f64 / timing.ours.as_secs_f64(),
        unit: "lines/s",
        better: Better::Higher,
        rival: Some(("regexset", lines.len() as f64 / timing.rival.as_secs_f64())),
    });
    Ok(())
}

/// Both ways must have done the same job, or the comparison means nothing.
fn same_output(set: &mut RuleSet, rival: &RegexWay, lines: &[String]) -> Result<(), String> {
    let mut extractor = Extractor::new();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for line in lines {
        our_run(&mut extractor, set, std::slice::from_ref(line), &mut ours);
        rival.run(std::slice::from_ref(line), &mut theirs);
        if ours != theirs {
            return Err(format!(
                "different events for {line:?}:\n{}\n{}",
                String::from_utf8_lossy(&ours),
                String::from_utf8_lossy(&theirs)
            ));
        }
    }
    Ok(())
}
