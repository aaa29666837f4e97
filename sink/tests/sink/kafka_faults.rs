//! Kafka dies and comes back, or its topic grows, while messages come.

use std::thread;

use statetrail_servers::Kafka;

use crate::faults::SMALL;
use crate::support::{Sink, SinkSettings, Store, Topic, assert_contents, load, wait_until};

#[test]
fn kafka_is_killed_and_started_again_under_load() {
    let kafka = Kafka::start().unwrap();
    let topic = Topic::new(kafka.brokers(), "restart", 3);
    let store = Store::cassandra();
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store).with(&SMALL));
    let server = kafka.server().unwrap();
    let produced = thread::scope(|scope| {
        let load = scope.spawn(|| load(&topic, 0..30_000, 2000));
        let has_stored = |count| {
            wait_until("it has stored some", || sink.metric("sink_events_total") >= count);
        };
        has_stored(2000.0);
        server.kill().unwrap();
        server.restart().unwrap();
        has_stored(12_000.0);
        server.restart().unwrap();
        load.join().unwrap()
    });
    topic.wait_until_committed();
    assert_contents(&store, &produced);
    assert_eq!(sink.stop().code, Some(0));
}

#[test]
fn partitions_are_added_under_load() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "grow", 1);
    let store = Store::cassandra();
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store).with(&SMALL));
    let produced = thread::scope(|scope| {
        let load = scope.spawn(|| load(&topic, 0..20_000, 2000));
        wait_until("it has stored some", || sink.metric("sink_events_total") >= 2000.0);
        topic.grow(4);
        wait_until("the new partitions are its own", || sink.metric("sink_partitions") == 4.0);
        load.join().unwrap()
    });
    topic.wait_until_committed();
    assert!(topic.committed().iter().all(|(_, end)| *end > 0), "all have messages");
    assert_contents(&store, &produced);
    assert_eq!(sink.stop().code, Some(0));
}
