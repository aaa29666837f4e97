//! Nodes that are killed, paused or stopped: what a quorum holds goes on, and what cannot be
//! written may be written again.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::statement::unprepared::Statement;
use statetrail_event::Time;
use statetrail_servers::Cassandra;
use statetrail_store::cassandra::{Address, CassandraStore, Plan, migrate};
use statetrail_store::{Arrived, EventStore, KnownEvent, StoreError, TrailQuery};
use tokio::time::timeout;

use crate::cluster::{address_in, assert_told, block_on, event, plan};

const ENTITY: &str = "shop/order/o-1";
/// Within this time a cluster that is whole again is found to be.
const BACK_WITHIN: Duration = Duration::from_secs(120);

fn nth(number: i64) -> KnownEvent {
    event(ENTITY, Time::from_seconds(1_790_000_000 + number, 0).unwrap(), "number", number)
}

/// Asks again, as whoever uses a store does, while it says that the same may succeed later.
async fn at_last<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(refused) => {
                assert!(refused.is_retryable(), "{refused:?}");
                assert!(begun.elapsed() < BACK_WITHIN, "{refused}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn trail(store: &dyn EventStore) -> Vec<KnownEvent> {
    let name = ENTITY.parse().unwrap();
    at_last(async || store.trail(&name, &TrailQuery::default()).await).await
}

/// One node claims to know another schema. As long as it does, nothing is made.
async fn migrate_waits_for_nodes_that_disagree(
    cassandra: &Cassandra,
    address: &Address,
    plan: &Plan,
) {
    let odd = &cassandra.contact_points()[1];
    let session = SessionBuilder::new().known_node(odd).build().await.unwrap();
    let odd = NodeIdentifier::NodeAddress(odd.parse().unwrap());
    let on_it = async |statement: String| {
        let mut statement = Statement::new(statement);
        let policy = SingleTargetLoadBalancingPolicy::new(odd.clone(), None);
        statement.set_load_balancing_policy(Some(policy));
        session.query_unpaged(statement, ()).await.unwrap()
    };
    let keyspaces = async || {
        let statement = "SELECT keyspace_name FROM system_schema.keyspaces";
        on_it(statement.to_owned()).await.into_rows_result().unwrap().rows_num()
    };
    let claim = |version: &str| {
        format!("UPDATE system.local SET schema_version = {version} WHERE key = 'local'")
    };
    let version = session.await_schema_agreement().await.unwrap().to_string();
    let before = keyspaces().await;
    on_it(claim("00000000-0000-4000-8000-000000000001")).await;
    let migrated = timeout(Duration::from_secs(3), migrate(address, plan)).await;
    assert!(migrated.is_err(), "{migrated:?}");
    assert_eq!(keyspaces().await, before);
    on_it(claim(&version)).await;
    // Three nodes on a busy machine may take their time to agree on tables; repeating is
    // harmless, as it is for a user.
    at_last(async || migrate(address, plan).await).await;
    assert_eq!(keyspaces().await, before + 1);
}

#[test]
fn two_of_three_nodes_are_enough() {
    let cassandra = Cassandra::start(3).unwrap();
    let address = address_in(&cassandra, "three", "");
    let plan = Plan { replication: "3".parse().unwrap(), ..plan() };
    let mut written = Vec::new();
    block_on(async {
        migrate_waits_for_nodes_that_disagree(&cassandra, &address, &plan).await;
        let store = CassandraStore::connect(&address).await.unwrap();
        let mut go_on = async |store: &CassandraStore| {
            for _ in 0..3 {
                let next = nth(written.len() as i64);
                at_last(async || store.write(std::slice::from_ref(&next)).await).await;
                written.push(next);
                assert_eq!(trail(store).await, written);
            }
        };
        go_on(&store).await;
        cassandra.node(2).unwrap().kill().unwrap();
        go_on(&store).await;
        // Whoever comes now finds a way in too.
        go_on(&at_last(async || CassandraStore::connect(&address).await).await).await;
        cassandra.restart(2).unwrap();

        cassandra.node(1).unwrap().pause().unwrap();
        go_on(&store).await;
        go_on(&at_last(async || CassandraStore::connect(&address).await).await).await;
        cassandra.node(1).unwrap().resume().unwrap();
        go_on(&store).await;

        cassandra.node(1).unwrap().kill().unwrap();
        cassandra.node(2).unwrap().kill().unwrap();
        let refused = store.write(&[nth(1_000)]).await.unwrap_err();
        assert!(refused.is_retryable(), "{refused:?}");
        assert_told(&refused, &["cassandra://", "does not answer"]);
    });
}

#[test]
fn what_a_stopped_cluster_refused_is_written_once_it_is_back() {
    let cassandra = Cassandra::start(1).unwrap();
    let address = address_in(&cassandra, "stopped", "");
    block_on(async {
        migrate(&address, &plan()).await.unwrap();
        let store = CassandraStore::connect(&address).await.unwrap();
        let from = store.arrivals_end().await.unwrap();
        store.write(&[nth(0)]).await.unwrap();
        cassandra.node(0).unwrap().stop().unwrap();
        for _ in 0..2 {
            let refused = store.write(&[nth(1)]).await.unwrap_err();
            assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused:?}");
            assert!(refused.is_retryable());
            assert_told(&refused, &["cassandra://", "does not answer"]);
        }
        cassandra.restart(0).unwrap();
        at_last(async || store.write(&[nth(1)]).await).await;
        assert_eq!(trail(&store).await, [nth(0), nth(1)]);
        let arrived = at_last(async || store.arrivals(&from, 10).await).await.events;
        let arrived: Vec<_> = arrived.into_iter().map(|arrived| arrived.known).collect();
        assert_eq!(arrived, [nth(0), nth(1)]);
    });
}

