//! Sinks that die, come and go, and messages that come more than once: every event is stored once
//! all the same.

use std::thread;

use rusqlite::Connection;
use rustix::process::Signal;
use statetrail_servers::Kafka;

use crate::support::{
    Contents, Produced, Sink, SinkSettings, Store, Topic, assert_contents, assert_stored, event,
    events, known_millis, load, shuffled, wait_until,
};

/// Small batches, so that a fault meets many of them.
pub(crate) const SMALL: [&str; 4] = ["--batch-max-events", "500", "--batch-linger", "20ms"];
/// A sink that is gone is missed as soon as Kafka lets it be.
pub(crate) const MISSED_SOON: [&str; 2] = ["--kafka-property", "session.timeout.ms=6000"];

#[test]
fn killed_again_and_again_under_load() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "kill", 3);
    let store = Store::cassandra();
    // Whoever comes again under its old name gets its partitions at once.
    let same_member = ["--kafka-property", "group.instance.id=one"];
    let settings = SinkSettings::new(&topic, &store).with(&SMALL).with(&same_member);
    let mut produced = Produced::default();
    for kill in 1..=10 {
        // However much it stores before it is looked at, there is enough for each of them.
        let numbers = (kill - 1) * 4000..kill * 4000;
        produced.add(thread::scope(|scope| {
            let load = scope.spawn(|| load(&topic, numbers, 4000));
            let sink = Sink::start(&settings);
            // It dies in the middle of its work, at another place each time.
            let enough = 300.0 * kill as f64;
            wait_until("it has stored some", || sink.metric("sink_events_total") >= enough);
            sink.kill();
            load.join().unwrap()
        }));
    }
    let sink = Sink::start_ready(&settings);
    topic.wait_until_committed();
    assert_contents(&store, &produced);
    assert_eq!(sink.stop().code, Some(0));
}

#[test]
fn sinks_come_and_go_under_load() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "group", 6);
    let store = Store::cassandra();
    let settings = SinkSettings::new(&topic, &store).with(&SMALL).with(&MISSED_SOON);
    let share = |sinks: &[&Sink]| {
        let each = 6.0 / sinks.len() as f64;
        wait_until(&format!("{} sinks share", sinks.len()), || {
            sinks.iter().all(|sink| sink.metric("sink_partitions") == each)
        });
    };
    thread::scope(|scope| {
        let load = scope.spawn(|| load(&topic, 0..40_000, 1500));
        let first = Sink::start_ready(&settings);
        let second = Sink::start_ready(&settings);
        share(&[&first, &second]);
        let third = Sink::start_ready(&settings);
        share(&[&first, &second, &third]);
        let ending = first.stop();
        assert_eq!(ending.code, Some(0), "{}", ending.log);
        share(&[&second, &third]);
        second.kill();
        // Joins while Kafka still waits for the one that was killed.
        let fourth = Sink::start_ready(&settings);
        share(&[&third, &fourth]);
        let fifth = Sink::start_ready(&settings);
        share(&[&third, &fourth, &fifth]);
        third.kill();
        let ending = fourth.stop();
        assert_eq!(ending.code, Some(0), "{}", ending.log);
        share(&[&fifth]);
        let produced = load.join().unwrap();
        topic.wait_until_committed();
        assert_contents(&store, &produced);
        assert_eq!(fifth.stop().code, Some(0));
    });
}

#[test]
fn a_sink_without_a_partition_is_ready() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "spare", 1);
    let store = Store::sqlite();
    let settings = SinkSettings::new(&topic, &store);
    let first = Sink::start_ready(&settings);
    let second = Sink::start_ready(&settings);
    wait_until("one has the partition", || {
        first.metric("sink_partitions") + second.metric("sink_partitions") == 1.0
    });
}

#[test]
fn every_message_twice_in_any_order_and_the_topic_once_more_change_nothing() {
    const EVENTS: u64 = 10_000;
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "twice", 3);
    let store = Store::cassandra();
    let mut produced = Produced::default();
    for number in shuffled((0..2 * EVENTS).collect()) {
        // Spread over partitions without a key: nothing may depend on where an entity's events are.
        let event = event(number % EVENTS);
        produced.send(&topic, None, &[event], known_millis(number));
    }
    topic.flush();
    let settings = SinkSettings::new(&topic, &store).with(&SMALL);
    let sink = Sink::start_ready(&settings);
    topic.wait_until_committed();
    let before = Contents::of(&store);
    before.assert_is(&produced.contents());
    assert_eq!(sink.stop().code, Some(0));

    topic.rewind();
    let sink = Sink::start_ready(&settings);
    let all = 2.0 * EVENTS as f64;
    wait_until("all is stored again", || sink.metric("sink_events_total") == all);
    Contents::of(&store).assert_is(&before);
    topic.wait_until_committed();
    assert_eq!(sink.stop().code, Some(0));
}

#[test]
fn a_file_that_is_locked_is_waited_for_with_little_memory() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "away", 3);
    let store = Store::sqlite();
    let settings = SinkSettings::new(&topic, &store).with(&[
        "--memory-budget=1MiB",
        "--batch-max-bytes=256KiB",
        "--unready-after=100ms",
        "--drain-timeout=1s",
    ]);
    let sink = Sink::start_ready(&settings);
    let other = Connection::open(store.path()).unwrap();
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
