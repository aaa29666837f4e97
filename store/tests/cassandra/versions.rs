//! Stores that older versions made: what the last program of each wrote is kept as statements, and
//! is read right for good.

use std::collections::BTreeMap;

use statetrail_event::{Change, EntityName, State, Time};
use statetrail_store::cassandra::{Address, CassandraStore, Migrated, Plan, migrate};
use statetrail_store::{
    EntityFilter, EventStore, KnownEvent, StoreError, TimelineQuery, TrailQuery,
};

use crate::cluster::{address, assert_told, block_on, event, plan, session};

/// What version 1 wrote when it was given [`sample`] for a store with [`plan`].
const VERSION_1: &str = include_str!("version-1.cql");

/// The events of the samples: two kinds of entities, over days, some at the same moment, with a
/// field that is taken away, and one in ten known an hour late.
fn sample() -> Vec<KnownEvent> {
    let of_number = |number: i64| {
        let entity = if number % 3 == 0 {
            "depot/parcel/p-1"
        } else {
            ["shop/order/o-1", "shop/order/o-2"][number as usize % 2]
        };
        let seconds = 1_795_341_600 + number / 4 * 7_000;
        let time = Time::from_seconds(seconds, 123_456_789).unwrap();
        let mut known = event(entity, time, "step", number);
        known.event.changes.push(match number % 5 {
            0 => Change::unset("status"),
            state => Change::set("status", format!("it's s{state}").as_str()),
        });
        if number % 10 == 7 {
            known.known_at = Time::from_nanos(time.nanos() + 3_600_000_000_000);
        }
        known
    };
    (1..=40).map(of_number).collect()
}

/// Makes a keyspace by the statements of a sample, one after the other.
async fn restore(sample: &str, address: &Address) {
    let lines = sample.lines().filter(|line| !line.starts_with("--"));
    let statements = lines.collect::<Vec<_>>().join("\n");
    let statements: Vec<&str> = statements.split(';').map(str::trim).collect();
    execute(&statements[..statements.len() - 1], address).await;
}

async fn execute(statements: &[&str], address: &Address) {
    let session = session().await;
    for statement in statements {
        let statement = statement.replace("KEYSPACE_NAME", &address.keyspace);
        session.query_unpaged(statement, ()).await.unwrap();
    }
}

/// Compares every answer about a store with the events that it was given.
async fn assert_holds(address: &Address, events: &[KnownEvent]) {
    let store = CassandraStore::connect(address).await.unwrap();
    let mut trails: BTreeMap<EntityName, Vec<KnownEvent>> = BTreeMap::new();
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|known| known.event.key());
    for known in &sorted {
        trails.entry(known.event.entity.clone()).or_default().push(known.clone());
    }
    assert_eq!(store.timeline(&TimelineQuery::default()).await.unwrap(), sorted);
    let entities = store.entities(&EntityFilter::default(), None, 100).await.unwrap();
    assert_eq!(entities.len(), trails.len());
    for (entity, (name, trail)) in entities.iter().zip(&trails) {
        assert_eq!(&entity.name, name);
        assert_eq!(&store.trail(name, &TrailQuery::default()).await.unwrap(), trail);
        let (first, last) = (&trail[0].event, &trail[trail.len() - 1].event);
        assert_eq!((entity.first, entity.last), (first.time, last.time), "{name}");
        let mut state = State::new();
        for KnownEvent { event, .. } in trail {
            state.apply(event.key(), &event.changes);
            let then = store.state_at(name, event.key(), None).await.unwrap();
            assert_eq!(then.as_ref(), Some(&state), "{name} at {}", event.time);
        }
        assert_eq!(entity.state, state, "{name}");
    }
    assert_eq!(store.counts().await.unwrap().events, sorted.len() as u64);
}

