//! Log lines on standard error: text for people at a terminal, JSON for programs.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::LogSettings;

/// From now on everything of that level and above is logged. A second call changes nothing.
pub fn start(settings: LogSettings) {
    let level = LevelFilter::from_level(settings.level);
    // What Cassandra's driver tells of each connection, the sink says in one line.
    let of_driver = if level < LevelFilter::DEBUG { LevelFilter::OFF } else { level };
    let levels = Targets::new().with_default(level).with_target("scylla", of_driver);
    let is_json = settings.json.unwrap_or_else(|| !stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(levels);
    let result = if is_json {
        let layer = fmt::layer().json().flatten_event(true).with_current_span(false);
        registry.with(layer.with_span_list(false).with_writer(stderr)).try_init()
    } else {
        let layer = fmt::layer().with_ansi(stderr().is_terminal()).with_target(false);
        registry.with(layer.with_writer(stderr)).try_init()
    };
    // Only a test that starts two sinks in one process comes here twice.
    let _ = result;
}
