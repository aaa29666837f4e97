//! Invariant I1: the state does not depend on the order, repetition or batching of events.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use statetrail_event::{Change, EventId, MAX_SEQ, OrderKey, State, Time, Value};

type Write = (OrderKey, Vec<Change>);

fn key(time: i64, seq: u64, id: u8) -> OrderKey {
    OrderKey { time: Time::from_nanos(time), seq, id: EventId([id; 16]) }
}

/// Few times, numbers and fields, so that events meet in all of them.
fn writes() -> impl Strategy<Value = Vec<Write>> {
    let field = prop_oneof![Just("a"), Just("b"), Just("c"), Just("")];
    let value = proptest::option::weighted(0.7, (0..5_i64).prop_map(Value::Int));
    let changes = proptest::collection::btree_map(field, value, 0..4);
    let write = ((-1..2_i64, 0..3_u64, 0..4_u8), changes);
    vec(write, 0..24).prop_map(|writes| {
        let mut unique: BTreeMap<OrderKey, Vec<Change>> = BTreeMap::new();
        for ((time, seq, id), changes) in writes {
            let changes =
                changes.into_iter().map(|(field, value)| Change { field: field.into(), value });
            unique.insert(key(time, seq, id), changes.collect());
        }
        unique.into_iter().collect()
    })
}

/// The writes in any order, some of them again, each with the batch that it travels in.
fn deliveries() -> impl Strategy<Value = (Vec<Write>, Vec<(usize, usize)>, Vec<usize>)> {
    writes().prop_flat_map(|writes| {
        let count = writes.len();
        let again = vec(0..count.max(1), 0..if count == 0 { 1 } else { 12 });
        let order = again.prop_map(move |again| {
            (0..count).chain(again.into_iter().filter(move |index| *index < count)).collect()
        });
        let order = order.prop_flat_map(|order: Vec<usize>| Just(order).prop_shuffle());
        let order = order.prop_flat_map(|order| {
            let length = order.len();
            (Just(order), vec(0..5_usize, length))
                .prop_map(|(order, batches)| order.into_iter().zip(batches).collect())
        });
        // Every batch at least once, in any order.
        let merges = vec(0..5_usize, 0..5)
            .prop_map(|again| (0..5).chain(again).collect::<Vec<usize>>())
            .prop_shuffle();
        (Just(writes), order, merges)
    })
}

/// The definition: every field has the last write in the order of the keys.
fn defined(writes: &[Write]) -> BTreeMap<String, (Option<Value>, OrderKey)> {
    let mut in_order = writes.to_vec();
    in_order.sort_by_key(|(key, _)| *key);
    let mut fields = BTreeMap::new();
    for (key, changes) in in_order {
        for change in changes {
            fields.insert(change.field.to_string(), (change.value, key));
        }
    }
    fields
}

fn cells(state: &State) -> BTreeMap<String, (Option<Value>, OrderKey)> {
    state.cells().map(|(field, cell)| (field.to_owned(), (cell.value.clone(), cell.by))).collect()
}

