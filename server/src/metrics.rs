//! What can be measured, in the text format of Prometheus.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Bounds in seconds. What an alert asks for has to be one of them, or Prometheus guesses between its
/// neighbours.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

/// The metrics of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter<u64, AtomicU64>>,
    seconds: Family<RouteLabels, Histogram>,
    pub(crate) followers: Gauge,
    pub(crate) followed: Counter<u64, AtomicU64>,
    tokens_wrong: Gauge,
    pub(crate) rule_errors: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("statetrail_server");
        let requests = Family::default();
        let seconds: Family<RouteLabels, Histogram> =
            Family::new_with_constructor(|| Histogram::new(SECONDS));
        let (followers, followed) = (Gauge::default(), Counter::default());
        registry.register("requests", "Requests by route and status", requests.clone());
        registry.register_with_unit(
            "request",
            "Time to the head of an answer",
            Unit::Seconds,
            seconds.clone(),
        );
        registry.register("followers", "Clients that follow events", followers.clone());
        registry.register("followed", "Events sent to clients that follow", followed.clone());
        let tokens_wrong = Gauge::default();
        let help = "1 if the file of tokens is wrong, so that an earlier version is in force";
        registry.register("tokens_wrong", help, tokens_wrong.clone());
        let rule_errors = Gauge::default();
        let help = "Nodes whose filter tells of an error in its rule files";
        registry.register("filters_with_rule_errors", help, rule_errors.clone());
        Metrics { registry, requests, seconds, followers, followed, tokens_wrong, rule_errors }
    }

    /// Notes a request. `route` is the pattern of the route, not the path.
    pub(crate) fn requested(&self, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        let labels = RouteLabels { route: route.clone() };
        self.seconds.get_or_create(&labels).observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { route, status }).inc();
    }

    /// What is measured; whether the file of tokens is wrong is told by whoever knows it.
    pub(crate) fn text(&self, are_tokens_wrong: bool) -> String {
        self.tokens_wrong.set(are_tokens_wrong.into());
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}
