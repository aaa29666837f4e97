//! Retention: what is too old is not stored, and goes away from every answer at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use statetrail_event::{EntityName, OrderKey, State, Time};
use statetrail_store::cassandra::{CassandraStore, Patience, Plan, Retention, migrate};
use statetrail_store::{
    Appended, Counts, EntityFilter, EventStore, KnownEvent, NamePart, StoreError, TimelineQuery,
    TrailQuery,
};

use crate::cluster::{address, block_on, event, now, plan, session};

const KEPT: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(30);

fn open(keyspace: &str) -> CassandraStore {
    let mut retention = Retention::default();
    for stated in ["shop=2s", "kept=90d"] {
        retention.state(stated).unwrap();
    }
    let address = address(keyspace);
    block_on(async {
        migrate(&address, &Plan { retention, ..plan() }).await.unwrap();
        CassandraStore::connect(&address).await.unwrap()
    })
}

/// Waits for the first or the second half of a second of the clock.
fn wait_for_half(second: bool) {
    let halves = if second { 550..800 } else { 50..300 };
    while !halves.contains(&(now().nanos() / 1_000_000 % 1_000)) {
        std::thread::yield_now();
    }
}

/// Cassandra keeps the one of two cells that goes later, before it looks at their values.
#[test]
fn of_events_of_a_moment_the_last_one_counts_whenever_they_were_written() {
    let store = open("same_moment");
    let half = Time::from_nanos(now().nanos() / 1_000_000_000 * 1_000_000_000 - 500_000_000);
    for (entity, last_one_first) in [("kept/order/o-1", true), ("kept/order/o-2", false)] {
        let [paid, mut shipped] = [1, 2].map(|value| event(entity, half, "status", value));
        shipped.event.seq = 1;
        block_on(async {
            for is_last in [last_one_first, !last_one_first] {
                // Written in the first half of a second, a row would go a second later.
                wait_for_half(is_last);
                let written = if is_last { &shipped } else { &paid };
                store.write(std::slice::from_ref(written)).await.unwrap();
            }
            let name = &paid.event.entity;
            let folded = store.state_at(name, OrderKey::MAX, Some(Time::MAX)).await.unwrap();
            assert_eq!(store.entity(name).await.unwrap().map(|it| it.state), folded);
        });
    }
}

#[test]
fn what_is_gone_from_every_answer_gives_its_room_back() {
    let keyspace = address("forgets").keyspace;
    let patience = Patience { forgotten_after: Duration::ZERO, ..Patience::default() };
    let store = open("forgets").beside(1, patience);
    let batch = ["shop/order/o-1", "kept/order/o-2", "audit/order/o-3"]
        .map(|entity| event(entity, now(), "status", 1));
    block_on(async {
        store.write(&batch).await.unwrap();
        let asked = Instant::now();
        while store.entity(&batch[0].event.entity).await.unwrap().is_some() {
            assert!(asked.elapsed() < DEADLINE);
        }
        store.tend().await.unwrap();
        let rows = session().await;
        let select = format!("SELECT entity, last, state FROM {keyspace}.entities");
        let rows = rows.query_unpaged(select, ()).await.unwrap().into_rows_result().unwrap();
        type Columns = (String, Option<i64>, Option<BTreeMap<String, Vec<u8>>>);
        let is_kept = |row: Columns| row.1.is_some() || row.2.is_some();
        let mut kept: Vec<String> = rows
            .rows::<Columns>()
            .unwrap()
            .map(Result::unwrap)
            .filter_map(|row| is_kept(row.clone()).then_some(row.0))
            .collect();
        kept.sort();
        assert_eq!(kept, ["audit/order/o-3", "kept/order/o-2"]);
    });
}

fn ago(time: Time, age: Duration) -> Time {
    Time::from_nanos(time.nanos() - age.as_nanos() as i64)
}

#[test]
fn what_is_too_old_is_not_stored() {
    let store = open("too_old");
    let old = ago(now(), 2 * KEPT);
    let batch =
        [event("shop/order/o-1", old, "status", 1), event("audit/order/o-1", old, "status", 1)];
    block_on(async {
        assert_eq!(store.append(&batch).await.unwrap(), Appended { new: 1, repeated: 1 });
        assert_eq!(store.counts().await.unwrap(), Counts { entities: 1, events: 1 });
        assert_eq!(store.entity(&batch[0].event.entity).await.unwrap(), None);
        assert!(store.entity(&batch[1].event.entity).await.unwrap().is_some());
    });
}

/// Every answer about the entity, as the events that it still has.
async fn answers(store: &dyn EventStore, name: &EntityName) -> Result<Answers, StoreError> {
    let all = EntityFilter { namespace: Some("shop".into()), ..EntityFilter::default() };
    let timeline = TimelineQuery { entities: all.clone(), ..TimelineQuery::default() };
    let listed = store.entities(&all, None, 10).await?;
    Ok(Answers {
        entity: store.entity(name).await?.map(|entity| entity.state),
        listed: listed.into_iter().next().map(|entity| entity.state),
        named: store.names(&NamePart::Id(name.id()), None, 10).await?.len(),
        begun: store.names(&NamePart::IdPrefix("o-"), None, 10).await?.len(),
        state: store.state_at(name, OrderKey::MAX, None).await?,
        // By all that is known, but not from the current state.
        folded: store.state_at(name, OrderKey::MAX, Some(Time::MAX)).await?,
        trail: store.trail(name, &TrailQuery::default()).await?,
        timeline: store.timeline(&timeline).await?,
    })
}

#[derive(Debug, PartialEq)]
struct Answers {
    entity: Option<State>,
    listed: Option<State>,
    named: usize,
    begun: usize,
    state: Option<State>,
    folded: Option<State>,
    trail: Vec<KnownEvent>,
    timeline: Vec<KnownEvent>,
}

impl Answers {
    /// The answers when these are the events.
    fn of(events: &[KnownEvent]) -> Answers {
        let mut state = None;
        for KnownEvent { event, .. } in events {
            state.get_or_insert_with(State::new).apply(event.key(), &event.changes);
        }
        let there = usize::from(!events.is_empty());
        Answers {
            entity: state.clone(),
            listed: state.clone(),
            named: there,
            begun: there,
            state: state.clone(),
            folded: state,
            trail: events.to_vec(),
            timeline: events.to_vec(),
        }
    }
}

#[test]
fn what_expires_goes_from_every_answer_and_leaves_no_wrong_state() {
    let store = open("expires");
    let begun = now();
    let times = [1_500, 1_000, 0].map(|millis| ago(begun, Duration::from_millis(millis)));
    let events: Vec<KnownEvent> = [("status", 1), ("amount", 2), ("status", 3)]
        .into_iter()
        .zip(times)
        .map(|((field, value), time)| event("shop/order/o-1", time, field, value))
        .collect();
    let name = &events[0].event.entity;
    // Each answer is one of those that are right when the first of the events are gone.
    let right: Vec<Answers> = (0..=3).map(|gone| Answers::of(&events[gone..])).collect();
    block_on(async {
        store.write(&events).await.unwrap();
        let asked = Instant::now();
        loop {
            let before = now();
            let answers = answers(&store, name).await.unwrap();
            let after = now();
            let gone = |at: Time| times.iter().filter(|time| **time < ago(at, KEPT)).count();
            // Where one expired meanwhile, answers may be of both.
            if gone(before) == gone(after) {
                assert_eq!(answers, right[gone(after)], "{} of 3 are gone", gone(after));
            }
            if gone(before) == 3 {
                break;
            }
            assert!(asked.elapsed() < DEADLINE);
        }
    });
}