proptest! {
    #[test]
    fn any_order_repetition_and_batching_gives_the_defined_state(
        (writes, order, merges) in deliveries()
    ) {
        let mut one_by_one = State::new();
        let mut batches = vec![State::new(); 5];
        for (index, batch) in order {
            let (key, changes) = &writes[index];
            one_by_one.apply(*key, changes);
            batches[batch].apply(*key, changes);
        }
        let mut merged = State::new();
        for batch in merges {
            merged.merge(&batches[batch]);
        }
        prop_assert_eq!(&one_by_one, &merged);
        prop_assert_eq!(cells(&merged), defined(&writes));
    }

    #[test]
    fn a_state_keeps_everything_when_it_is_stored(writes in writes()) {
        let mut state = State::new();
        for (key, changes) in &writes {
            state.apply(*key, changes);
        }
        let packed = rmp_serde::to_vec(&state).unwrap();
        prop_assert_eq!(&rmp_serde::from_slice::<State>(&packed).unwrap(), &state);
        let json = serde_json::to_vec(&state).unwrap();
        prop_assert_eq!(&serde_json::from_slice::<State>(&json).unwrap(), &state);
    }

    #[test]
    fn keys_are_ordered_by_time_then_seq_then_id(
        a in (-2..2_i64, 0..3_u64, 0..3_u8),
        b in (-2..2_i64, 0..3_u64, 0..3_u8),
    ) {
        prop_assert_eq!(key(a.0, a.1, a.2).cmp(&key(b.0, b.1, b.2)), a.cmp(&b));
    }

    #[test]
    fn a_moment_s_bounds_enclose_its_keys_and_no_others(
        time in -1..2_i64, seq in 0..=statetrail_event::MAX_SEQ, id in any::<[u8; 16]>(),
    ) {
        let key = OrderKey { time: Time::from_nanos(time), seq, id: EventId(id) };
        for moment in -1..2_i64 {
            let moment = Time::from_nanos(moment);
            let inside = (OrderKey::start_of(moment)..=OrderKey::end_of(moment)).contains(&key);
            prop_assert_eq!(inside, key.time == moment);
        }
    }
}

#[test]
fn a_field_remembers_who_wrote_it_and_that_it_was_unset() {
    let mut state = State::new();
    state.apply(key(2, 0, 1), &[Change::set("status", "paid"), Change::set("amount", 12)]);
    state.apply(key(3, 0, 2), &[Change::unset("amount")]);
    // Older events that arrive late, and the same event again.
    state.apply(key(1, 9, 9), &[Change::set("status", "new"), Change::set("amount", 5)]);
    state.apply(key(2, 0, 1), &[Change::set("status", "paid"), Change::set("amount", 12)]);

    assert_eq!(state.get("status"), Some(&Value::from("paid")));
    assert_eq!(state.get("amount"), None);
    assert_eq!(state.get("unknown"), None);
    let fields: Vec<_> = state.fields().collect();
    assert_eq!(fields, [("status", &Value::from("paid"), key(2, 0, 1))]);
    let known: Vec<_> = state.cells().map(|(field, cell)| (field, cell.by)).collect();
    assert_eq!(known, [("amount", key(3, 0, 2)), ("status", key(2, 0, 1))]);
}

#[test]
fn same_values_looks_at_values_and_not_at_who_wrote_them() {
    let mut a = State::new();
    a.apply(key(1, 0, 1), &[Change::set("status", "paid"), Change::unset("amount")]);
    let mut b = State::new();
    b.apply(key(7, 0, 2), &[Change::set("status", "paid")]);
    assert!(a.same_values(&b));
    assert_ne!(a, b);
    b.apply(key(8, 0, 3), &[Change::set("status", "shipped")]);
    assert!(!a.same_values(&b));
    // A number is not the text that looks like it.
    let mut c = State::new();
    c.apply(key(1, 0, 1), &[Change::set("n", 1)]);
    let mut d = State::new();
    d.apply(key(1, 0, 1), &[Change::set("n", "1")]);
    assert!(!c.same_values(&d));
}

#[test]
fn the_neighbours_of_a_key_are_the_nearest_there_are() {
    let (low, high) = (EventId([0; 16]), EventId([0xff; 16]));
    let at = |time: i64, seq: u64, id: EventId| OrderKey { time: Time::from_nanos(time), seq, id };
    let mut second = [0; 16];
    second[15] = 1;
    let neighbours = [
        (at(5, 7, low), at(5, 7, EventId(second))),
        (at(5, 7, high), at(5, 8, low)),
        (at(5, MAX_SEQ, high), at(6, 0, low)),
        (at(-1, MAX_SEQ, high), at(0, 0, low)),
    ];
    for (key, next) in neighbours {
        assert_eq!((key.next(), next.previous()), (Some(next), Some(key)));
        assert!(key < next);
    }
    assert_eq!((OrderKey::MIN.previous(), OrderKey::MAX.next()), (None, None));
}
