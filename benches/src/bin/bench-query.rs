//! `make bench-query`: questions beside bare SELECTs of the same rows from the same file.
//!
//! `state-at-N` is the state at any moment of an entity with N events; the rival reads the rows
//! of all its events up to that moment. `state-now-N` reads the same entity's state of now, for
//! which the rival has to read all of them. `trail-page` is a page of 100 events with the state
//! beside each; `find-now` and `find-at` look through 20,000 entities.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use pollster::block_on;
use statetrail_benches::bare_reads::BareReads;
use statetrail_benches::workload::{Workload, trail};
use statetrail_benches::{Better, Case, Report, Timing, alternate};
use statetrail_event::{EntityName, Time};
use statetrail_query::{Condition, Find, Moment, Trail, state};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{EntityFilter, EventStore, Order};

const ROUNDS: usize = 7;
const LENGTHS: [u64; 3] = [10, 1_000, 100_000];
const BATCH: usize = 20_000;
/// Events around the trails that are asked for; every twelfth begins an order.
const OTHER_EVENTS: usize = 240_000;
const PAGE: u64 = 100;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path)?;
    fill(&store)?;
    let bare = BareReads::of_store(&path)?;
    let mut report = Report::new("query");
    for length in LENGTHS {
        states(&mut report, &store, &bare, length)?;
    }
    trail_page(&mut report, &store, &bare)?;
    find(&mut report, &store, &bare, &path)?;
    report.write()?;
    Ok(())
}

fn entity(length: u64) -> Result<EntityName> {
    Ok(EntityName::new("shop", "shelf", &format!("of-{length}"))?)
}

/// The trails that are asked for come in among the others, as they would in a log.
fn fill(store: &SqliteStore) -> Result<()> {
    let mut workload = Workload::new(1_000);
    for _ in 0..OTHER_EVENTS / BATCH {
        block_on(store.append(&workload.batch(BATCH)))?;
    }
    for length in LENGTHS {
        for batch in trail(&entity(length)?, length).chunks(BATCH) {
            block_on(store.append(batch))?;
        }
    }
    Ok(())
}

/// Moments all over a trail, the same ones in every run.
fn moments(length: u64, count: u64) -> Vec<Time> {
    let first = trail(&EntityName::new("a", "b", "c").expect("a short name"), 1);
    let first = first.first().map_or(0, |known| known.event.time.nanos());
    let at = |number: u64| (number * 2_654_435_761 % (length * 1_000)) as i64 * 1_000_000;
    (0..count).map(|number| Time::from_nanos(first + at(number))).collect()
}

fn states(report: &mut Report, store: &SqliteStore, bare: &BareReads, length: u64) -> Result<()> {
    let name = entity(length)?;
    // As many questions as make a round long enough to be timed, for the rival too.
    let count = (1_000_000 / length).clamp(20, 2_000);
    let moments = moments(length, count);
    let expected = bare.events_until(&name, Time::MAX)?.0;
    ensure!(expected == length, "the trail has {expected} events instead of {length}");
    let timing = alternate(
        ROUNDS,
        || {
            for at in &moments {
                black_box(block_on(state(store, &name, Moment::at(*at))).expect("an answer"));
            }
        },
        || {
            for at in &moments {
                black_box(bare.events_until(&name, *at).expect("rows"));
            }
        },
    );
    report.add(case(format!("state-at-{length}"), timing, count, "bare SELECT of its events"));
    let timing = alternate(
        ROUNDS,
        || {
            for _ in &moments {
                black_box(block_on(state(store, &name, Moment::NOW)).expect("an answer"));
            }
        },
        || {
            for _ in &moments {
                black_box(bare.events_until(&name, Time::MAX).expect("rows"));
            }
        },
    );
    report.add(case(format!("state-now-{length}"), timing, count, "bare SELECT of its events"));
    Ok(())
}

fn trail_page(report: &mut Report, store: &SqliteStore, bare: &BareReads) -> Result<()> {
    const PAGES: u64 = 50;
    let length = 100_000;
    let name = entity(length)?;
    let moments = moments(length, PAGES);
    let timing = alternate(
        ROUNDS,
        || {
            for at in &moments {
                let range = (Time::MIN, *at);
                let mut trail = Trail::new(store, name.clone(), range, None, Order::NewestFirst)
                    .with_page(PAGE as usize);
                black_box(block_on(trail.next_page()).expect("a page"));
            }
        },
        || {
            for at in &moments {
                black_box(bare.page_before(&name, *at, PAGE).expect("rows"));
            }
        },
    );
    report.add(case("trail-page".to_owned(), timing, PAGES, "bare SELECT of the page"));
    Ok(())
}

fn find(report: &mut Report, store: &SqliteStore, bare: &BareReads, path: &Path) -> Result<()> {
    let middle = Time::from_nanos(1_790_000_000_000_000_000 + OTHER_EVENTS as i64 / 2 * 1_000_000);
    ensure!(path.exists(), "the store is there until the bench ends");
    for (case_name, moment) in [("find-now", Moment::NOW), ("find-at", Moment::at(middle))] {
        let timing = alternate(
            ROUNDS,
            || {
                let condition: Condition = "status=paid".parse().expect("a condition");
                let filter =
                    EntityFilter { entity_type: Some("order".into()), ..EntityFilter::default() };
                let mut find = Find::new(store, filter, vec![condition], moment);
                while let Some(page) = block_on(find.next_page()).expect("a page") {
                    black_box(page);
                }
            },
            || {
                black_box(bare.entities_of_type("order").expect("rows"));
            },
        );
        report.add(case(case_name.to_owned(), timing, 1, "bare SELECT of the entities"));
    }
    Ok(())
}

/// Microseconds per question.
fn case(name: String, timing: Timing, questions: u64, rival: &'static str) -> Case {
    let each = |round: Duration| round.as_secs_f64() * 1e6 / questions as f64;
    Case {
        name,
        value: each(timing.ours),
        unit: "us",
        better: Better::Lower,
        rival: Some((rival, each(timing.rival))),
    }
}
