//! A message whose lines come one after the other in time.

use std::fs::{self, OpenOptions};
use std::io::Write;

use anyhow::{Result, ensure};
use statetrail_servers::FluentBit;
use statetrail_tests::project_folder;

use crate::shipped::{self, CAUSE_RULE};

/// A record each second, by which time that has passed can be seen.
const CLOCK: &str = "  inputs:
    - name: dummy
      tag: clock
      dummy: '{\"tick\":1}'
";
/// More than the filter multiline itself waits between two ticks, two seconds.
const SECONDS: usize = 4;

#[test]
fn a_message_is_not_cut_within_the_time_between_two_ticks() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let folder = shipped::folder()?;
    let path = folder.path().to_owned();
    fs::write(path.join("rules/cause.yaml"), CAUSE_RULE)?;
    let log = shipped::container_log(&path, "checkout-1");
    let append = |number: u32, text: &str| {
        let line = format!("2026-11-22T10:00:00.{number:09}Z stdout F {text}\n");
        OpenOptions::new().create(true).append(true).open(&log)?.write_all(line.as_bytes())
    };
    append(1, "2026-11-22 10:00:00 order o-6 delivery note removed")?;
    append(2, "2026-11-22 10:00:00 order o-7 failed: java.io.IOException card refused")?;
    let shipped = project_folder().join("fluent-bit/multiline.yaml");
    let text = shipped::configuration(&shipped, &path, "")?
        .replace("  inputs:\n", CLOCK)
        // A busy machine may take as long as that for the test.
        .replace("flush_ms: 10000", "flush_ms: 600000");
    let fluent_bit = FluentBit::start(binary, folder, &shipped::into_file(&text, &path)?)?;
    let out = || fs::read_to_string(path.join("out.jsonl")).unwrap_or_default();
    fluent_bit.wait_for("the message before", || out().contains("order/o-6"))?;
    let begun = out().matches("tick").count();
    let passed = || out().matches("tick").count() >= begun + SECONDS;
    fluent_bit.wait_for("time", passed)?;
    append(3, "\tat shop.Checkout.pay")?;
    append(4, "Caused by: java.net.SocketException: reset")?;
    append(5, "2026-11-22 10:00:01 order o-8 delivery note removed")?;
    append(6, "2026-11-22 10:00:01 order o-9 delivery note removed")?;
    fluent_bit.wait_for("the message after", || out().contains("order/o-8"))?;
    ensure!(out().contains("java.net.SocketException"), "{}", out());
    Ok(())
}
