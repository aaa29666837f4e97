//! What may break does: every event is stored once all the same.

use std::thread;

use rusqlite::Connection;
use rustix::process::Signal;
use statetrail_servers::Kafka;
use tempfile::tempdir;

use crate::support::{
    Sink, SinkSettings, Topic, assert_stored, event, events, message, shuffled, stored, wait_until,
};

/// Small batches, so that a kill meets many of them.
const SMALL: [&str; 4] = ["--batch-max-events", "500", "--batch-linger", "20ms"];

#[test]
fn killed_again_and_again_under_load() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "kill", 3);
    let folder = tempdir().unwrap();
    let store = folder.path().join("store.db");
    let settings = SinkSettings::new(&topic, &store).with(&SMALL);
    let produced = events(0..20_000);
    thread::scope(|scope| {
        scope.spawn(|| produced.chunks(2000).for_each(|part| topic.produce(part)));
        for kill in 1..=4 {
            let sink = Sink::start(&settings);
            // It dies in the middle of its work, at another place each time.
            let enough = f64::from(500 * kill);
            wait_until("it has stored some", || sink.metric("sink_events_total") >= enough);
            sink.kill();
        }
    });
    let sink = Sink::start_ready(&settings);
    assert_stored(&store, &produced);
    topic.wait_until_committed();
    assert_eq!(sink.stop().code, Some(0));
}

#[test]
fn sinks_come_and_go_under_load() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "group", 6);
    let folder = tempdir().unwrap();
    let store = folder.path().join("store.db");
    // A sink that was killed is missed soon.
    let session = ["--kafka-property", "session.timeout.ms=6000"];
    let settings = SinkSettings::new(&topic, &store).with(&SMALL).with(&session);
    let produced = events(0..20_000);
    thread::scope(|scope| {
        scope.spawn(|| produced.chunks(1000).for_each(|part| topic.produce(part)));
        let first = Sink::start_ready(&settings);
        let second = Sink::start_ready(&settings);
        let share = |sink: &Sink, count| sink.metric("sink_partitions") == count;
        wait_until("two share", || share(&first, 3.0) && share(&second, 3.0));
        let third = Sink::start_ready(&settings);
        wait_until("three share", || {
            share(&first, 2.0) && share(&second, 2.0) && share(&third, 2.0)
        });
        let ending = first.stop();
        assert_eq!(ending.code, Some(0), "{}", ending.log);
        second.kill();
        wait_until("one has all", || share(&third, 6.0));
        assert_stored(&store, &produced);
        topic.wait_until_committed();
        assert_eq!(third.stop().code, Some(0));
    });
}

#[test]
fn a_sink_without_a_partition_is_ready() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "spare", 1);
    let folder = tempdir().unwrap();
    let settings = SinkSettings::new(&topic, &folder.path().join("store.db"));
    let first = Sink::start_ready(&settings);
    let second = Sink::start_ready(&settings);
    wait_until("one has the partition", || {
        first.metric("sink_partitions") + second.metric("sink_partitions") == 1.0
    });
}

#[test]
fn kafka_is_killed_and_started_again_under_load() {
    let kafka = Kafka::start().unwrap();
    let topic = Topic::new(kafka.brokers(), "restart", 3);
    let folder = tempdir().unwrap();
    let store = folder.path().join("store.db");
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store).with(&SMALL));
    let produced = events(0..20_000);
    thread::scope(|scope| {
        scope.spawn(|| produced.chunks(1000).for_each(|part| topic.produce(part)));
        wait_until("it has stored some", || sink.metric("sink_events_total") >= 2000.0);
        kafka.server().unwrap().kill().unwrap();
        kafka.server().unwrap().restart().unwrap();
    });
    assert_stored(&store, &produced);
    topic.wait_until_committed();
    assert_eq!(sink.stop().code, Some(0));
}

#[test]
fn a_partition_is_added_under_load() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "grow", 1);
    let folder = tempdir().unwrap();
    let store = folder.path().join("store.db");
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store));
    topic.produce(&events(0..1000));
    topic.grow(4);
    let produced = events(0..5000);
    wait_until("the new partitions are ours", || sink.metric("sink_partitions") == 4.0);
    topic.produce(&produced[1000..]);
    assert_stored(&store, &produced);
    topic.wait_until_committed();
}

#[test]
fn every_message_twice_in_any_order_and_the_topic_once_more_change_nothing() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "twice", 3);
    let folder = tempdir().unwrap();
    let store = folder.path().join("store.db");
    let produced = events(0..3000);
    let twice: Vec<_> = (0..3000).chain(0..3000).collect();
    for number in shuffled(twice) {
        // Spread over partitions without a key: nothing may depend on where an entity's events are.
        topic.send(None, Some(&message(&[event(number)])), &[]);
    }
    topic.flush();
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store));
    topic.wait_until_committed();
    assert_stored(&store, &produced);
    let before = stored(&store);
    assert_eq!(sink.stop().code, Some(0));

    let again = SinkSettings::new(&topic, &store).with(&["--kafka-group", "again"]);
    let sink = Sink::start_ready(&again);
    wait_until("all is read again", || sink.metric("sink_events_total") == 6000.0);
    assert_eq!(sink.stop().code, Some(0));
    assert_eq!(stored(&store), before, "known-at included");
}

#[test]
fn a_store_that_is_away_is_waited_for_with_little_memory() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "away", 3);
    let folder = tempdir().unwrap();
    let store = folder.path().join("store.db");
    let settings = SinkSettings::new(&topic, &store).with(&[
        "--memory-budget=1MiB",
        "--batch-max-bytes=256KiB",
        "--unready-after=100ms",
        "--drain-timeout=1s",
    ]);
    let sink = Sink::start_ready(&settings);
    let other = Connection::open(&store).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let produced = events(0..20_000);
    topic.produce(&produced);

    wait_until("reading pauses", || sink.metric("sink_paused") == 1.0);
    wait_until("it tells", || sink.get("/health/readyz").is_some_and(|(status, _)| status == 503));
    let (_, reason) = sink.get("/health/readyz").unwrap();
    assert!(reason.contains("the store has been away"), "{reason}");
    assert_eq!(sink.get("/health/livez").unwrap().0, 200);
    let bytes = sink.metric("sink_in_flight_bytes");
    assert!(bytes <= f64::from(1 << 20) + 1000.0, "{bytes}");
    assert!(sink.metric("sink_retries_total") >= 1.0);
    wait_until("the lag is told", || sink.metric("sink_lag_messages") == 20_000.0);
    assert!(sink.resident_bytes() < 64 << 20, "{}", sink.resident_bytes());

    // Asked to stop while the store is away, it says what is not stored.
    sink.signal(Signal::TERM);
    let ending = sink.wait();
    assert_eq!(ending.code, Some(17), "{}", ending.log);
    assert!(ending.log.contains("offsets up to"), "{}", ending.log);

    let sink = Sink::start(&settings.with(&["--drain-timeout=20s"]));
    wait_until("it waits for the store", || sink.log().contains("the store"));
    other.execute_batch("ROLLBACK").unwrap();
    assert_stored(&store, &produced);
    topic.wait_until_committed();
    assert_eq!(sink.stop().code, Some(0));
}
