//! Kafka dies and comes back, or its topic grows, while messages come.

use std::thread;

use statetrail_servers::Kafka;

use crate::faults::SMALL;
use crate::support::{
    Sink, SinkSettings, Store, Topic, assert_contents, assert_stored, event, events, load,
    wait_until,
};

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

/// The second sink has no partition.
#[test]
fn kafka_that_is_away_is_told_by_every_sink_and_comes_back() {
    let kafka = Kafka::start().unwrap();
    let topic = Topic::new(kafka.brokers(), "gone", 1);
    let store = Store::sqlite();
    let settings = SinkSettings::new(&topic, &store).with(&["--unready-after=1s"]);
    let sinks = [Sink::start_ready(&settings), Sink::start_ready(&settings)];
    let server = kafka.server().unwrap();
    for (number, is_silent) in [(1, false), (2, true)] {
        let begin = if is_silent { server.pause() } else { server.kill() };
        begin.unwrap();
        for sink in &sinks {
            wait_until("it says that Kafka is away", || {
                sink.get("/health/readyz").is_some_and(|(status, reason)| {
                    status == 503 && reason.contains("Kafka has been away for")
                })
            });
            assert_eq!(sink.get("/health/livez").unwrap().0, 200);
        }
        let end = if is_silent { server.resume() } else { server.restart() };
        end.unwrap();
        for sink in &sinks {
            wait_until("it is ready again", || sink.says_ready());
        }
        topic.produce(&[event(number)]);
        assert_stored(&store, &events(1..=number));
    }
    for sink in sinks {
        assert_eq!(sink.stop().code, Some(0));
    }
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