#[test]
fn a_store_of_version_1_is_taken_to_this_one() {
    let address = address("version_1");
    block_on(async {
        restore(VERSION_1, &address).await;
        let refused = CassandraStore::connect(&address).await.unwrap_err();
        assert!(matches!(refused, StoreError::Outdated { found: 1, .. }), "{refused:?}");
        assert_told(&refused, &["has format 1", "run statetrail migrate --store cassandra://"]);
        let other = Plan { rate: 100_000, ..plan() };
        let refused = migrate(&address, &other).await.unwrap_err();
        assert!(matches!(refused, StoreError::OtherSettings { .. }), "{refused}");

        let upgraded = migrate(&address, &plan()).await.unwrap();
        let Migrated::Upgraded { from: 1, settings } = upgraded else { panic!("{upgraded:?}") };
        assert_eq!(settings.plan, plan());
        let mut events = sample();
        assert_holds(&address, &events).await;
        assert_eq!(migrate(&address, &plan()).await.unwrap(), Migrated::Unchanged(settings));
        assert_holds(&address, &events).await;

        // What is written from now on counts beside what is there as if one program had written all.
        let store = CassandraStore::connect(&address).await.unwrap();
        let end = store.arrivals_end().await.unwrap();
        events[0].known_at = Time::from_nanos(events[0].known_at.nanos() - 1);
        let later = Time::from_nanos(events[1].known_at.nanos() + 1);
        let late_copy = KnownEvent { known_at: later, ..events[1].clone() };
        events.push(event("shop/order/o-1", events[20].event.time, "step", 41));
        let written = [events[0].clone(), late_copy, events[40].clone()];
        store.write(&written).await.unwrap();
        assert_holds(&address, &events).await;
        let arrived = store.arrivals(&end, 10).await.unwrap();
        assert_eq!(arrived.events.len(), written.len());
    });
}

/// What a step has done by its last statements is undone, more of it each time.
#[test]
fn a_step_that_was_interrupted_is_completed() {
    let address = address("interrupted");
    block_on(async {
        restore(VERSION_1, &address).await;
        migrate(&address, &plan()).await.unwrap();
        let undo = [
            "UPDATE KEYSPACE_NAME.settings SET value = '1' WHERE name = 'schema_version'",
            "DELETE FROM KEYSPACE_NAME.settings WHERE name = 'schema_usable_by'",
            "DROP TABLE KEYSPACE_NAME.arrivals",
            "DROP TABLE KEYSPACE_NAME.streams",
        ];
        for undone in 1..=undo.len() {
            execute(&undo[..undone], &address).await;
            let refused = CassandraStore::connect(&address).await.unwrap_err();
            assert!(matches!(refused, StoreError::Outdated { .. }), "{undone}: {refused}");
            let upgraded = migrate(&address, &plan()).await.unwrap();
            assert!(matches!(upgraded, Migrated::Upgraded { from: 1, .. }), "{undone}");
            assert_holds(&address, &sample()).await;
            let store = CassandraStore::connect(&address).await.unwrap();
            let end = store.arrivals_end().await.unwrap();
            // Another one each time: a copy of one that has arrived does not arrive again.
            store.write(&sample()[undone..=undone]).await.unwrap();
            assert_eq!(store.arrivals(&end, 10).await.unwrap().events.len(), 1, "{undone}");
        }
    });
}

/// What a later version may do while programs of this one are at work.
#[test]
fn a_newer_store_that_lets_this_version_in_is_used_and_left_as_it_is() {
    let address = address("added_to");
    block_on(async {
        let made = migrate(&address, &plan()).await.unwrap();
        let Migrated::Created(settings) = made else { panic!("{made:?}") };
        let open = CassandraStore::connect(&address).await.unwrap();
        let events = sample();
        let (before, after) = events.split_at(20);
        open.write(before).await.unwrap();
        let step = [
            "ALTER TABLE KEYSPACE_NAME.events ADD IF NOT EXISTS trace text",
            "CREATE TABLE IF NOT EXISTS KEYSPACE_NAME.tags (tag text PRIMARY KEY)",
            "INSERT INTO KEYSPACE_NAME.settings (name, value) VALUES ('tags', 'few')",
            "UPDATE KEYSPACE_NAME.settings SET value = '99' WHERE name = 'schema_version'",
        ];
        execute(&step, &address).await;
        open.write(after).await.unwrap();
        assert_holds(&address, &events).await;
        assert_eq!(migrate(&address, &plan()).await.unwrap(), Migrated::Unchanged(settings));
        let ask = format!(
            "SELECT value FROM {}.settings WHERE name = 'schema_version'",
            address.keyspace
        );
        let rows = session().await.query_unpaged(ask, ()).await.unwrap();
        let rows = rows.into_rows_result().unwrap();
        assert_eq!(rows.single_row::<(String,)>().unwrap().0, "99");
    });
}
