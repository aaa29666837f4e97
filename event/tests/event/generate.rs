//! Arbitrary events for the properties.

use proptest::collection::vec;
use proptest::prelude::*;
use statetrail_event::{Change, EntityName, Event, EventId, Finite, MAX_SEQ, Source, Time, Value};

/// Any text, often with the characters that formats stumble over.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let awkward = prop_oneof![
        Just('\0'),
        Just('"'),
        Just('\\'),
        Just('\n'),
        Just('\u{7f}'),
        Just('\u{85}'),
        Just('\u{2028}'),
        Just('\u{fffd}'),
        Just('\u{feff}'),
        Just('😀'),
    ];
    let character =
        prop_oneof![4 => any::<char>(), 2 => awkward, 4 => proptest::char::range(' ', '~')];
    vec(character, 0..24).prop_map(|characters| characters.into_iter().collect())
}

/// A text that may be a name: not empty, without control characters.
pub(crate) fn name() -> impl Strategy<Value = String> {
    text().prop_map(|text| {
        let kept: String = text.chars().filter(|c| !c.is_control()).collect();
        if kept.is_empty() { "-".to_owned() } else { kept }
    })
}

pub(crate) fn entity_name() -> impl Strategy<Value = EntityName> {
    let part = || name().prop_map(|text| text.replace('/', "."));
    (part(), part(), name()).prop_map(|(namespace, entity_type, id)| {
        EntityName::new(&namespace, &entity_type, &id).unwrap()
    })
}

pub(crate) fn number() -> impl Strategy<Value = f64> {
    let extreme = prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(f64::MAX),
        Just(f64::MIN),
        Just(f64::MIN_POSITIVE),
        Just(5e-324),
        Just(1e16),
        Just(9_007_199_254_740_993.0),
        Just(0.1),
    ];
    prop_oneof![any::<f64>().prop_filter("finite", |number| number.is_finite()), extreme]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)].prop_map(Value::Int),
        number().prop_map(|number| Value::Number(Finite::new(number).unwrap())),
        text().prop_map(Value::text),
    ]
}

/// Changes, no field twice.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    vec((name(), proptest::option::weighted(0.7, value())), 0..6).prop_map(|pairs| {
        let mut changes: Vec<Change> = Vec::new();
        for (field, value) in pairs {
            if changes.iter().all(|change| *change.field != *field) {
                changes.push(Change { field: field.into(), value });
            }
        }
        changes
    })
}

/// A number up to the limit of what stores hold.
pub(crate) fn position() -> impl Strategy<Value = u64> {
    prop_oneof![0..=MAX_SEQ, Just(0), Just(1), Just(u64::from(u32::MAX) + 1), Just(MAX_SEQ)]
}

pub(crate) fn time() -> impl Strategy<Value = Time> {
    let nanos = prop_oneof![
        any::<i64>(),
        Just(i64::MIN),
        Just(i64::MAX),
        Just(-1),
        Just(0),
        (0..4_000_000_000_i64).prop_map(|seconds| seconds * 1_000_000_000),
    ];
    nanos.prop_map(Time::from_nanos)
}

pub(crate) fn event_id() -> impl Strategy<Value = EventId> {
    any::<[u8; 16]>().prop_map(EventId)
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let source = (text(), proptest::option::of(text()), proptest::option::of(text()));
    let made = (proptest::option::of(position()), proptest::option::of(text()));
    let what = (entity_name(), name(), changes(), proptest::option::of(text()));
    (event_id(), what, time(), position(), source, made).prop_map(
        |(id, (entity, name, changes, line), time, seq, (uri, node, file), (offset, rule))| Event {
            id,
            entity,
            name,
            time,
            seq,
            changes,
            source: Source { uri, node, file }.into(),
            offset,
            rule: rule.map(Into::into),
            line,
        },
    )
}
