//! `make bench-extract`: what our rules find in lines, beside the `regex` crate's RegexSet plus
//! captures on the same lines.
//!
//! Two jobs: `matchP-rulesR` tells which rule matches and the values of its captures;
//! `matchP-rulesR-events` also writes the CloudEvents, with the same writer on both sides.
//! Arguments choose mixtures by a part of their names or the whole, a number says how many lines
//! a round has: `make bench-extract ARGS="100000 match10-rules10 rules1000"`. More lines come
//! from further away; with fewer, more of the rules come from there, as the rival's turn has
//! pushed them out of the caches.

use std::hint::black_box;

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};
use statetrail_benches::phrases::phrase;
use statetrail_benches::{Better, Case, Report, Timing, alternate};
use statetrail_event::cloudevents::write_parts;
use statetrail_event::{EventRef, Finite, LineIdentity, Time, ValueRef, seq_of};
use statetrail_rules::{Extractor, Line, Origin, RuleSet, RuleText, ScopeId};

/// Lines of a round, if no argument says otherwise.
const LINES: usize = 20_000;
const ROUNDS: usize = 7;
const SOURCE: &str = "/shop";

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

/// So many lines, of which `percent` match one of the first `rules` rules, in a fixed mixture.
fn lines(count: usize, percent: usize, rules: usize) -> Vec<String> {
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
    (0..count).map(line).collect()
}

/// Takes the captures of a line: order, amount and method.
type Found<'f> = dyn FnMut(&[u8], f64, &[u8]) + 'f;

/// Our side: rule set, scope and memory.
struct Ours {
    rules: RuleSet,
    scope: ScopeId,
    origin: Origin,
    extractor: Extractor,
    out: Vec<u8>,
}

impl Ours {
    fn new(rules: usize) -> Result<Ours, String> {
        let texts = [RuleText { name: "rules.yaml".to_owned(), text: rule_file(rules) }];
        let (mut rules, faults) = RuleSet::parse(&texts);
        if let Some(fault) = faults.first() {
            return Err(fault.to_string());
        }
        let scope = rules.scope("shop", "").ok_or("no rules for the namespace")?;
        let origin = Origin::plain(Some("shop"), None, None);
        Ok(Ours { rules, scope, origin, extractor: Extractor::new(), out: Vec::new() })
    }

    fn captures(&mut self, line: &[u8], found: &mut Found<'_>) {
        fn text(value: Option<Option<ValueRef<'_>>>) -> &[u8] {
            match value.flatten() {
                Some(ValueRef::Text(text)) => text,
                _ => b"",
            }
        }
        self.extractor.matches(&self.rules, self.scope, line, &mut |matched| {
            // By their numbers, as the rival takes its groups.
            let mut values = matched.captures().map(|(_, value)| value);
            let order = text(values.next());
            let amount = match values.next().flatten() {
                Some(ValueRef::Number(number)) => number.get(),
                Some(ValueRef::Int(number)) => number as f64,
                _ => 0.0,
            };
            let method = text(values.next());
            found(order, amount, method);
        });
    }

    fn events(&mut self, line: &[u8], time: Time) -> &[u8] {
        let line = Line { bytes: line, time, position: 0, offset: None };
        self.out.clear();
        self.extractor.write_json(&self.rules, self.scope, &self.origin, &line, &mut self.out);
        &self.out
    }
}

