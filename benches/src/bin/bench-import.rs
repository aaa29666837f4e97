//! `make bench-import`: writing into SQLite, beside a bare loop that inserts the same rows.
//!
//! `store-append` is the store alone. `import` is the released binary as a whole process over the
//! shop's logs, half of whose lines change an entity; the loop beside it inserts the rows that
//! the first million lines gave. `import-million-N` is the N-th million into the same store.
//! The number of millions is the argument, 10 if there is none.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use pollster::block_on;
use statetrail_benches::bare_loop::BareLoop;
use statetrail_benches::process::import;
use statetrail_benches::shop_logs::write_parts;
use statetrail_benches::workload::Workload;
use statetrail_benches::{Better, Case, Report, median};
use statetrail_servers::released_program;
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
    let millions = std::env::args().nth(1).map_or(Ok(10), |number| number.parse())?;
    import_millions(&mut report, millions)?;
    report.write()?;
    Ok(())
}

/// The whole import, million after million.
fn import_millions(report: &mut Report, millions: usize) -> Result<()> {
    let binary = released_program("statetrail")?;
    let folder = tempfile::tempdir()?;
    let parts = write_parts(&folder.path().join("logs"), millions, 1_000_000)?;
    let store = folder.path().join("store.db");
    let mut rates = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let run = import(&binary, &store, part)?;
        let rate = run.lines as f64 / run.wall.as_secs_f64();
        if number == 0 {
            let loop_time = bare_loop_of(&store, folder.path())?;
            report.add(Case {
                name: "import".to_owned(),
                value: rate,
                unit: "lines/s",
                better: Better::Higher,
                rival: Some(("bare loop, same rows", run.lines as f64 / loop_time.as_secs_f64())),
            });
            println!("  the million lines gave {} events", run.events);
        }
        let first = rates.first().copied();
        rates.push(rate);
        report.add(Case {
            name: format!("import-million-{}", number + 1),
            value: rate,
            unit: "lines/s",
            better: Better::Higher,
            rival: first.map(|first| ("the first million", first)),
        });
        report.add(Case {
            name: format!("import-million-{}-memory", number + 1),
            value: run.peak_bytes as f64 / 1e6,
            unit: "MB",
            better: Better::Lower,
            rival: None,
        });
    }
    Ok(())
}

/// The median of some runs of the bare loop.
fn bare_loop_of(store: &Path, folder: &Path) -> Result<Duration> {
    let rows = BareLoop::of_store(store)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let path = folder.join("rival.db");
        times.push(rows.insert(&path, BATCH)?);
        std::fs::remove_file(&path)?;
    }
    Ok(median(&mut times))
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
