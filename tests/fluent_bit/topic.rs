//! A topic that is made after Fluent Bit has started.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::Write;

use anyhow::{Context, Result, ensure};
use statetrail_servers::{FluentBit, Kafka, KafkaOptions};
use statetrail_tests::project_folder;

use crate::end_to_end::EVENTS;
use crate::shipped::{self, order_line};

const SETTING: &str = "rdkafka.topic.metadata.propagation.max.ms: ";
/// Kafka's client says so in milliseconds, in its messages for debugging.
const WAITS: &str = "does not exist, allowing ";
/// What out_kafka says of each message.
const DELIVERED: &str = "message delivered (";
const MINUTE_MS: u32 = 60_000;
const LINES: usize = 500;

/// Above that, Kafka's client does not wait at all: its sum in microseconds is an `int`.
const WAIT_MS_MAX: u32 = (i32::MAX / 1_000).cast_unsigned();

#[test]
fn every_output_waits_for_its_topic() -> Result<()> {
    for path in shipped::all()? {
        let text = fs::read_to_string(&path)?;
        let wait = text.lines().find_map(|line| line.trim().strip_prefix(SETTING));
        let wait: u32 = wait.with_context(|| path.display().to_string())?.parse()?;
        ensure!((20 * MINUTE_MS..=WAIT_MS_MAX).contains(&wait), "{}: {wait}", path.display());
    }
    Ok(())
}

/// For how long the client goes on waiting, if it has said so.
fn waits_ms(log: &str) -> Option<u32> {
    let (_, rest) = log.rsplit_once(WAITS)?;
    rest.split_once("ms")?.0.parse().ok()
}

#[test]
#[ignore = "needs FLUENT_BIT and Java"]
fn a_topic_that_comes_late_loses_nothing() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let kafka =
        Kafka::start_with(&KafkaOptions { makes_topics: false, ..KafkaOptions::default() })?;
    let folder = shipped::folder()?;
    let path = folder.path().to_owned();
    let log = shipped::container_log(&path, "checkout-1");
    fs::write(&log, (0..LINES).map(order_line).collect::<String>())?;
    let shipped = project_folder().join("fluent-bit").join(EVENTS);
    let configuration = shipped::configuration(&shipped, &path, kafka.brokers())?
        .replace("log_level: info", "log_level: debug")
        .replace("  topics: events\n", "  topics: events\n      rdkafka.debug: topic\n");
    let fluent_bit = FluentBit::start(binary, folder, &configuration)?;
    // As long as it would wait without the setting is more than a test has.
    fluent_bit.wait_until("the client waits", |log| waits_ms(log).is_some())?;
    fluent_bit.wait_until("messages in its queue", |log| log.contains("enqueued message"))?;
    let wait = waits_ms(&fluent_bit.log()?).context("it waits no longer")?;
    ensure!(wait > 10 * MINUTE_MS, "it waits for {wait} ms only");
    kafka.make_topic("events", 1)?;
    // What was delivered out_kafka learns when it sends something: a line more at each look.
    let written = Cell::new(LINES);
    fluent_bit.wait_until("all events in Kafka", |said| {
        let number = written.replace(written.get() + 1);
        let appended = OpenOptions::new().append(true).open(&log);
        appended.and_then(|mut log| log.write_all(order_line(number).as_bytes())).is_ok()
            && said.matches(DELIVERED).count() >= LINES
    })?;
    fluent_bit.server().stop()?;
    let said = fluent_bit.log()?;
    let delivered = said.matches(DELIVERED).count();
    ensure!(delivered == written.get(), "{delivered} of {} were delivered", written.get());
    ensure!(!said.contains("delivery failed") && !said.contains("Failed to produce"), "{said}");
    Ok(())
}
