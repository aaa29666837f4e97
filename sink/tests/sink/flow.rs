//! What goes right: everything arrives, is committed, and can be looked at.

use rustix::process::Signal;
use statetrail_servers::Kafka;

use crate::support::{
    Sink, SinkSettings, Store, Topic, assert_stored, event, events, message, stored,
};

#[test]
fn everything_that_was_produced_is_stored_and_committed() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "all", 3);
    let store = Store::sqlite();
    let before = events(0..5000);
    topic.produce(&before);

    let sink = Sink::start_ready(&SinkSettings::new(&topic, &store));
    topic.produce(&events(5000..10_000));
    // Several events of one line travel in one message.
    let together = events(10_000..10_003);
    topic.send(
        None,
        Some(&message(&together)),
        &[("content-type", "application/cloudevents-batch+json")],
    );
    topic.flush();

    assert_stored(&store, &events(0..10_003));
    topic.wait_until_committed();
    assert_eq!(sink.metric("sink_messages_total"), 10_001.0);
    assert_eq!(sink.metric("sink_events_total"), 10_003.0);
    assert_eq!(sink.metric("sink_kafka_to_stored_seconds_count"), 10_001.0);
    assert_eq!(sink.metric("sink_partitions"), 3.0);
    assert_eq!(sink.get("/health/livez").unwrap().0, 200);
    assert_eq!(sink.get("/nowhere").unwrap().0, 404);
    crate::support::wait_until("no lag", || sink.metric("sink_in_flight_bytes") == 0.0);
    let ending = sink.stop();
    assert_eq!(ending.code, Some(0), "{}", ending.log);
}

#[test]
fn asked_to_stop_it_stores_and_commits_what_it_has_read() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "stop", 2);
    let store = Store::sqlite();
    let settings = SinkSettings::new(&topic, &store).with(&["--batch-linger", "1h"]);
    let sink = Sink::start_ready(&settings);
    topic.produce(&events(0..100));
    crate::support::wait_until("they are read", || sink.metric("sink_messages_total") == 100.0);
    assert!(stored(&store).is_empty());

    sink.signal(Signal::INT);
    let ending = sink.wait();
    assert_eq!(ending.code, Some(0), "{}", ending.log);
    assert_stored(&store, &events(0..100));
    assert!(topic.committed().iter().all(|(committed, end)| committed == end));
}

#[test]
fn known_at_is_the_time_at_which_kafka_took_the_message() {
    let kafka = Kafka::shared().unwrap();
    let appended = [("message.timestamp.type", "LogAppendTime")];
    let topic = Topic::with(kafka.brokers(), "time", 1, &appended);
    let store = Store::sqlite();
    let millis = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let from = millis();
    topic.produce(&[event(1)]);
    let to = millis();

    let _sink = Sink::start_ready(&SinkSettings::new(&topic, &store));
    assert_stored(&store, &[event(1)]);
    let known = stored(&store).into_values().next().unwrap();
    let known_millis = known.known_at.nanos() / 1_000_000;
    assert!((from..=to).contains(&known_millis), "{from} {known_millis} {to}");
}