/// Whoever writes does not know of a request that was under way whether it was carried out.
#[test]
fn what_is_written_while_a_node_comes_and_goes_arrives_once() {
    const BATCHES: i64 = 400;
    const EVENTS: i64 = 25;
    let cassandra = Cassandra::start(1).unwrap();
    let address = address_in(&cassandra, "comes_and_goes", "");
    block_on(async {
        migrate(&address, &plan()).await.unwrap();
        let store = CassandraStore::connect(&address).await.unwrap();
        let reader = CassandraStore::connect(&address).await.unwrap();
        let from = reader.arrivals_end().await.unwrap();
        let write = async || {
            let writes = (0..BATCHES).map(async |number| {
                let batch: Vec<_> = (number * EVENTS..(number + 1) * EVENTS).map(nth).collect();
                at_last(async || store.write(&batch).await).await;
            });
            let mut writes = std::pin::pin!(stream::iter(writes).buffer_unordered(8));
            while writes.next().await.is_some() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let disturb = async || {
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                cassandra.node(0).unwrap().pause().unwrap();
                tokio::time::sleep(Duration::from_secs(7)).await;
                cassandra.node(0).unwrap().resume().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(1_000)).await;
            // A node that is killed forgets what it has not written to its disk yet.
            cassandra.node(0).unwrap().stop().unwrap();
            cassandra.restart(0).unwrap();
        };
        let read = async || {
            let (mut next, mut numbers) = (from.clone(), Vec::new());
            let begun = Instant::now();
            while numbers.len() < (BATCHES * EVENTS) as usize && begun.elapsed() < BACK_WITHIN {
                let page = at_last(async || reader.arrivals(&next, 300).await).await;
                next = page.next;
                let key = |arrived: Arrived| arrived.known.event.key();
                numbers.extend(page.events.into_iter().map(key));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            (numbers, next)
        };
        let ((mut arrived, next), (), ()) = futures::join!(read(), write(), disturb());
        let rest = at_last(async || reader.arrivals(&next, 300).await).await;
        assert_eq!(rest.events, []);
        arrived.sort();
        let mut wanted: Vec<_> = (0..BATCHES * EVENTS).map(|n| nth(n).event.key()).collect();
        wanted.sort();
        assert!(arrived == wanted, "each once");
    });
}
