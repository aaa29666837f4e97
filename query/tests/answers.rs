//! Every answer equals what a person would work out from the list of events, by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeMap;

use pollster::block_on;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use statetrail_event::{EntityName, Event, OrderKey, Time, Value};
use statetrail_query::{
    Blame, Condition, Difference, Find, Moment, Timeline, Trail, blame, differences, state,
};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::suite::Model;
use statetrail_store::suite::events::{batches, entity_names, time};
use statetrail_store::{EntityFilter, EventStore, KnownEvent, Order, TimelineQuery};

/// The events that anybody knows of, each once, known as early as any copy of it.
struct World {
    events: BTreeMap<(EntityName, OrderKey), KnownEvent>,
}

type Values = BTreeMap<String, (Value, OrderKey)>;

impl World {
    fn new(arrivals: &[KnownEvent]) -> World {
        let mut events: BTreeMap<_, KnownEvent> = BTreeMap::new();
        for known in arrivals {
            let key = (known.event.entity.clone(), known.event.key());
            let stored = events.entry(key).or_insert_with(|| known.clone());
            stored.known_at = stored.known_at.min(known.known_at);
        }
        World { events }
    }

    fn names(&self) -> Vec<EntityName> {
        let mut names: Vec<_> = self.events.keys().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }

    /// An entity's events up to a moment, in order.
    fn events_of(&self, name: &EntityName, moment: Moment) -> Vec<&KnownEvent> {
        let counts = |known: &&KnownEvent| {
            known.event.entity == *name
                && known.event.time <= moment.at
                && moment.as_known_at.is_none_or(|known_at| known.known_at <= known_at)
        };
        self.events.values().filter(counts).collect()
    }

    /// The fields with a value after those events, and who set them.
    fn values<'a>(events: impl IntoIterator<Item = &'a Event>) -> Values {
        let mut values = Values::new();
        for event in events {
            for change in &event.changes {
                match &change.value {
                    Some(value) => {
                        values.insert(change.field.to_string(), (value.clone(), event.key()));
                    }
                    None => {
                        values.remove(&*change.field);
                    }
                }
            }
        }
        values
    }

    fn values_at(&self, name: &EntityName, moment: Moment) -> Option<Values> {
        let events = self.events_of(name, moment);
        (!events.is_empty()).then(|| World::values(events.into_iter().map(|known| &known.event)))
    }
}

fn values_of(state: &statetrail_event::State) -> Values {
    state.fields().map(|(field, value, by)| (field.to_owned(), (value.clone(), by))).collect()
}

fn difference_of(from: &Values, to: &Values) -> Vec<Difference> {
    let mut fields: Vec<&String> = from.keys().chain(to.keys()).collect();
    fields.sort();
    fields.dedup();
    let value = |values: &Values, field: &String| values.get(field).map(|(value, _)| value.clone());
    fields
        .into_iter()
        .map(|field| Difference {
            field: field.as_str().into(),
            from: value(from, field),
            to: value(to, field),
        })
        .filter(|difference| difference.from != difference.to)
        .collect()
}

fn moment() -> impl Strategy<Value = Moment> {
    (time(), proptest::option::of(time())).prop_map(|(at, as_known_at)| Moment { at, as_known_at })
}

/// Random arrivals, stored in the model and in SQLite.
struct Stores {
    world: World,
    model: Model,
    sqlite: SqliteStore,
    _folder: tempfile::TempDir,
}

impl Stores {
    fn with(batches: &[Vec<KnownEvent>]) -> Stores {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(&folder.path().join("store.db")).unwrap();
        let model = Model::default();
        for batch in batches {
            block_on(sqlite.append(batch)).unwrap();
            block_on(model.append(batch)).unwrap();
        }
        Stores { world: World::new(&batches.concat()), model, sqlite, _folder: folder }
    }

    fn both(&self) -> [&dyn EventStore; 2] {
        [&self.model, &self.sqlite]
    }
}

