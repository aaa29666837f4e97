//! The truth: ordered, complete and without contradiction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use statetrail_event::{EntityName, Time, Value};
use statetrail_shop::{
    Amount, Fields, LogLine, ShopConfig, TruthChange, TruthJsonl, TruthRecorder, TruthSink,
    generate,
};

fn skewed(seed: u64) -> ShopConfig {
    ShopConfig { seed, skew: Duration::from_secs(30), ..ShopConfig::one_day(20_000) }
}

fn no_lines(_: &LogLine<'_>) -> std::io::Result<()> {
    Ok(())
}

type Changes = Vec<(&'static str, Option<Value>)>;

/// Every change of a run, with the state that the run says holds from then on.
fn changes_of(config: &ShopConfig) -> Vec<(Time, EntityName, Changes, Fields)> {
    let mut all = Vec::new();
    let mut sink = |change: &TruthChange<'_>| {
        let TruthChange { time, entity, changes, state } = *change;
        all.push((time, entity.name(), changes.to_vec(), state.clone()));
        Ok(())
    };
    generate(config, &mut no_lines, Some(&mut sink)).expect("the sink takes everything");
    all
}

#[test]
fn changes_come_in_the_order_of_their_logged_times_and_no_entity_changes_twice_at_once() {
    let changes = changes_of(&skewed(2));
    assert!(changes.is_sorted_by_key(|(time, ..)| *time));
    let mut moments = HashSet::new();
    for (time, entity, ..) in &changes {
        assert!(moments.insert((time, entity)), "{entity} changes twice at {time}");
    }
}

#[test]
fn the_stated_states_are_those_of_the_history() {
    let config = skewed(2);
    let mut recorder = TruthRecorder::default();
    generate(&config, &mut no_lines, Some(&mut recorder)).unwrap();
    let truth = recorder.finish();
    let mut folded: HashMap<EntityName, Fields> = HashMap::new();
    for (time, entity, changes, stated) in changes_of(&config) {
        let state = folded.entry(entity.clone()).or_default();
        for (field, value) in changes {
            match value {
                Some(value) => state.insert(field, value),
                None => state.remove(field),
            };
        }
        assert_eq!(*state, stated, "{entity} at {time}");
        assert_eq!(truth.state_at(&entity, time), stated, "{entity} at {time}");
    }
    assert_eq!(truth.entities().len(), folded.len());
}

#[test]
fn before_its_first_change_an_entity_has_no_state() {
    let mut recorder = TruthRecorder::default();
    generate(&skewed(2), &mut no_lines, Some(&mut recorder)).unwrap();
    let truth = recorder.finish();
    for entity in truth.entities() {
        let first = truth.times_of(&entity)[0];
        let before = Time::from_nanos(first.nanos() - 1);
        assert_eq!(truth.state_at(&entity, before), Fields::new(), "{entity}");
    }
    let stranger = "shop/order/o-1".parse().unwrap();
    assert_eq!(truth.state_at(&stranger, Time::MAX), Fields::new());
}

/// Clocks that differ put some changes of an order in another order than they happened in; were
/// it not so, the tests with skew would test nothing.
#[test]
fn skew_changes_what_the_state_is() {
    let last_states = |skew| -> BTreeMap<EntityName, Fields> {
        let config = ShopConfig { skew, ..skewed(2) };
        changes_of(&config).into_iter().map(|(_, entity, _, state)| (entity, state)).collect()
    };
    assert_ne!(last_states(Duration::ZERO), last_states(Duration::from_secs(30)));
}

#[test]
fn late_lines_do_not_touch_the_truth_and_repeated_ones_are_no_changes() {
    let orders = |late_share, repeat_share| ShopConfig {
        amount: Amount::Orders(100),
        late_share,
        repeat_share,
        ..skewed(8)
    };
    assert!(changes_of(&orders(0.0, 0.0)) == changes_of(&orders(0.9, 0.0)));
    let repeated = changes_of(&orders(0.0, 0.5));
    let moments: HashSet<_> = repeated.iter().map(|(time, entity, ..)| (time, entity)).collect();
    assert_eq!(moments.len(), repeated.len());
}

