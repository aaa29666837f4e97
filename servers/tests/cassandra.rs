//! Cassandra starts, keeps what it was given through faults, and asks for passwords and TLS.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::time::{Duration, Instant};

use openssl::ssl::{SslContext, SslContextBuilder, SslMethod, SslVerifyMode};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;
use statetrail_servers::{Cassandra, CassandraOptions};

/// Long enough for a machine that is busy with other tests.
const WITHIN: Duration = Duration::from_secs(120);
const CREATE_KEYSPACE: &str = "CREATE KEYSPACE k WITH replication = \
    {'class': 'NetworkTopologyStrategy', 'replication_factor': ";

fn builder(cassandra: &Cassandra) -> SessionBuilder {
    SessionBuilder::new().known_nodes(cassandra.contact_points())
}

async fn connect(cassandra: &Cassandra) -> Session {
    builder(cassandra).build().await.unwrap()
}

async fn create_table(session: &Session, replicas: usize) {
    session.query_unpaged(format!("{CREATE_KEYSPACE}{replicas}}}"), ()).await.unwrap();
    session.query_unpaged("CREATE TABLE k.t (id int PRIMARY KEY)", ()).await.unwrap();
}

async fn insert(session: &Session, id: i32, consistency: Consistency) -> Result<(), String> {
    let mut insert = Statement::new("INSERT INTO k.t (id) VALUES (?)");
    insert.set_consistency(consistency);
    insert.set_is_idempotent(true);
    insert.set_request_timeout(Some(Duration::from_secs(5)));
    session.query_unpaged(insert, (id,)).await.map(drop).map_err(|error| error.to_string())
}

/// As a client does it that may meet a node which does not answer, or is taken for dead by others
/// until they hear of it: tries again.
async fn insert_at_last(session: &Session, id: i32, consistency: Consistency) {
    let begun = Instant::now();
    while let Err(error) = insert(session, id, consistency).await {
        assert!(begun.elapsed() < WITHIN, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn ids(session: &Session) -> Vec<i32> {
    let mut select = Statement::new("SELECT id FROM k.t");
    select.set_consistency(Consistency::Quorum);
    let rows = session.query_unpaged(select, ()).await.unwrap().into_rows_result().unwrap();
    let mut ids: Vec<i32> = rows.rows::<(i32,)>().unwrap().map(|row| row.unwrap().0).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_there_after_a_kill_and_a_restart_on_the_same_ports() {
    let options = CassandraOptions { survives_kill: true, ..CassandraOptions::default() };
    let cassandra = Cassandra::start_with(1, &options).unwrap();
    let session = connect(&cassandra).await;
    create_table(&session, 1).await;
    insert_at_last(&session, 1, Consistency::One).await;
    let node = cassandra.node(0).unwrap();

    node.kill().unwrap();
    cassandra.restart(0).unwrap();
    let session = connect(&cassandra).await;
    insert_at_last(&session, 2, Consistency::One).await;
    node.stop().unwrap();
    cassandra.restart(0).unwrap();

    assert_eq!(ids(&connect(&cassandra).await).await, [1, 2]);
    assert!(node.cpu_time().unwrap() > Duration::ZERO);
    println!("{} MiB resident", node.resident_bytes().unwrap() >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_nodes_one_can_be_lost_and_comes_back() {
    let cassandra = Cassandra::start(3).unwrap();
    let session = connect(&cassandra).await;
    create_table(&session, 3).await;
    insert_at_last(&session, 1, Consistency::All).await;

    cassandra.node(2).unwrap().pause().unwrap();
    insert_at_last(&session, 2, Consistency::Quorum).await;
    assert!(insert(&session, 3, Consistency::All).await.is_err());
    cassandra.node(2).unwrap().resume().unwrap();
    cassandra.node(1).unwrap().kill().unwrap();
    cassandra.wait_until_joined().unwrap();
    insert_at_last(&session, 4, Consistency::Quorum).await;
    cassandra.restart(1).unwrap();
    insert_at_last(&session, 5, Consistency::All).await;

    // Whether the refused row 3 was written by the other two depends on whether the coordinator
    // still took the paused node for alive.
    let mut ids = ids(&session).await;
    ids.retain(|id| *id != 3);
    assert_eq!(ids, [1, 2, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_asks_for_a_password_and_for_tls() {
    let options = CassandraOptions { password: true, tls: true, ..CassandraOptions::default() };
    let cassandra = Cassandra::start_with(1, &options).unwrap();
    let tls = || Some(trusting(cassandra.ca_pem().unwrap()));
    let with = |password: &str| builder(&cassandra).user("cassandra", password);

    assert!(with("cassandra").build().await.is_err(), "without TLS");
    assert!(with("wrong").tls_context(tls()).build().await.is_err(), "with the wrong password");
    let session = with("cassandra").tls_context(tls()).build().await.unwrap();
    create_table(&session, 1).await;
    insert_at_last(&session, 1, Consistency::One).await;
    assert_eq!(ids(&session).await, [1]);
}

fn trusting(ca_pem: &Path) -> SslContext {
    let mut context = SslContextBuilder::new(SslMethod::tls_client()).unwrap();
    context.set_ca_file(ca_pem).unwrap();
    context.set_verify(SslVerifyMode::PEER);
    context.build()
}

#[test]
fn operations_that_do_not_fit_say_why() {
    let cassandra = Cassandra::start(1).unwrap();
    let missing = cassandra.node(1).unwrap_err().to_string();
    assert_eq!(missing, "there is no node 1: the cluster has 1, counted from 0");
    let node = cassandra.node(0).unwrap();
    node.kill().unwrap();
    let killed_twice = node.kill().unwrap_err().to_string();
    assert_eq!(killed_twice, "cassandra-0 cannot kill: it is stopped");
}
