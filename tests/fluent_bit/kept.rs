//! What has been read survives a kill while Kafka is away, where a configuration makes further records
//! of those that it reads: messages of several lines, copies.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use statetrail_servers::FluentBit;

use crate::end_to_end::{Cluster, events_of_shop};
use crate::shipped;

const FILES: usize = 3;
const MESSAGES: usize = 20_000;
/// What Kafka's client may hold here, and a kill may lose; far less than what was read.
const HELD: usize = 1_000;
const STORED_WITHIN: Duration = Duration::from_secs(180);

/// Writes the lines, as a container runtime would, each with a second one that goes on with it.
fn write_logs(folder: &Path) -> Result<()> {
    for file in 0..FILES {
        let path = shipped::container_log(folder, &format!("checkout-{file}"));
        let mut log = fs::File::create(path)?;
        let mut text = String::new();
        for number in (file..MESSAGES).step_by(FILES) {
            let time = format!("2026-11-22T10:00:00.{:09}Z stdout F", number * 2);
            let next = format!("2026-11-22T10:00:00.{:09}Z stdout F", number * 2 + 1);
            let order = format!("2026-11-22 10:00:00 order o-{number} delivery note: bell");
            text += &format!("{time} {order}\n{next} \tat the back\n");
        }
        log.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.map(|entry| entry.path()).flat_map(below).collect()
}

/// Whether the events of the last message of each file lie on disk.
fn are_on_disk(buffer: &Path) -> bool {
    let chunks: Vec<Vec<u8>> =
        files(buffer).iter().filter_map(|path| fs::read(path).ok()).collect();
    (MESSAGES - FILES..MESSAGES).all(|number| {
        let subject = format!("\"order/o-{number}\"");
        let holds = |chunk: &Vec<u8>| {
            chunk.windows(subject.len()).any(|window| window == subject.as_bytes())
        };
        chunks.iter().any(holds)
    })
}

fn survives_a_kill(name: &str) -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let cluster = Cluster::start(binary, name, None, |configuration| {
        let mut configuration = configuration
            .replace("max.messages: 10000", &format!("max.messages: {HELD}"))
            .replace("name: stdout", "name: 'null'");
        if !configuration.contains("refresh_interval") {
            // By itself it would be a minute until the files are found.
            let cri = "multiline.parser: cri\n";
            configuration =
                configuration.replace(cri, &format!("{cri}      refresh_interval: 1\n"));
        }
        configuration
    })?;
    cluster.kafka.server()?.pause()?;
    write_logs(&cluster.folder)?;
    let buffer = cluster.folder.join("lib/buffer");
    cluster.fluent_bit.wait_for("all events on disk", || are_on_disk(&buffer))?;
    cluster.fluent_bit.server().kill()?;
    cluster.kafka.server()?.resume()?;
    cluster.fluent_bit.server().restart()?;

    let (begun, mut stored) = (Instant::now(), 0);
    let all_is_sent = || files(&buffer).is_empty();
    while (stored + HELD < MESSAGES || !all_is_sent()) && begun.elapsed() < STORED_WITHIN {
        std::thread::sleep(Duration::from_secs(1));
        stored = events_of_shop(&cluster.store)? as usize;
    }
    println!("{name}: {stored} of {MESSAGES} events are stored after a kill");
    ensure!(stored <= MESSAGES, "{stored} events are stored of {MESSAGES} messages");
    ensure!(stored + HELD >= MESSAGES, "only {stored} events of {MESSAGES} messages are stored");
    Ok(())
}

#[test]
#[ignore = "needs FLUENT_BIT, Java, and minutes"]
fn messages_of_several_lines_survive_a_kill_while_kafka_is_away() -> Result<()> {
    survives_a_kill("multiline.yaml")
}

#[test]
#[ignore = "needs FLUENT_BIT, Java, and minutes"]
fn copies_for_events_survive_a_kill_while_kafka_is_away() -> Result<()> {
    survives_a_kill("add-to-existing.yaml")
}
