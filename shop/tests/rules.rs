//! The shop's rule file over the shop's lines gives the states of the shop's truth.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use statetrail_event::{EntityName, Event, State, Time, Value};
use statetrail_rules::{ContainerName, Extractor, Line, Origin, RuleSet, RuleText, ScopeId};
use statetrail_shop::{
    CONTAINER, LineKind, LogLine, NAMESPACE, Pod, ShopConfig, Truth, TruthRecorder, generate,
};

const SHOP_RULES: &str = include_str!("../../fluent-bit/rules/shop.yaml");

/// Reads the shop's lines with the shop's rules.
struct Reader {
    rules: RuleSet,
    scope: ScopeId,
    extractor: Extractor,
    origins: HashMap<usize, Origin>,
}

impl Reader {
    fn new() -> Reader {
        let text = RuleText { name: "shop.yaml".to_owned(), text: SHOP_RULES.to_owned() };
        let (mut rules, faults) = RuleSet::parse(&[text]);
        assert!(faults.is_empty(), "{faults:?}");
        let scope = rules.scope(NAMESPACE, CONTAINER).expect("the shop has rules");
        Reader { rules, scope, extractor: Extractor::new(), origins: HashMap::new() }
    }

    fn read(&mut self, line: &LogLine<'_>) -> Vec<Event> {
        let origin = self.origins.entry(line.pod.index).or_insert_with(|| origin_of(line.pod));
        let mut events = Vec::new();
        let line = Line { bytes: line.text, time: line.time, position: 0, offset: None };
        let outcome = self.extractor.events(&self.rules, self.scope, origin, &line, &mut events);
        assert_eq!(outcome.failed, 0, "{}", String::from_utf8_lossy(line.bytes));
        events
    }
}

fn origin_of(pod: &Pod) -> Origin {
    let name = ContainerName { namespace: NAMESPACE, pod: &pod.name, container: CONTAINER };
    Origin::container(name, Some(pod.node), None)
}

/// A run with everything that makes it hard: clocks seconds apart, lines late and twice.
fn hard_run(seed: u64) -> ShopConfig {
    ShopConfig {
        seed,
        skew: Duration::from_secs(20),
        late_share: 0.5,
        repeat_share: 0.05,
        ..ShopConfig::one_day(60_000)
    }
}

/// The state that the events up to a moment give.
fn fold(events: &[Event], time: Time) -> BTreeMap<String, Value> {
    let mut state = State::new();
    for event in events.iter().filter(|event| event.time <= time) {
        state.apply(event.key(), &event.changes);
    }
    state.fields().map(|(field, value, _)| (field.to_owned(), value.clone())).collect()
}

fn truth_at(truth: &Truth, entity: &EntityName, time: Time) -> BTreeMap<String, Value> {
    let state = truth.state_at(entity, time);
    state.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}

#[test]
fn states_from_the_log_are_the_true_ones() {
    let mut reader = Reader::new();
    let mut trails: HashMap<EntityName, Vec<Event>> = HashMap::new();
    let mut lines = |line: &LogLine<'_>| {
        for event in reader.read(line) {
            trails.entry(event.entity.clone()).or_default().push(event);
        }
        Ok(())
    };
    let mut truth = TruthRecorder::default();
    generate(&hard_run(5), &mut lines, Some(&mut truth)).unwrap();
    let truth = truth.finish();

    assert_eq!(trails.len(), truth.entities().len(), "entities");
    let last = truth.entities().map(|entity| (entity, Time::MAX));
    for (entity, time) in truth.moments(5, 20_000).chain(last) {
        let from_log = trails.get(&entity).map(|trail| fold(trail, time)).unwrap_or_default();
        assert_eq!(from_log, truth_at(&truth, &entity, time), "{entity} at {time}");
    }
}

#[test]
fn a_line_is_read_by_the_rule_of_its_kind_and_noise_by_none() {
    let mut reader = Reader::new();
    let mut read = vec![false; LineKind::ALL.len()];
    let mut lines = |line: &LogLine<'_>| {
        let text = String::from_utf8_lossy(line.text);
        let events = reader.read(line);
        read[line.kind as usize] = true;
        if line.kind.changes().is_none() {
            assert!(events.is_empty(), "noise gave an event: {text}");
            return Ok(());
        }
        let expected = format!("shop.yaml/{}", line.kind.name());
        let first = events.first().unwrap_or_else(|| panic!("no event from {text}"));
        assert_eq!(first.rule.as_deref(), Some(expected.as_str()), "{text}");
        Ok(())
    };
    let config = ShopConfig::one_day(100_000);
    generate(&config, &mut lines, None).unwrap();
    for kind in LineKind::ALL.iter().filter(|kind| kind.changes().is_some()) {
        assert!(read[*kind as usize], "no line of kind {}", kind.name());
    }
}

#[test]
fn card_data_leaves_no_trace_in_events() {
    let mut reader = Reader::new();
    let mut with_card = 0;
    let mut lines = |line: &LogLine<'_>| {
        let number = b"4000 0000";
        let holds_card = line.text.windows(number.len()).any(|part| part == number);
        if !holds_card {
            return Ok(());
        }
        with_card += 1;
        for event in reader.read(line) {
            let kept = event.line.unwrap_or_default();
            assert!(!kept.contains("4000 0000"), "{kept}");
            assert!(kept.contains(r#""number":"***","holder":"***""#), "{kept}");
        }
        Ok(())
    };
    generate(&ShopConfig::one_day(20_000), &mut lines, None).unwrap();
    assert!(with_card > 50, "only {with_card} lines with a card");
}
