//! The released binary as a whole process: how long it takes and how much memory it needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// How often the process is asked for its memory.
const LOOK: Duration = Duration::from_millis(20);

/// What a run of `statetrail import` took.
#[derive(Clone, Copy, Debug)]
pub struct ImportRun {
    /// From its start to its end.
    pub wall: Duration,
    /// Lines that it read.
    pub lines: u64,
    /// Events that it stored.
    pub events: u64,
    /// Most memory resident at a time, in bytes; 0 where the system does not tell.
    pub peak_bytes: u64,
}

/// The project's own folder.
pub fn project_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Imports a folder of logs with the shop's rules.
///
/// # Errors
/// When the import fails.
pub fn import(binary: &Path, store: &Path, logs: &Path) -> Result<ImportRun> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(logs)? {
        files.push(entry?.path());
    }
    files.sort();
    let start = Instant::now();
    let mut child = Command::new(binary)
        .args(["import", "--output", "json", "--progress", "none", "--store"])
        .arg(format!("sqlite:{}", store.display()))
        .arg("--rules")
        .arg(project_folder().join("fluent-bit/rules/shop.yaml"))
        .args(files)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut peak_bytes = 0;
    while child.try_wait()?.is_none() {
        peak_bytes = peak_bytes.max(peak_of(child.id()).unwrap_or(0));
        thread::sleep(LOOK);
    }
    let wall = start.elapsed();
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the import of {} failed", logs.display());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| {
        let value = report.get(name).and_then(serde_json::Value::as_u64);
        value.with_context(|| format!("no {name} in the import's report"))
    };
    Ok(ImportRun { wall, lines: number("lines")?, events: number("events_new")?, peak_bytes })
}

/// CPU time of a process so far, user and system together; `None` where the system does not
/// tell.
pub fn cpu_time_of(process: u32) -> Option<Duration> {
    times_of(process, 2)
}

/// As [`cpu_time_of`], without the system's part.
pub fn user_time_of(process: u32) -> Option<Duration> {
    times_of(process, 1)
}

/// The sum of the user's time and, of two, the system's.
fn times_of(process: u32, times: usize) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, in parentheses, may hold blanks.
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    let fields = fields.skip(11).take(times);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    let ticks_a_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs_f64(ticks as f64 / ticks_a_second as f64))
}

/// The most memory that a process had resident so far, in bytes.
pub fn peak_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
