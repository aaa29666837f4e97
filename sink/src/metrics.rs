//! What can be measured, in the text format of Prometheus.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use statetrail_store::Traffic;

type Count = Counter<u64, AtomicU64>;
type Level = Gauge<i64, AtomicI64>;

/// A partition as labels.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PartitionLabels {
    topic: String,
    partition: i32,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TargetLabels {
    target: &'static str,
}

/// The metrics. Each is written by one thread or is atomic.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Messages read.
    pub messages: Count,
    /// Events stored.
    pub events: Count,
    /// Batches stored.
    pub batches: Count,
    /// Bytes of messages that are read and not yet done.
    pub in_flight: Level,
    /// 1 while reading pauses because the budget is used up.
    pub paused: Level,
    /// Partitions that are ours.
    pub partitions: Level,
    store_rows: Count,
    store_requests: Count,
    too_old: Count,
    /// Commits that Kafka refused; they are repeated.
    pub failed_commits: Count,
    batch_events: Histogram,
    write_seconds: Histogram,
    kafka_to_stored: Histogram,
    event_to_stored: Histogram,
    lag: Family<PartitionLabels, Level>,
    dead_letters: Family<KindLabels, Count>,
    retries: Family<TargetLabels, Count>,
}

/// Bounds for waits, in seconds: from a fast store to an outage. What an alert asks for has to be one of
/// them, or Prometheus guesses between its neighbours.
const SECONDS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0,
];
/// Bounds for events of a batch.
const EVENTS: [f64; 9] = [1.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 10_000.0, 20_000.0];

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("sink");
        let seconds = || Histogram::new(SECONDS);
        let metrics = Metrics {
            messages: Count::default(),
            events: Count::default(),
            batches: Count::default(),
            in_flight: Level::default(),
            paused: Level::default(),
            partitions: Level::default(),
            store_rows: Count::default(),
            store_requests: Count::default(),
            too_old: Count::default(),
            failed_commits: Count::default(),
            batch_events: Histogram::new(EVENTS),
            write_seconds: seconds(),
            kafka_to_stored: seconds(),
            event_to_stored: seconds(),
            lag: Family::default(),
            dead_letters: Family::default(),
            retries: Family::default(),
            registry: Registry::default(),
        };
        let mut add = Adder(&mut registry);
        add.plain("messages", "Messages read", &metrics.messages);
        add.plain("events", "Events stored, repeated ones included", &metrics.events);
        add.plain("batches", "Batches stored", &metrics.batches);
        add.plain("store_rows", "Rows written, of all tables of the store", &metrics.store_rows);
        add.plain("store_requests", "Requests that took them there", &metrics.store_requests);
        add.plain(
            "too_old",
            "Events older than the store keeps them, which are not stored",
            &metrics.too_old,
        );
        add.plain("batch_events", "Events of a batch", &metrics.batch_events);
        add.plain("lag_messages", "Messages of a partition that are not stored yet", &metrics.lag);
        add.plain(
            "dead_letters",
            "Messages sent to the dead-letter topic, by cause",
            &metrics.dead_letters,
        );
        add.plain("retries", "Tries that failed and are repeated, by target", &metrics.retries);
        add.plain("commits_failed", "Commits that Kafka refused", &metrics.failed_commits);
        add.plain("paused", "1 while the budget is used up", &metrics.paused);
        add.plain("partitions", "Partitions assigned", &metrics.partitions);
        add.unit("in_flight", "Messages read and not yet done", Unit::Bytes, &metrics.in_flight);
        add.unit(
            "store_write",
            "Writing a batch, without retries",
            Unit::Seconds,
            &metrics.write_seconds,
        );
        add.unit(
            "kafka_to_stored",
            "From a message's timestamp to stored",
            Unit::Seconds,
            &metrics.kafka_to_stored,
        );
        add.unit(
            "event_to_stored",
            "From an event's own time to stored",
            Unit::Seconds,
            &metrics.event_to_stored,
        );
        registry.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        Metrics { registry, ..metrics }
    }
}

struct Adder<'a>(&'a mut Registry);

impl Adder<'_> {
    fn plain<M: prometheus_client::registry::Metric + Clone>(
        &mut self,
        name: &str,
        help: &str,
        metric: &M,
    ) {
        self.0.register(name, help, metric.clone());
    }

    fn unit<M: prometheus_client::registry::Metric + Clone>(
        &mut self,
        name: &str,
        help: &str,
        unit: Unit,
        metric: &M,
    ) {
        self.0.register_with_unit(name, help, unit, metric.clone());
    }
}

impl Metrics {
    /// A batch is stored: its events, and how long the write took.
    pub fn stored(&self, events: usize, write_seconds: f64) {
        self.events.inc_by(events as u64);
        self.batches.inc();
        self.batch_events.observe(events as f64);
        self.write_seconds.observe(write_seconds);
    }

    /// What writing came to since the store was opened.
    pub fn traffic(&self, traffic: Traffic) {
        let Traffic { rows, requests, too_old } = traffic;
        // Two writers may tell in the wrong order; the next one sets it right.
        let raise = |count: &Count, to| count.inner().fetch_max(to, Ordering::Relaxed);
        raise(&self.store_rows, rows);
        raise(&self.store_requests, requests);
        raise(&self.too_old, too_old);
    }

    /// A message is stored that many seconds after Kafka took it, and after its event happened.
    pub fn stored_after(&self, kafka_seconds: f64, event_seconds: f64) {
        self.kafka_to_stored.observe(kafka_seconds);
        self.event_to_stored.observe(event_seconds);
    }

    /// A dead letter is delivered.
    pub fn dead_letter(&self, kind: &'static str) {
        self.dead_letters.get_or_create(&KindLabels { kind }).inc();
    }

    /// Something failed and is tried again: `store` or `dead_letter`.
    pub fn retry(&self, target: &'static str) {
        self.retries.get_or_create(&TargetLabels { target }).inc();
    }

    /// How far a partition is behind; `None` when it is no longer ours.
    pub fn set_lag(&self, topic: &str, partition: i32, lag: Option<i64>) {
        let labels = PartitionLabels { topic: topic.to_owned(), partition };
        match lag {
            Some(lag) => {
                self.lag.get_or_create(&labels).set(lag);
            }
            None => {
                self.lag.remove(&labels);
            }
        }
    }

    /// Everything as text.
    pub fn text(&self) -> String {
        let mut shown = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut shown, &self.registry);
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_units_and_counters_end_in_total() {
        let metrics = Metrics::default();
        metrics.messages.inc();
        metrics.stored(3, 0.02);
        metrics.dead_letter("time");
        metrics.retry("store");
        metrics.set_lag("orders", 2, Some(17));
        let shown = metrics.text();
        for line in [
            "sink_messages_total 1",
            "sink_events_total 3",
            "sink_dead_letters_total{kind=\"time\"} 1",
            "sink_retries_total{target=\"store\"} 1",
            "sink_lag_messages{topic=\"orders\",partition=\"2\"} 17",
            "sink_in_flight_bytes 0",
            "sink_store_write_seconds_count 1",
        ] {
            assert!(shown.lines().any(|it| it == line), "{line} is not in\n{shown}");
        }
        metrics.set_lag("orders", 2, None);
        assert!(!metrics.text().contains("sink_lag_messages{"));
    }
}
