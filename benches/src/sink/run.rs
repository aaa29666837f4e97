//! The released sink as a process of its own, asked by way of its metrics.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::{cpu_time_of, peak_of};

/// How often the sink is asked.
const LOOK: Duration = Duration::from_millis(50);

/// How much was measured up to each bound, the last of which is infinity.
pub struct Histogram {
    buckets: Vec<(f64, f64)>,
}

impl Histogram {
    /// The least bound that holds such a share of what was measured since an earlier look; infinity if
    /// none does.
    pub fn quantile_since(&self, earlier: &Histogram, share: f64) -> f64 {
        let before = |bound: f64| {
            let bucket = earlier.buckets.iter().find(|(other, _)| *other == bound);
            bucket.map_or(0.0, |(_, count)| *count)
        };
        let new = self.buckets.iter().map(|(bound, count)| (*bound, count - before(*bound)));
        let total = new.clone().next_back().map_or(0.0, |(_, count)| count);
        let found = new.into_iter().find(|(_, count)| *count >= share * total);
        found.map_or(f64::INFINITY, |(bound, _)| bound)
    }
}

/// A sink that runs.
pub struct Sink {
    child: Child,
    http: SocketAddr,
}

impl Sink {
    /// Starts one that reads a topic into a store.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(binary: &Path, brokers: &str, topic: &str, store: &str) -> Result<Sink> {
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(binary)
            .args(["--store", store, "--kafka-brokers", brokers, "--kafka-topics", topic])
            .args(["--kafka-group", topic])
            .arg("--http-listen")
            .arg(http.to_string())
            .args(["--log-level", "warn"])
            .stdout(Stdio::null())
            .spawn()
            .context("the sink does not start")?;
        Ok(Sink { child, http })
    }

    /// Waits until it has stored so many events since its start.
    ///
    /// # Errors
    /// When it ends before.
    pub fn wait_for_events(&mut self, count: u64) -> Result<()> {
        while self.metric("sink_events_total").unwrap_or(0.0) < count as f64 {
            if let Some(status) = self.child.try_wait()? {
                bail!("the sink ended: {status}");
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The sum of a metric over its labels.
    ///
    /// # Errors
    /// When the sink does not answer.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let text = self.metrics()?;
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        Ok(lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
    }

    /// What a histogram has counted so far.
    ///
    /// # Errors
    /// When the sink does not answer.
    pub fn histogram(&self, name: &str) -> Result<Histogram> {
        let text = self.metrics()?;
        let prefix = format!("{name}_bucket{{le=\"");
        let bucket = |line: &str| {
            let (bound, count) = line.strip_prefix(&prefix)?.split_once("\"} ")?;
            Some((bound.parse().unwrap_or(f64::INFINITY), count.parse().ok()?))
        };
        Ok(Histogram { buckets: text.lines().filter_map(bucket).collect() })
    }

    fn metrics(&self) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.http, LOOK)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: sink\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "the sink answers {answer:.40}");
        Ok(answer)
    }

    /// Its CPU time so far.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn cpu_time(&self) -> Result<Duration> {
        cpu_time_of(self.child.id()).context("this system does not tell a process's CPU time")
    }

    /// The most memory that it had resident so far, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        peak_of(self.child.id()).unwrap_or(0)
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(mut self) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("a process id")?;
        kill_process(pid, Signal::TERM)?;
        let start = Instant::now();
        let status = self.child.wait()?;
        ensure!(status.success(), "the sink ended after {:?}: {status}", start.elapsed());
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It has ended already, unless something failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
