//! Random events that are likely to meet: few entities, few moments, few fields.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use statetrail_event::{
    Change, EntityName, Event, EventId, Finite, MAX_SEQ, OrderKey, Source, Time, Value,
};

use crate::KnownEvent;

/// Names that differ little, and names that a careless store gets wrong.
pub fn entity_names() -> Vec<EntityName> {
    let long_id = "long".repeat(256);
    let parts = [
        ("shop", "order", "o-1042"),
        ("shop", "order", "o-1043"),
        ("shop", "order", "O-1042"),
        ("shop", "payment", "o-1042"),
        ("shop-2", "order", "o-1042"),
        ("debian", "file", "usr/bin/ls"),
        ("odd", "100%_\\", "a'b\"c;--"),
        ("odd", "größe", "名前/\u{10ffff}"),
        ("odd", "order", long_id.as_str()),
    ];
    parts
        .into_iter()
        .map(|(namespace, entity_type, id)| {
            EntityName::new(namespace, entity_type, id).expect("the names above are valid")
        })
        .collect()
}

/// Few moments around the epoch, and the two ends of time.
pub fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        20 => (-6_i64..6).prop_map(Time::from_nanos),
        1 => Just(Time::MIN),
        1 => Just(Time::MAX),
    ]
}

/// Any key; many of them equal.
pub fn key() -> impl Strategy<Value = OrderKey> {
    let seq = prop_oneof![10 => 0_u64..3, 1 => Just(MAX_SEQ)];
    let id = prop_oneof![10 => 0_u8..4, 1 => Just(0xff)];
    (time(), seq, id).prop_map(|(time, seq, id)| OrderKey { time, seq, id: EventId([id; 16]) })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter_map("infinite", |number| Finite::new(number).map(Value::Number)),
        select(vec!["", "paid", "o'clock", "ä\u{0}b"]).prop_map(Value::text),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let field = select(vec!["status", "amount", "größe", ""]);
    btree_map(field, proptest::option::of(value()), 0..3).prop_map(|fields| {
        fields.into_iter().map(|(field, value)| Change { field: field.into(), value }).collect()
    })
}

fn source() -> impl Strategy<Value = Source> {
    let uri = select(vec!["/shop/checkout-1/app", "/shop", "urn:other%20producer"]);
    let node = proptest::option::of(select(vec!["node-1", "node-2"]));
    let file = proptest::option::of(Just("/var/log/app.log"));
    (uri, node, file).prop_map(|(uri, node, file)| Source {
        uri: uri.to_owned(),
        node: node.map(str::to_owned),
        file: file.map(str::to_owned),
    })
}

fn line() -> impl Strategy<Value = Option<String>> {
    let line = select(vec!["order o-1042 paid", "50% off; a'b", "größer", ""]);
    proptest::option::of(line.prop_map(str::to_owned))
}

fn event() -> impl Strategy<Value = Event> {
    let offset = proptest::option::of(prop_oneof![0_u64..3, Just(MAX_SEQ)]);
    let rule = proptest::option::of(select(vec!["shop.yaml/paid", "shop.yaml/sent"]));
    let name = select(vec!["paid", "sent", "größer"]);
    let parts = (select(entity_names()), key(), name, changes(), source(), offset, rule, line());
    parts.prop_map(|(entity, key, name, changes, source, offset, rule, line)| Event {
        id: key.id,
        entity,
        name: name.to_owned(),
        time: key.time,
        seq: key.seq,
        changes,
        source: source.into(),
        offset,
        rule: rule.map(Into::into),
        line,
    })
}

/// Batches in which events come in any order and more than once. Copies differ in nothing but
/// their known-at.
pub fn batches() -> impl Strategy<Value = Vec<Vec<KnownEvent>>> {
    let arrivals = vec(vec((any::<Index>(), time()), 0..12), 1..8);
    (vec(event(), 1..60), arrivals).prop_map(|(mut events, arrivals)| {
        events.sort_by_key(|event| (event.entity.clone(), event.key()));
        events.dedup_by_key(|event| (event.entity.clone(), event.key()));
        let arrive = |(index, known_at): (Index, Time)| KnownEvent {
            event: index.get(&events).clone(),
            known_at,
        };
        let batch = |batch: Vec<_>| batch.into_iter().map(arrive).collect();
        arrivals.into_iter().map(batch).collect()
    })
}
