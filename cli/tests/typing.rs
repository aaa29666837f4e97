//! How soon the playground answers a key. Alone in its binary, so that no other browser runs beside it.

#![cfg(unix)]
#![allow(dead_code, reason = "what tests of the dashboard share is more than this one needs")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "dashboard/axe.rs"]
mod axe;
#[path = "dashboard/browser.rs"]
mod browser;
mod common;
#[path = "dashboard/serving.rs"]
mod serving;

use crate::browser::{Browser, Look};
use crate::serving::{Log, Serving};

/// Keys that are timed.
const KEYS: usize = 20;
/// Milliseconds from a key to the answer.
const QUICK: f64 = 50.0;

/// What a browser does in about as many milliseconds as [`NOMINAL`] says, on the machine on which the page
/// was measured: the fastest of twenty times.
const YARDSTICK: &str = "
    const list = Array.from({length: 20000}, (_, number) => ({number, text: 'order o-' + number}));
    const took = [];
    for (let round = 0; round < 20; round++) {
        const begun = performance.now();
        JSON.parse(JSON.stringify(list));
        took.push(performance.now() - begun);
    }
    return Math.min(...took)";
const NOMINAL: f64 = 15.0;

/// The page's own measure, from the last key that changed something to its answer.
const ANSWERED: &str = "performance.getEntriesByName('answered')[0]";

fn answered(browser: &Browser, part: &str) -> f64 {
    browser.run(&format!("return {ANSWERED}?.{part} ?? 0")).as_f64().unwrap()
}

/// Rules as a large namespace has them, and as many lines as one pastes.
fn large() -> (String, String) {
    let mut rules = String::from("namespaces: [large]\nrules:\n");
    for number in 0..200 {
        rules.push_str(&format!(
            "  - name: rule-{number}\n    match: 'service-{number} order <order> took <ms:number> ms in <zone>'\n    \
             emit: [{{entity: order/<order>, event: went-{number}, set: {{ms: <ms>, zone: <zone>}}}}]\n    \
             samples:\n      - line: service-{number} order o-1 took 5 ms in west\n        \
             events: [{{entity: order/o-1, event: went-{number}, set: {{ms: 5, zone: west}}}}]\n"
        ));
    }
    let lines = (0..2_000).map(|number| {
        let service = number * 7 % 400;
        format!(
            "2026-11-22T10:00:00Z INFO service-{service} order o-{} took {number} ms in west\n",
            number % 300
        )
    });
    (rules, lines.collect())
}

#[test]
fn an_answer_comes_at_once_with_many_rules_and_lines() {
    let serving = Serving::start(Log::new());
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/playground/");
    browser.wait_text("#rules-status", "3 rules, no fault");
    let (rules, lines) = large();
    browser.paste("rules", &rules);
    browser.wait_text("#rules-status", "200 rules, no fault");
    browser.paste("lines", &lines);
    browser.wait_text("#lines-status", "1,000 of 2,000 lines taken");
    for editor in ["lines", "rules"] {
        browser.run(&format!(
            "const it = document.getElementById('{editor}'); \
             it.focus(); it.setSelectionRange(it.value.length, it.value.length)"
        ));
        let mut took: Vec<f64> = Vec::new();
        for _ in 0..KEYS {
            let last = answered(&browser, "detail");
            browser.press(if editor == "rules" { "#" } else { "x" });
            browser.wait(&format!("return ({ANSWERED}?.detail ?? 0) > {last}"));
            took.push(answered(&browser, "duration"));
        }
        took.sort_by(f64::total_cmp);
        let [best, quarter, middle] = [0, KEYS / 4, KEYS / 2].map(|place| took[place]);
        // The fastest key tells what the page itself needs, whatever else the machine does. What a slower
        // machine makes of it, the yardstick tells, which is measured beside.
        let slower = (browser.run(YARDSTICK).as_f64().unwrap() / NOMINAL).max(1.0);
        println!(
            "{editor}: {best:.1} ms at best, {quarter:.1}, {middle:.1} in the middle; the machine is {slower:.2} \
             times as slow as the nominal one"
        );
        assert!(best < QUICK * slower, "{editor}: {took:?}");
    }
}
