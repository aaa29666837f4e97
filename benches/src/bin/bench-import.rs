//! `make bench-import`: writing into SQLite, beside a bare loop that inserts the same rows.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use pollster::block_on;
use statetrail_benches::bare_loop::BareLoop;
use statetrail_benches::workload::Workload;
use statetrail_benches::{Better, Case, Report, median};
use statetrail_store::EventStore;
use statetrail_store::sqlite::SqliteStore;

/// Events of a round, after which the rival's turn comes.
const EVENTS: usize = 500_000;
const BATCH: usize = 20_000;
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    let mut report = Report::new("import");
    for long_lived in [200, 20_000] {
        store_append(&mut report, long_lived)?;
    }
    report.write()?;
    Ok(())
}

/// The store alone: events that lie ready in memory.
fn store_append(report: &mut Report, long_lived: u64) -> Result<()> {
    let (mut ours, mut rival) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("store.db");
        ours.push(append(&path, &mut Workload::new(long_lived))?);
        let rows = BareLoop::of_store(&path)?;
        rival.push(rows.insert(&folder.path().join("rival.db"), BATCH)?);
    }
    let rate = |times: &mut [Duration]| EVENTS as f64 / median(times).as_secs_f64();
    report.add(Case {
        name: format!("store-append-{long_lived}-long-lived"),
        value: rate(&mut ours),
        unit: "events/s",
        better: Better::Higher,
        rival: Some(("bare loop, same rows", rate(&mut rival))),
    });
    Ok(())
}

/// Appends in batches; only the appending is timed.
fn append(path: &Path, workload: &mut Workload) -> Result<Duration> {
    let store = SqliteStore::open(path)?;
    let mut taken = Duration::ZERO;
    for _ in 0..EVENTS / BATCH {
        let batch = workload.batch(BATCH);
        let start = Instant::now();
        block_on(store.append(&batch))?;
        taken += start.elapsed();
    }
    Ok(taken)
}
