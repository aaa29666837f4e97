//! A store that gets a newer form while sinks write into it, and sinks that are restarted one after
//! the other then: nothing is lost, nothing is there twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use statetrail_servers::Kafka;

use crate::faults::{MISSED_SOON, SMALL};
use crate::support::{
    Produced, Sink, SinkSettings, Store, Topic, WITHIN, assert_contents, load, wait_until,
};

const EVENTS_A_SECOND: u32 = 1_500;

/// What a later version may add while sinks of this one are at work: its own version comes last, and
/// who may use the store stays as it was.
const STEP: [&str; 3] = [
    "ALTER TABLE KEYSPACE_NAME.events ADD IF NOT EXISTS trace text",
    "CREATE TABLE IF NOT EXISTS KEYSPACE_NAME.traces (trace text PRIMARY KEY, entities set<text>)",
    "UPDATE KEYSPACE_NAME.settings SET value = '99' WHERE name = 'schema_version'",
];
/// What it writes where sinks of this one would do harm.
const CLOSED: &str =
    "UPDATE KEYSPACE_NAME.settings SET value = '99' WHERE name = 'schema_usable_by'";
/// What the first version wrote last.
const OLD: &str = "UPDATE KEYSPACE_NAME.settings SET value = '1' WHERE name = 'schema_version'";

#[test]
fn a_newer_form_and_a_rolling_restart_under_load() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "upgrade", 6);
    let store = Store::cassandra();
    let settings = SinkSettings::new(&topic, &store).with(&SMALL).with(&MISSED_SOON);
    let restarted = AtomicBool::new(false);
    let produced = thread::scope(|scope| {
        let load = scope.spawn(|| load_until(&topic, &restarted));
        let (first, second) = (Sink::start_ready(&settings), Sink::start_ready(&settings));
        store_some([&first, &second]);
        store.execute(&STEP);
        store_some([&first, &second]);
        let first = restart(first, &settings);
        store_some([&first, &second]);
        let second = restart(second, &settings);
        store_some([&first, &second]);
        assert!(!load.is_finished(), "the load ended before the sinks were restarted");
        restarted.store(true, Ordering::Relaxed);
        let produced = load.join().unwrap();
        topic.wait_until_committed();
        for sink in [first, second] {
            assert_eq!(sink.stop().code, Some(0));
        }
        produced
    });
    assert_contents(&store, &produced);

    for (statement, told) in [
        (CLOSED, "has format 99, this program reads format"),
        (OLD, "run statetrail migrate --store cassandra://"),
    ] {
        store.execute(&[statement]);
        let refused = Sink::start(&settings).wait();
        assert_eq!(refused.code, Some(16), "{}", refused.log);
        assert!(refused.log.contains(told), "no {told:?} in: {}", refused.log);
    }
}

/// Steady load, second by second, until it is told to stop, or for as long as tests wait.
fn load_until(topic: &Topic, stop: &AtomicBool) -> Produced {
    let mut produced = Produced::default();
    let a_second = u64::from(EVENTS_A_SECOND);
    for second in 0..WITHIN.as_secs() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let numbers = second * a_second..(second + 1) * a_second;
        produced.add(load(topic, numbers, EVENTS_A_SECOND));
    }
    produced
}

/// Waits until each of them has stored more than it has now.
fn store_some(sinks: [&Sink; 2]) {
    for sink in sinks {
        let before = sink.metric("sink_events_total");
        wait_until("it stores more", || sink.metric("sink_events_total") >= before + 500.0);
    }
}

/// As a rollout does it: asked to stop, and started again.
fn restart(sink: Sink, settings: &SinkSettings) -> Sink {
    let ending = sink.stop();
    assert_eq!(ending.code, Some(0), "{}", ending.log);
    Sink::start_ready(settings)
}
