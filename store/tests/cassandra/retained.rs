//! Retention: what is too old is not stored, and goes away from every answer at once.

use std::time::{Duration, Instant};

use statetrail_event::{EntityName, OrderKey, State, Time};
use statetrail_store::cassandra::{CassandraStore, Plan, Retention, migrate};
use statetrail_store::{
    Appended, Counts, EntityFilter, EventStore, KnownEvent, NamePart, StoreError, TimelineQuery,
    TrailQuery,
};

use crate::cluster::{address, block_on, event, now, plan};

const KEPT: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(30);

fn open(keyspace: &str) -> CassandraStore {
    let mut retention = Retention::default();
    retention.state("shop=2s").unwrap();
    let address = address(keyspace);
    block_on(async {
        migrate(&address, &Plan { retention, ..plan() }).await.unwrap();
        CassandraStore::connect(&address).await.unwrap()
    })
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
        named: store.names(&NamePart::Id(name.id()), 10).await?.len(),
        begun: store.names(&NamePart::IdPrefix("o-"), 10).await?.len(),
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
