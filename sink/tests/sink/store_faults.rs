//! Cassandra dies, is silent, or loses one of three nodes, while messages come.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use statetrail_servers::{Cassandra, CassandraOptions, Kafka, Server};

use crate::faults::{MISSED_SOON, SMALL};
use crate::support::{
    Sink, SinkSettings, Store, Topic, assert_contents, events, known_millis, load, message,
    wait_until,
};

/// Longer than a member of the group may be silent and than a request to Cassandra may take.
const OUTAGE: Duration = Duration::from_secs(30);
/// The sink's promise for 5 million events that wait.
const RESIDENT_MAX: u64 = 64 << 20;

/// One node that tests break in turns. What it has acknowledged survives its death.
fn breakable() -> MutexGuard<'static, Cassandra> {
    static NODE: LazyLock<Mutex<Cassandra>> = LazyLock::new(|| {
        let options = CassandraOptions { survives_kill: true, ..CassandraOptions::default() };
        Mutex::new(Cassandra::start_with(1, &options).unwrap())
    });
    let cassandra = NODE.lock().unwrap_or_else(PoisonError::into_inner);
    // The test before may have ended early.
    if !cassandra.node(0).unwrap().is_running() {
        cassandra.restart(0).unwrap();
    }
    cassandra
}

/// Has a sink under load meet an outage, and compares everything afterwards.
fn outage(name: &str, begin: impl Fn(&Server), end: impl Fn(&Cassandra)) {
    let kafka = Kafka::shared().unwrap();
    let cassandra = breakable();
    let topic = Topic::new(kafka.brokers(), name, 3);
    let store = Store::in_cassandra(&cassandra, 1);
    let settings = SinkSettings::new(&topic, &store).with(&SMALL).with(&MISSED_SOON).with(&[
        "--batch-max-bytes=1MiB",
        "--memory-budget=2MiB",
        "--unready-after=2s",
        "--kafka-property=max.poll.interval.ms=10000",
    ]);
    let sink = Sink::start_ready(&settings);
    let produced = thread::scope(|scope| {
        let load = scope.spawn(|| load(&topic, 0..40_000, 1000));
        wait_until("it has stored some", || sink.metric("sink_events_total") >= 3000.0);
        begin(cassandra.node(0).unwrap());
        thread::sleep(OUTAGE);
        assert!(!sink.says_ready() && sink.get("/health/livez").unwrap().0 == 200);
        assert_eq!(sink.metric("sink_paused"), 1.0, "memory is bounded");
        assert_eq!(sink.metric("sink_partitions"), 3.0, "it stays in its group");
        end(&cassandra);
        wait_until("it is ready again", || sink.says_ready());
        load.join().unwrap()
    });
    topic.wait_until_committed();
    assert_contents(&store, &produced);
    assert_eq!(sink.metric("sink_dead_letters_total"), 0.0);
    assert_eq!(sink.stop().code, Some(0));
}

#[test]
fn cassandra_is_killed_and_started_again_under_load() {
    let kill = |node: &Server| node.kill().unwrap();
    outage("stopped", kill, |cassandra| cassandra.restart(0).unwrap());
}

#[test]
fn cassandra_is_silent_under_load() {
    let pause = |node: &Server| node.pause().unwrap();
    outage("silent", pause, |cassandra| cassandra.node(0).unwrap().resume().unwrap());
}

#[test]
fn one_of_three_nodes_is_lost_under_load() {
    let kafka = Kafka::shared().unwrap();
    let cassandra = Cassandra::start(3).unwrap();
    let topic = Topic::new(kafka.brokers(), "quorum", 3);
    let store = Store::in_cassandra(&cassandra, 3);
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store).with(&SMALL));
    let produced = thread::scope(|scope| {
        let load = scope.spawn(|| load(&topic, 0..20_000, 1000));
        wait_until("it has stored some", || sink.metric("sink_events_total") >= 3000.0);
        cassandra.node(2).unwrap().kill().unwrap();
        load.join().unwrap()
    });
    topic.wait_until_committed();
    assert!(sink.says_ready());
    assert_contents(&store, &produced);
    assert_eq!(sink.metric("sink_dead_letters_total"), 0.0);
    assert_eq!(sink.stop().code, Some(0));
    // It missed much and answers again.
    cassandra.restart(2).unwrap();
    assert_contents(&store, &produced);
}

#[test]
fn much_that_waits_takes_little_memory() {
    const WAITING: u64 = 300_000;
    let kafka = Kafka::shared().unwrap();
    let cassandra = breakable();
    let topic = Topic::new(kafka.brokers(), "waiting", 3);
    let store = Store::in_cassandra(&cassandra, 1);
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store));
    cassandra.node(0).unwrap().kill().unwrap();
    let values: Vec<Vec<u8>> = events(0..1000).chunks(1).map(message).collect();
    for number in 0..WAITING {
        let value = &values[number as usize % values.len()];
        topic.send_at(Some(known_millis(number)), None, Some(value), &[]);
    }
    topic.flush();

    let mut most = 0;
    let mut sample = || most = sink.resident_bytes().max(most);
    wait_until("it sees what waits and tries on", || {
        sample();
        sink.metric("sink_paused") == 1.0
            && sink.metric("sink_lag_messages") == WAITING as f64
            && sink.metric("sink_retries_total") >= 8.0
    });
    println!("{} KiB resident with {WAITING} events waiting", most >> 10);
    assert!(most < RESIDENT_MAX, "{most} bytes resident");
}
