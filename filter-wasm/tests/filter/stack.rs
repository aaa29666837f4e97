//! How much of Fluent Bit's operand stack the filter needs. Every test fails that needs too
//! much; those here go where most is needed, and say how close it is.

use std::fmt::Write;

use statetrail_rules::RuleText;

use crate::corpus::{folder, records, rule_files};
use crate::guest::{ANNOTATE, EVENTS, Guest, Handover, STACK_BYTES};
use crate::stack_meter::Maximum;
use crate::wasm;

/// A file of as many rules as asked for, every tenth with a regular expression.
pub(crate) fn many_rules(count: usize) -> RuleText {
    let mut text = "namespaces: [many]\nrules:\n".to_owned();
    for number in 0..count {
        let found = match number % 10 {
            0 => format!(
                "{{regex: 'task (?P<id>[a-f0-9]+(?:-(?:[a-f0-9]+|x(?:y|z{{1,3}}))){{0,4}}) \
                 step{number} (?:ok|(?P<why>late))'}}"
            ),
            _ => format!("'task <id> step{number} ok'"),
        };
        let line = format!("task ab-12 step{number} ok");
        let _ = write!(
            text,
            "  - name: step-{number}\n    match: {found}\n    emit:\n      - {{entity: task/<id>, event: step{number}, set: {{step: {number}}}}}\n    samples:\n      - line: '{line}'\n        events: [{{entity: task/ab-12, event: step{number}, set: {{step: {number}}}}}]\n"
        );
    }
    RuleText { name: "many.yaml".to_owned(), text }
}

pub(crate) fn report(what: &str, maximum: &Maximum) {
    let text = wasm::module().instrumented.describe(maximum);
    println!("{what}: {} of {STACK_BYTES} bytes, most of them here:\n{text}", maximum.bytes);
}

#[test]
fn loading_the_shipped_rules() {
    let folder = folder(&rule_files());
    let guest = Guest::start(&wasm::module().wasm, Some(folder.path())).expect("it starts");
    assert_eq!(guest.log(), "");
    report("loading the shipped rules", guest.stack_maximum());
}

#[test]
fn loading_and_using_a_thousand_rules() {
    let folder = folder(&[many_rules(1_000)]);
    let mut guest = Guest::start(&wasm::module().wasm, Some(folder.path())).expect("it starts");
    assert_eq!(guest.log(), "");
    report("loading 1,000 rules", guest.stack_maximum());
    guest.forget_stack_maximum();
    for number in [0, 1, 500, 999] {
        let record = format!(
            r#"{{"log":"task ab-12-cd step{number} ok","kubernetes":{{"namespace_name":"many","pod_name":"p","container_name":"c"}}}}"#
        );
        let reply = guest
            .call(EVENTS, "kube.x", (1, 0), record.as_bytes(), Handover::Json)
            .expect("no record traps");
        assert_ne!(reply, crate::guest::Reply::Null, "step {number}");
    }
    report("using 1,000 rules", guest.stack_maximum());
}

/// Nesting must cost nothing: what is nested too deep is refused, what is not is used.
#[test]
fn loading_nested_regular_expressions() {
    for depth in [4, 12, 1_000] {
        let regex = format!("x{}y{}", "(?:[0-9]|a(b".repeat(depth / 2), ")+c?)*".repeat(depth / 2));
        let text = format!(
            "namespaces: [n]\nrules:\n  - name: r\n    match: {{regex: '{regex}'}}\n    emit:\n      \
             - {{entity: a/b, event: c}}\n    samples:\n      - line: 'xy'\n        \
             events: [{{entity: a/b, event: c}}]\n"
        );
        let folder = folder(&[many_rules(1), RuleText { name: "regex.yaml".to_owned(), text }]);
        let guest = Guest::start(&wasm::module().wasm, Some(folder.path())).expect("it starts");
        assert_eq!(guest.log().contains("regex.yaml"), depth > 12, "{}", guest.log());
        report(&format!("loading {depth} nested groups"), guest.stack_maximum());
    }
}

#[test]
fn taking_the_whole_corpus() {
    let folder = folder(&rule_files());
    let mut guest = Guest::start(&wasm::module().wasm, Some(folder.path())).expect("it starts");
    let records = records();
    for function in [EVENTS, ANNOTATE] {
        for handover in [Handover::Json, Handover::MessagePack] {
            guest.forget_stack_maximum();
            for record in &records {
                let bytes = match handover {
                    Handover::MessagePack => &record.msgpack,
                    _ => &record.json,
                };
                guest
                    .call(function, &record.tag, record.time, bytes, handover)
                    .expect("no record traps");
            }
            report(&format!("{function} {handover:?}"), guest.stack_maximum());
        }
    }
}