#[test]
fn every_type_of_value_and_unset_fields_occur() {
    let mut seen = HashSet::new();
    for (_, _, changes, _) in changes_of(&skewed(2)) {
        for (_, value) in changes {
            seen.insert(match value {
                Some(Value::Bool(_)) => "bool",
                Some(Value::Int(_)) => "int",
                Some(Value::Number(_)) => "number",
                Some(Value::Text(text)) if text.contains('"') && !text.is_ascii() => "hard text",
                Some(Value::Text(_)) => "text",
                None => "unset",
            });
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[test]
fn moments_are_the_same_for_a_seed_and_fall_on_changes_too() {
    let mut recorder = TruthRecorder::default();
    generate(&skewed(2), &mut no_lines, Some(&mut recorder)).unwrap();
    let truth = recorder.finish();
    let moments: Vec<_> = truth.moments(9, 1_000).collect();
    assert_eq!(moments, truth.moments(9, 1_000).collect::<Vec<_>>());
    let at_change = moments.iter().filter(|(entity, time)| truth.times_of(entity).contains(time));
    assert!(at_change.count() > 200);
    let entities: HashSet<_> = moments.iter().map(|(entity, _)| entity.entity_type()).collect();
    assert!(entities.len() >= 4, "{entities:?}");
}

#[test]
fn the_order_that_had_trouble_is_named_and_ends_refunded() {
    let mut recorder = TruthRecorder::default();
    let summary =
        generate(&ShopConfig::one_day(50_000), &mut no_lines, Some(&mut recorder)).unwrap();
    let truth = recorder.finish();
    let trouble = summary.trouble.unwrap();
    assert_eq!(trouble.order.as_str(), "shop/order/o-1042");
    for expected in ["payment declined", "shipment stuck", "refunded"] {
        assert!(trouble.story.contains(&expected), "{:?}", trouble.story);
    }
    let status = |entity: &EntityName| truth.state_at(entity, Time::MAX).remove("status");
    assert_eq!(status(&trouble.order), Some("refunded".into()));
    assert_eq!(status(&trouble.payment), Some("refunded".into()));
    assert_eq!(status(&trouble.shipment.unwrap()), Some("stuck".into()));
}

#[test]
fn the_file_of_the_truth_says_the_same() {
    let config = skewed(2);
    let mut file = TruthJsonl::new(Vec::new());
    generate(&config, &mut no_lines, Some(&mut file)).unwrap();
    let file = String::from_utf8(file.finish().unwrap()).unwrap();
    let changes = changes_of(&config);
    assert_eq!(file.lines().count(), changes.len());
    for (line, (time, entity, changes, state)) in file.lines().zip(changes) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["time"], time.to_string());
        assert_eq!(line["entity"], entity.as_str());
        assert_eq!(line["state"], serde_json::to_value(&state).unwrap());
        for (field, value) in changes {
            match value {
                Some(value) => assert_eq!(line["set"][field], serde_json::json!(value)),
                None => assert!(line["unset"].as_array().unwrap().contains(&field.into())),
            }
        }
    }
}

#[test]
fn a_sink_that_fails_ends_the_run() {
    struct Full;
    impl TruthSink for Full {
        fn change(&mut self, _: &TruthChange<'_>) -> std::io::Result<()> {
            Err(std::io::Error::other("no space left"))
        }
    }
    let mut lines = 0_u64;
    let mut count = |_: &LogLine<'_>| {
        lines += 1;
        Ok(())
    };
    let result = generate(&skewed(2), &mut count, Some(&mut Full));
    assert!(result.is_err());
    assert!(lines < 20_000, "the run went on");
}
