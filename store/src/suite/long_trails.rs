//! Long trails: whatever a store does to answer fast must not change an answer (invariant I5).

use statetrail_event::{Change, EntityName, Event, EventId, OrderKey, Source, State, Time};

use super::{Model, Subject};
use crate::{EventStore, KnownEvent, Order, TrailQuery};

const EVENTS: u64 = 5_000;
const FIELDS: u64 = 7;
const BATCH: usize = 300;
const MOMENTS: u64 = 300;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index as u64 + 1) as usize);
        }
    }
}

fn name() -> EntityName {
    EntityName::new("shop", "stock", "sku-7").expect("a valid name")
}

/// A trail in which each event sets or unsets one field, several of them in one moment; each
/// was known a little after it happened.
fn trail() -> Vec<KnownEvent> {
    let mut numbers = Numbers(1);
    let event = |n: u64| {
        let field = format!("field-{}", numbers.below(FIELDS));
        let change = match numbers.below(5) {
            0 => Change::unset(field),
            _ => Change::set(field, n as i64),
        };
        let time = Time::from_nanos((n / 3) as i64 * 1_000);
        let event = Event {
            id: EventId((n as u128).to_be_bytes()),
            entity: name(),
            name: "moved".into(),
            time,
            seq: n % 3,
            changes: vec![change],
            source: Source { uri: "/shop".into(), ..Source::default() }.into(),
            offset: None,
            rule: None,
            line: Some(format!("line {n}")),
        };
        let known_at = Time::from_nanos(time.nanos() + 500 + numbers.below(3_000) as i64);
        KnownEvent { event, known_at }
    };
    (0..EVENTS).map(event).collect()
}

/// Appends the events in batches and compares the store with the model on the way and at the
/// end.
fn check(subject: &dyn Subject, events: &[KnownEvent], batch: usize) {
    subject.run(Box::pin(async {
        let (store, model) = (subject.fresh(), Model::default());
        let mut numbers = Numbers(2);
        for batch in events.chunks(batch) {
            store.append(batch).await.expect("stored");
            model.append(batch).await.expect("stored");
            compare_states(&*store, &model, 3, &mut numbers).await;
        }
        compare_states(&*store, &model, MOMENTS, &mut numbers).await;
        compare_pages(&*store, &model).await;
    }));
}

async fn compare_states(
    store: &dyn EventStore,
    model: &Model,
    moments: u64,
    numbers: &mut Numbers,
) {
    let last = EVENTS as i64 / 3 * 1_000;
    for _ in 0..moments {
        let at = Time::from_nanos(numbers.below(last as u64 + 2_000) as i64 / 500 * 500 - 1_000);
        let as_known_at = match numbers.below(3) {
            0 => None,
            _ => Some(Time::from_nanos(at.nanos() + numbers.below(4_000) as i64 - 500)),
        };
        for key in [OrderKey::end_of(at), OrderKey::start_of(at)] {
            let found = store.state_at(&name(), key, as_known_at).await.expect("read");
            let wanted = model.state_at(&name(), key, as_known_at).await.expect("read");
            assert_eq!(found, wanted, "at {key:?} as known at {as_known_at:?}");
        }
    }
    let state = |entity: Option<crate::Entity>| -> Option<State> { Some(entity?.state) };
    let found = state(store.entity(&name()).await.expect("read"));
    assert_eq!(found, state(model.entity(&name()).await.expect("read")));
}

async fn compare_pages(store: &dyn EventStore, model: &Model) {
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let query = TrailQuery { order, ..TrailQuery::default() };
        let all = model.trail(&name(), &query).await.expect("read");
        let mut paged: Vec<KnownEvent> = Vec::new();
        let mut query = TrailQuery { limit: 777, ..query };
        loop {
            let page = store.trail(&name(), &query).await.expect("read");
            let Some(last) = page.last() else { break };
            let behind = std::ops::Bound::Excluded(last.event.key());
            match order {
                Order::OldestFirst => query.from = behind,
                Order::NewestFirst => query.to = behind,
            }
            paged.extend(page);
        }
        assert_eq!(paged, all);
    }
}

/// As a log is usually read.
pub fn a_long_trail_in_order(subject: &dyn Subject) {
    check(subject, &trail(), BATCH);
}

/// As rotated files are read when the newest one comes first.
pub fn a_long_trail_newest_first(subject: &dyn Subject) {
    let mut events = trail();
    events.reverse();
    check(subject, &events, BATCH);
}

/// Each event is late for most of the others.
pub fn a_long_trail_shuffled(subject: &dyn Subject) {
    let mut events = trail();
    Numbers(3).shuffle(&mut events);
    check(subject, &events, BATCH);
}

/// One event in ten comes when all the others are there, and became known only then.
pub fn a_long_trail_with_late_events(subject: &dyn Subject) {
    let mut numbers = Numbers(4);
    let (mut late, mut events): (Vec<_>, Vec<_>) =
        trail().into_iter().partition(|_| numbers.below(10) == 0);
    for known in &mut late {
        known.known_at = Time::from_nanos(EVENTS as i64 * 1_000);
    }
    events.extend(late);
    check(subject, &events, BATCH);
}

/// The whole trail arrives at once, and once more.
pub fn a_long_trail_in_one_batch(subject: &dyn Subject) {
    let mut events = trail();
    events.extend(trail());
    check(subject, &events, usize::MAX);
}