struct RegexWay {
    set: RegexSet,
    each: Vec<Regex>,
    names: Vec<String>,
    source_hash: u64,
    out: Vec<u8>,
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
        Ok(RegexWay {
            set,
            each: each.collect::<Result<_, _>>()?,
            names: names.collect(),
            source_hash: LineIdentity::source_hash(SOURCE),
            out: Vec::new(),
        })
    }

    fn captures<'l>(&self, line: &'l [u8]) -> Option<(usize, &'l [u8], f64, &'l [u8])> {
        let rule = self.set.matches(line).iter().next()?;
        let captures = self.each[rule].captures(line)?;
        let text = |group: usize| captures.get(group).map_or(&b""[..], |found| found.as_bytes());
        let amount = std::str::from_utf8(text(2)).ok()?.parse().ok()?;
        Some((rule, text(1), amount, text(3)))
    }

    fn events(&mut self, line: &[u8], time: Time) -> &[u8] {
        self.out.clear();
        let Some((rule, order, amount, method)) = self.captures(line) else { return &self.out };
        let order = String::from_utf8_lossy(order);
        let seq = seq_of(0, 0);
        let event = EventRef {
            id: LineIdentity::new(self.source_hash, time, line).event_id(seq),
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
            ..EventRef::default()
        };
        let amount = Finite::new(amount).map(ValueRef::Number);
        write_parts(&mut self.out, &event, &mut |writer| {
            writer("amount", amount);
            writer("method", Some(ValueRef::Text(method)));
        });
        &self.out
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (counts, chosen): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.parse::<usize>().is_ok());
    let count = counts.first().map_or(Ok(LINES), |count| count.parse())?;
    let is_chosen = |name: &str| {
        let is_of = |wanted: &String| name == wanted || name.split('-').any(|part| part == wanted);
        chosen.is_empty() || chosen.iter().any(is_of)
    };
    let name_of = |percent: usize, rules: usize| format!("match{percent}-rules{rules}");
    let mut report = Report::new("extract");
    for rules in [1, 10, 100, 1_000] {
        let percents = [0, 10, 50, 100].into_iter();
        let percents: Vec<usize> = percents.filter(|p| is_chosen(&name_of(*p, rules))).collect();
        if percents.is_empty() {
            continue;
        }
        let mut ours = Ours::new(rules)?;
        let mut rival = RegexWay::new(rules)?;
        for percent in percents {
            let lines = lines(count, percent, rules);
            same_results(&mut ours, &mut rival, &lines)?;
            let name = name_of(percent, rules);
            let timing = captures(&mut ours, &rival, &lines);
            add(&mut report, &name, &lines, timing);
            let timing = events(&mut ours, &mut rival, &lines);
            add(&mut report, &format!("{name}-events"), &lines, timing);
        }
    }
    for percent in [0, 10, 50, 100] {
        let rate = |rules: usize| report.value_of(&name_of(percent, rules));
        if let (Some(ten), Some(thousand)) = (rate(10), rate(1_000)) {
            println!("{percent}% matches: 1,000 rules cost {:.2} times 10 rules", ten / thousand);
        }
    }
    Ok(report.write()?)
}

fn captures(ours: &mut Ours, rival: &RegexWay, lines: &[String]) -> Timing {
    let our_run = || {
        for line in lines {
            ours.captures(line.as_bytes(), &mut |order, amount, method| {
                black_box((order, amount, method));
            });
        }
    };
    let rival_run = || {
        for line in lines {
            black_box(rival.captures(line.as_bytes()));
        }
    };
    alternate(ROUNDS, our_run, rival_run)
}

fn events(ours: &mut Ours, rival: &mut RegexWay, lines: &[String]) -> Timing {
    let our_run = || {
        for (index, line) in lines.iter().enumerate() {
            black_box(ours.events(line.as_bytes(), Time::from_nanos(index as i64)));
        }
    };
    let rival_run = || {
        for (index, line) in lines.iter().enumerate() {
            black_box(rival.events(line.as_bytes(), Time::from_nanos(index as i64)));
        }
    };
    alternate(ROUNDS, our_run, rival_run)
}

fn add(report: &mut Report, name: &str, lines: &[String], timing: Timing) {
    let megabytes = lines.iter().map(|line| line.len() + 1).sum::<usize>() as f64 / 1e6;
    let (ours, rival) = (timing.ours.as_secs_f64(), timing.rival.as_secs_f64());
    report.add(Case {
        name: name.to_owned(),
        value: megabytes / ours,
        unit: "MB/s",
        better: Better::Higher,
        rival: Some(("regexset", megabytes / rival)),
    });
    let count = lines.len() as f64;
    report.add(Case {
        name: format!("{name}-lines"),
        value: count / ours,
        unit: "lines/s",
        better: Better::Higher,
        rival: Some(("regexset", count / rival)),
    });
}

/// Both ways must do the same job, or the comparison means nothing.
fn same_results(ours: &mut Ours, rival: &mut RegexWay, lines: &[String]) -> Result<(), String> {
    for line in lines {
        let time = Time::from_nanos(1);
        let (our_bytes, their_bytes) =
            (ours.events(line.as_bytes(), time), rival.events(line.as_bytes(), time));
        if our_bytes != their_bytes {
            let (a, b) = (String::from_utf8_lossy(our_bytes), String::from_utf8_lossy(their_bytes));
            return Err(format!("different events for {line:?}:\n{a}\n{b}"));
        }
    }
    Ok(())
}