fn all_pages<T>(mut next_page: impl FnMut() -> Option<Vec<T>>) -> Vec<T> {
    let mut all = Vec::new();
    while let Some(page) = next_page() {
        assert!(!page.is_empty(), "a page has something or there is none");
        all.extend(page);
    }
    assert!(next_page().is_none(), "the end stays the end");
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn states_and_blame_are_those_of_the_events(batches in batches(), moments in vec(moment(), 8)) {
        let stores = Stores::with(&batches);
        for store in stores.both() {
            for (name, moment) in entity_names().iter().flat_map(|name| moments.iter().map(move |moment| (name, *moment))) {
                let expected = stores.world.values_at(name, moment);
                let found = block_on(state(store, name, moment)).unwrap();
                prop_assert_eq!(found.as_ref().map(values_of), expected.clone());

                let lines = block_on(blame(store, name, moment)).unwrap();
                let expected: Option<Vec<Blame>> = expected.map(|values| {
                    let line = |(field, (value, by)): (String, (Value, OrderKey))| {
                        let by = stores.world.events[&(name.clone(), by)].clone();
                        Blame { field: field.into(), value, by }
                    };
                    values.into_iter().map(line).collect()
                });
                prop_assert_eq!(lines, expected);
            }
        }
    }

    #[test]
    fn each_step_of_a_trail_shows_what_it_changed(
        batches in batches(), from in time(), moment in moment(), page in 1_usize..4,
        order in select(vec![Order::OldestFirst, Order::NewestFirst]),
    ) {
        let stores = Stores::with(&batches);
        for store in stores.both() {
            for name in stores.world.names() {
                let range = (from, moment.at);
                let mut trail =
                    Trail::new(store, name.clone(), range, moment.as_known_at, order).with_page(page);
                let mut steps = all_pages(|| block_on(trail.next_page()).unwrap());
                if order == Order::NewestFirst {
                    steps.reverse();
                }
                let events = stores.world.events_of(&name, moment);
                let in_range = events.iter().filter(|known| known.event.time >= from);
                prop_assert_eq!(steps.iter().map(|step| &step.known).collect::<Vec<_>>(), in_range.copied().collect::<Vec<_>>());
                for step in &steps {
                    let key = step.known.event.key();
                    let until = |inclusive: bool| {
                        let before = events.iter().map(|known| &known.event);
                        World::values(before.filter(|event| event.key() < key || (inclusive && event.key() == key)))
                    };
                    prop_assert_eq!(values_of(&step.state), until(true));
                    prop_assert_eq!(&step.changed, &difference_of(&until(false), &until(true)));
                }
            }
        }
    }

    #[test]
    fn differences_are_the_fields_that_differ(batches in batches(), a in moment(), b in moment()) {
        let stores = Stores::with(&batches);
        let names = stores.world.names();
        for (left, right) in names.iter().zip(names.iter().cycle().skip(1)) {
            let state = |name, moment| block_on(state(&stores.sqlite, name, moment)).unwrap().unwrap_or_default();
            let values = |name, moment| stores.world.values_at(name, moment).unwrap_or_default();
            for (left, right) in [((left, a), (left, b)), ((left, a), (right, a))] {
                prop_assert_eq!(
                    differences(&state(left.0, left.1), &state(right.0, right.1)),
                    difference_of(&values(left.0, left.1), &values(right.0, right.1))
                );
            }
        }
    }

    #[test]
    fn find_looks_at_the_state_of_the_moment(
        batches in batches(), moment in moment(), page in 1_usize..5,
        text in select(vec!["status", "!status", "status=paid", "status!=paid", "amount>0", "amount<=0", "größe=true"]),
    ) {
        let condition: Condition = text.parse().unwrap();
        let stores = Stores::with(&batches);
        for store in stores.both() {
            for conditions in [vec![], vec![condition.clone()]] {
                let mut find = Find::new(store, EntityFilter::default(), conditions.clone(), moment).with_page(page);
                let found = all_pages(|| block_on(find.next_page()).unwrap());
                let found: Vec<_> = found.iter().map(|found| (found.name.clone(), values_of(&found.state))).collect();
                let fulfils = |values: &Values| conditions.iter().all(|_| holds(text, values));
                let expected: Vec<_> = stores.world.names().into_iter().filter_map(|name| {
                    let values = stores.world.values_at(&name, moment)?;
                    fulfils(&values).then_some((name, values))
                }).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn the_timeline_has_every_event_once(batches in batches(), from in time(), moment in moment(), page in 1_usize..5) {
        let stores = Stores::with(&batches);
        for store in stores.both() {
            let Moment { at: to, as_known_at } = moment;
            let query = TimelineQuery { from, to, as_known_at, limit: page, ..TimelineQuery::default() };
            let mut timeline = Timeline::new(store, query);
            let mut found = all_pages(|| block_on(timeline.next_page()).unwrap());
            prop_assert!(found.is_sorted_by_key(|known| known.event.key()));
            found.sort_by_key(|known| (known.event.entity.clone(), known.event.key()));
            let names = stores.world.names();
            let expected: Vec<_> = names.iter().flat_map(|name| stores.world.events_of(name, moment))
                .filter(|known| known.event.time >= from).cloned().collect();
            prop_assert_eq!(found, expected);
        }
    }
}

/// The conditions of the test above, by hand.
fn holds(condition: &str, values: &Values) -> bool {
    let value = |field: &str| values.get(field).map(|(value, _)| value);
    let amount = || match value("amount") {
        Some(Value::Int(number)) => Some(*number as f64),
        Some(Value::Number(number)) => Some(number.get()),
        _ => None,
    };
    // Other values compare as texts, and all the random texts but the empty one are above "0".
    let other = || match value("amount") {
        Some(Value::Text(text)) => Some(text.to_string()),
        Some(Value::Bool(truth)) => Some(truth.to_string()),
        _ => None,
    };
    match condition {
        "status" => value("status").is_some(),
        "!status" => value("status").is_none(),
        "status=paid" => value("status") == Some(&Value::text("paid")),
        "status!=paid" => value("status") != Some(&Value::text("paid")),
        "amount>0" => {
            amount().is_some_and(|n| n > 0.0) || other().is_some_and(|text| !text.is_empty())
        }
        "amount<=0" => {
            amount().is_some_and(|n| n <= 0.0) || other().is_some_and(|text| text.is_empty())
        }
        "größe=true" => matches!(value("größe"), Some(Value::Bool(true))),
        _ => panic!("{condition} is not among the conditions of the test"),
    }
}

#[test]
fn a_moment_is_inclusive_and_now_is_after_everything() {
    let at = |nanos| Moment::at(Time::from_nanos(nanos));
    let stores = Stores::with(&[vec![placed(10, "new"), placed(20, "paid")]]);
    let name: EntityName = "shop/order/o-1042".parse().unwrap();
    let status = |moment| {
        let state = block_on(state(&stores.sqlite, &name, moment)).unwrap();
        state.map(|state| state.get("status").unwrap().to_string())
    };
    assert_eq!(status(at(9)), None);
    assert_eq!(status(at(10)).as_deref(), Some("new"));
    assert_eq!(status(at(19)).as_deref(), Some("new"));
    assert_eq!(status(at(20)).as_deref(), Some("paid"));
    assert_eq!(status(Moment::NOW).as_deref(), Some("paid"));
}

fn placed(nanos: i64, status: &str) -> KnownEvent {
    let time = Time::from_nanos(nanos);
    let event = Event {
        id: statetrail_event::EventId([1; 16]),
        entity: "shop/order/o-1042".parse().unwrap(),
        name: "placed".into(),
        time,
        seq: 0,
        changes: vec![statetrail_event::Change::set("status", status)],
        source: Default::default(),
        offset: None,
        rule: None,
        line: None,
    };
    KnownEvent { event, known_at: time }
}
