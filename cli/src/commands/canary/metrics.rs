//! The canary's counts for Prometheus.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::tally::Counts;
use crate::failure::{Exit, Failure};
use crate::waiting::spawn;

/// Bounds in seconds.
const SECONDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What can be measured from outside.
pub(super) struct Metrics {
    registry: Arc<Registry>,
    written: Counter<u64, AtomicU64>,
    stored: Counter<u64, AtomicU64>,
    doubled: Counter<u64, AtomicU64>,
    wrong: Counter<u64, AtomicU64>,
    late: Counter<u64, AtomicU64>,
    store_failures: Counter<u64, AtomicU64>,
    waiting: Gauge,
    lost: Gauge,
    latency: Histogram,
    told: Counts,
}

impl Metrics {
    pub(super) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("statetrail_canary");
        let counter = |registry: &mut Registry, name: &str, help: &str| {
            let counter = Counter::<u64, AtomicU64>::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let written = counter(&mut registry, "written", "Lines written");
        let stored = counter(&mut registry, "stored", "Lines that came");
        let doubled = counter(&mut registry, "doubled", "Events of lines that had come already");
        let wrong = counter(&mut registry, "wrong", "Events that no line can have given");
        let late = counter(&mut registry, "late", "Lines that came, and not in time");
        let store_failures =
            counter(&mut registry, "store_failures", "Times that the store did not answer");
        let (waiting, lost) = (Gauge::default(), Gauge::default());
        registry.register("waiting", "Lines on their way", waiting.clone());
        registry.register("lost", "Lines that have not come in time", lost.clone());
        let latency = Histogram::new(SECONDS);
        let help = "Time from writing a line to its being seen in the store";
        registry.register_with_unit("latency", help, Unit::Seconds, latency.clone());
        let registry = Arc::new(registry);
        let told = Counts::default();
        Metrics {
            registry,
            written,
            stored,
            doubled,
            wrong,
            late,
            store_failures,
            waiting,
            lost,
            latency,
            told,
        }
    }

    /// Answers `/metrics` and `/health/livez` from now on. Needs the runtime.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub(super) fn serve(&self, address: SocketAddr) -> Result<(), Failure> {
        let refused = |error: std::io::Error| {
            Failure::new(Exit::Failed, format!("cannot listen at {address}: {error}"))
        };
        let listener = std::net::TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let registry = Arc::clone(&self.registry);
        let metrics = move || async move {
            let mut out = String::new();
            // Writing to a string cannot fail.
            let _ = text::encode(&mut out, &registry);
            ([(header::CONTENT_TYPE, OPEN_METRICS)], out)
        };
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/health/livez", get(|| async { "live\n" }));
        spawn(async move {
            if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                // It ends with the process.
                let _ = axum::serve(listener, router).await;
            }
        });
        Ok(())
    }

    pub(super) fn came(&self, latency: Duration) {
        self.latency.observe(latency.as_secs_f64());
    }

    pub(super) fn store_failed(&self) {
        self.store_failures.inc();
    }

    pub(super) fn store_failures(&self) -> u64 {
        self.store_failures.get()
    }

    /// Takes over the counts.
    pub(super) fn note(&mut self, counts: Counts) {
        let told = std::mem::replace(&mut self.told, counts);
        self.written.inc_by(counts.written - told.written);
        self.stored.inc_by(counts.stored - told.stored);
        self.doubled.inc_by(counts.doubled - told.doubled);
        self.wrong.inc_by(counts.wrong - told.wrong);
        self.late.inc_by(counts.late - told.late);
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.waiting.set(gauge(counts.waiting));
        self.lost.set(gauge(counts.lost));
    }
}
