//! Invariant I6: the native engine and the compiled filter give the same bytes for every line.

use statetrail_filter::{Filter, Mode};

use crate::corpus::{folder, records, rule_files};
use crate::guest::{ANNOTATE, EVENTS, Guest, Handover, Reply};
use crate::wasm;

/// What the native engine would make Fluent Bit see.
pub(crate) fn native(
    filter: &mut Filter,
    mode: Mode,
    tag: &str,
    (seconds, nanos): (u32, u32),
    bytes: &[u8],
) -> Reply {
    filter.process(mode, tag.as_bytes(), seconds, nanos, bytes).into()
}

#[test]
fn native_and_wasm_give_the_same_bytes() {
    let rules = rule_files();
    let records = records();
    for (mode, function) in [(Mode::Events, EVENTS), (Mode::Annotate, ANNOTATE)] {
        for handover in [Handover::Json, Handover::MessagePack] {
            let mut filter = Filter::default();
            assert_eq!(filter.reload(&rules), [], "the rules have no faults");
            let folder = folder(&rules);
            let mut guest =
                Guest::start(&wasm::module().wasm, Some(folder.path())).expect("the filter starts");
            let mut texts = 0;
            for record in &records {
                let bytes = match handover {
                    Handover::MessagePack => &record.msgpack,
                    _ => &record.json,
                };
                let expected = native(&mut filter, mode, &record.tag, record.time, bytes);
                let reply = guest
                    .call(function, &record.tag, record.time, bytes, handover)
                    .expect("no record traps");
                assert_eq!(reply, expected, "{}", String::from_utf8_lossy(&record.json));
                texts += usize::from(matches!(reply, Reply::Text(_)));
            }
            assert!(texts > records.len() / 10, "only {texts} of {} matched", records.len());
            let counters = filter.counters();
            assert_eq!(counters.records, records.len() as u64);
            let accounted = counters.matched
                + counters.unmatched
                + counters.out_of_scope
                + counters.failed
                + counters.oversized
                + counters.without_line
                + counters.unreadable;
            assert_eq!(accounted, counters.records, "a record vanished: {counters:?}");
        }
    }
}
