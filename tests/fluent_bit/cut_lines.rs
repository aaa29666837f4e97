//! A stop while of a line that the runtime has cut the end is not written yet.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;

use anyhow::{Result, ensure};
use serde_json::Value;
use statetrail_servers::FluentBit;
use statetrail_tests::project_folder;

use crate::end_to_end::EVENTS;
use crate::shipped::{self, order_line};

/// Lines before the one that is cut, and as many after it.
const LINES: usize = 20;

/// How often each key came. What has none is no event.
fn keys(text: &str) -> BTreeMap<String, usize> {
    let mut keys = BTreeMap::new();
    for record in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if let Some(key) = record["key"].as_str() {
            *keys.entry(key.to_owned()).or_default() += 1;
        }
    }
    keys
}

/// Fluent Bit 5.1.1 gives up the line, and may crash over it; nothing else is lost or doubled.
#[test]
fn a_stop_within_a_cut_line_loses_that_line_alone() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let folder = shipped::folder()?;
    let path = folder.path().to_owned();
    let log = shipped::container_log(&path, "checkout-1");
    let cut = "2026-11-22T10:00:01.000000000Z stdout P order o-cut delivery note: ring \n";
    let before: String = (0..LINES).map(order_line).collect();
    fs::write(&log, before + cut)?;
    let shipped = project_folder().join("fluent-bit").join(EVENTS);
    let text = shipped::configuration(&shipped, &path, "")?;
    let fluent_bit = FluentBit::start(binary, folder, &shipped::into_file(&text, &path)?)?;
    let came = || keys(&fs::read_to_string(path.join("out.jsonl")).unwrap_or_default());
    fluent_bit.wait_for("the lines before", || came().len() >= LINES)?;
    fluent_bit.server().stop()?;
    let rest = "2026-11-22T10:00:01.000000001Z stdout F twice\n".to_owned();
    let after: String = (LINES..2 * LINES).map(order_line).collect();
    OpenOptions::new().append(true).open(&log)?.write_all((rest + &after).as_bytes())?;
    fluent_bit.server().restart()?;
    let last = format!("shop/order/o-{}", 2 * LINES - 1);
    fluent_bit.wait_for("the lines after", || came().contains_key(&last))?;
    fluent_bit.server().stop()?;
    let mut came = came();
    // Once it may be whole: when a version of Fluent Bit mends it.
    came.remove("shop/order/o-cut");
    let expected = (0..2 * LINES).map(|number| (format!("shop/order/o-{number}"), 1)).collect();
    ensure!(came == expected, "{came:#?}");
    Ok(())
}
