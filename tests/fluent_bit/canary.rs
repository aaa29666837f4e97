//! A canary on a node, while each part between its log and the store ends and starts again: no line is
//! lost, none is there twice.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;
use statetrail_servers::{Cassandra, FluentBit};
use statetrail_tests::statetrail;

use crate::end_to_end::{Cluster, EVENTS, migrated};

/// Says for how long lines are written, in seconds: `CANARY_SECONDS=120` for a short run.
const VARIABLE: &str = "CANARY_SECONDS";
const SECONDS: u64 = 600;
const LINES_A_SECOND: u64 = 10;
/// How long the last lines may take: the canary itself gives up after a minute.
const ENDS_WITHIN: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// What happens to the parts, in this order, evenly spread over the run.
const TROUBLES: [Trouble; 6] = [
    Trouble::FluentBitRestarts,
    Trouble::SinkRestarts,
    Trouble::KafkaRestarts,
    Trouble::FluentBitIsKilled,
    Trouble::SinkIsKilled,
    Trouble::CassandraRestarts,
];

#[derive(Clone, Copy, Debug)]
enum Trouble {
    FluentBitRestarts,
    FluentBitIsKilled,
    SinkRestarts,
    SinkIsKilled,
    KafkaRestarts,
    CassandraRestarts,
}

/// `statetrail canary` at work.
struct Canary {
    process: Child,
    begun: Instant,
    metrics: SocketAddr,
}

impl Drop for Canary {
    fn drop(&mut self) {
        // It has ended, unless something failed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Canary {
    /// Starts one that writes a container's log for so long.
    fn start(cluster: &Cluster, seconds: u64) -> Result<Canary> {
        let id = "0123456789abcdef".repeat(4);
        let log = cluster.folder.join(format!("containers/canary-1_statetrail_app-{id}.log"));
        let metrics = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = statetrail()?
            .args(["canary", "--cri", "--output", "json", "--store", &cluster.store])
            .args(["--rate", &LINES_A_SECOND.to_string()])
            .args(["--lines", &(LINES_A_SECOND * seconds).to_string()])
            .args(["--listen", &metrics.to_string()])
            .arg("--log")
            .arg(log)
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Canary { process, begun: Instant::now(), metrics })
    }

    /// Waits until it has sung for so long.
    fn sings_until(&mut self, due: Duration) -> Result<()> {
        thread::sleep(due.saturating_sub(self.begun.elapsed()));
        let ended = self.process.try_wait()?;
        ensure!(ended.is_none(), "the canary ended after {:?}: {ended:?}", self.begun.elapsed());
        Ok(())
    }

    /// How many of its lines it has seen in the store.
    fn stored(&self) -> Result<u64> {
        let mut stream = TcpStream::connect(self.metrics)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut told = String::new();
        stream.read_to_string(&mut told)?;
        let name = "statetrail_canary_stored_total ";
        let count = told.lines().find_map(|line| line.strip_prefix(name));
        Ok(count.with_context(|| told.clone())?.trim().parse()?)
    }

    /// Waits until a line has come just now.
    fn sees_a_line(&self) -> Result<()> {
        let (begun, before) = (Instant::now(), self.stored()?);
        while self.stored()? == before {
            ensure!(begun.elapsed() < ENDS_WITHIN, "no line comes any more");
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// What it reports in the end.
    fn report(mut self, seconds: u64) -> Result<Value> {
        let deadline = Duration::from_secs(seconds) + ENDS_WITHIN;
        while self.process.try_wait()?.is_none() {
            ensure!(self.begun.elapsed() < deadline, "the canary does not end");
            thread::sleep(LOOK);
        }
        let mut report = String::new();
        self.process.stdout.take().context("no output")?.read_to_string(&mut report)?;
        serde_json::from_str(&report).with_context(|| report.clone())
    }
}

fn cause(
    trouble: Trouble,
    cluster: &mut Cluster,
    cassandra: &Cassandra,
    canary: &Canary,
) -> Result<()> {
    match trouble {
        Trouble::FluentBitRestarts => cluster.fluent_bit.server().restart()?,
        Trouble::FluentBitIsKilled => {
            // What Kafka's client holds in that moment a kill takes with it, the lines of a second at
            // most; how much that is, another test measures (end_to_end.rs). Behind a line that has come
            // it holds nothing, so here not one may be lost.
            canary.sees_a_line()?;
            cluster.fluent_bit.server().kill()?;
            cluster.fluent_bit.server().restart()?;
        }
        Trouble::SinkRestarts => cluster.restart_sink(Signal::TERM)?,
        Trouble::SinkIsKilled => cluster.restart_sink(Signal::KILL)?,
        Trouble::KafkaRestarts => cluster.kafka.server()?.restart()?,
        Trouble::CassandraRestarts => cassandra.restart(0)?,
    }
    Ok(())
}

#[test]
#[ignore = "needs FLUENT_BIT, Java, and ten minutes"]
fn a_canary_loses_nothing_while_each_part_is_restarted() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let seconds = std::env::var(VARIABLE).map_or(Ok(SECONDS), |seconds| seconds.parse())?;
    let cassandra = Cassandra::start(1)?;
    let store = migrated(&cassandra, "canary")?;
    let mut cluster = Cluster::start(binary, EVENTS, Some(store), |configuration| configuration)?;
    let mut canary = Canary::start(&cluster, seconds)?;
    let between = Duration::from_secs(seconds) / (TROUBLES.len() as u32 + 1);
    for (number, trouble) in (1..).zip(TROUBLES) {
        canary.sings_until(between * number)?;
        let begun = Instant::now();
        cause(trouble, &mut cluster, &cassandra, &canary)?;
        println!("after {:?}: {trouble:?}, {:?}", between * number, begun.elapsed());
    }
    let report = canary.report(seconds)?;
    println!("{report}");
    let expected = LINES_A_SECOND * seconds;
    let is_whole = report["written"] == expected && report["stored"] == expected;
    if !is_whole || ["waiting", "lost", "doubled", "wrong"].iter().any(|it| report[it] != 0) {
        let log = cluster.fluent_bit.log().unwrap_or_default();
        let sink = std::fs::read_to_string(cluster.folder.join("sink.log"))?;
        bail!("of {expected} lines: {report}\nFluent Bit:\n{log}\nsink:\n{sink}");
    }
    Ok(())
}
