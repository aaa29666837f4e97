//! `make bench-query`: answers from SQLite, beside bare SELECTs of the same rows.
//!
//! `state-N` is the state of an entity in the middle of a trail of N events; the SELECT beside it
//! reads the events up to that moment and does nothing with them. The three trails lie in a store
//! among 200,000 events of others.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pollster::block_on;
use rusqlite::{Connection, params};
use statetrail_benches::workload::Workload;
use statetrail_benches::{Better, Case, Report, alternate};
use statetrail_event::{Change, EntityName, Event, LineIdentity, Source, Time, seq_of};
use statetrail_query::{Condition, Find, Moment, Trail, state};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{EntityFilter, EventStore, KnownEvent, Order};

const LENGTHS: [u64; 3] = [10, 1_000, 100_000];
const BACKGROUND_EVENTS: usize = 200_000;
const BATCH: usize = 20_000;
const ROUNDS: usize = 9;
const PAGE: usize = 100;
const SECOND: i64 = 1_000_000_000;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store.db");
    fill(&path)?;
    let store = SqliteStore::open_read_only(&path)?;
    let rival = Rival { connection: Connection::open(&path)? };
    let mut report = Report::new("query");
    for length in LENGTHS {
        states(&mut report, &store, &rival, length)?;
    }
    trail_page(&mut report, &store, &rival)?;
    find(&mut report, &store, &rival)?;
    Ok(report.write()?)
}

fn entity(length: u64) -> Result<EntityName> {
    Ok(EntityName::new("bench", "long", &format!("trail-of-{length}"))?)
}

/// The time of the event with that number.
fn time(number: u64) -> Time {
    Time::from_nanos((1_795_305_600 + number as i64) * SECOND)
}

fn fill(path: &Path) -> Result<()> {
    let store = SqliteStore::open(path)?;
    let mut workload = Workload::new(200);
    for _ in 0..BACKGROUND_EVENTS / BATCH {
        block_on(store.append(&workload.batch(BATCH)))?;
    }
    for length in LENGTHS {
        let name = entity(length)?;
        let events: Vec<KnownEvent> = (0..length).map(|number| event(&name, number)).collect();
        for batch in events.chunks(BATCH) {
            block_on(store.append(batch))?;
        }
    }
    Ok(())
}

/// An event that changes two of six fields.
fn event(entity: &EntityName, number: u64) -> KnownEvent {
    let line = format!("{entity} step {number} of a long life, as a service would write of it");
    let source = Source { uri: "/bench/pod/app".into(), ..Source::default() };
    let time = time(number);
    let seq = seq_of(0, 0);
    let identity = LineIdentity::new(LineIdentity::source_hash(&source.uri), time, line.as_bytes());
    let event = Event {
        id: identity.event_id(seq),
        entity: entity.clone(),
        name: "step".into(),
        time,
        seq,
        changes: vec![
            Change::set("step", number as i64),
            Change::set(format!("field-{}", number % 5), "some value of usual length"),
        ],
        source: source.into(),
        offset: None,
        rule: None,
        line: Some(line),
    };
    KnownEvent { event, known_at: time }
}

/// The rival: the same rows by hand, as columns that are looked at and thrown away.
struct Rival {
    connection: Connection,
}

impl Rival {
    fn entity_number(&self, name: &EntityName) -> Result<i64> {
        self.connection
            .prepare_cached(
                "SELECT entity_no FROM entities
                 WHERE namespace = ?1 AND entity_type = ?2 AND entity_id = ?3",
            )?
            .query_row(params![name.namespace(), name.entity_type(), name.id()], |row| row.get(0))
            .context("the entity is not there")
    }

    fn buckets(&self) -> Result<Vec<i64>> {
        let mut statement =
            self.connection.prepare_cached("SELECT bucket FROM buckets ORDER BY start_time")?;
        let numbers = statement.query_map([], |row| row.get(0))?;
        Ok(numbers.collect::<rusqlite::Result<_>>()?)
    }

    /// The events up to a moment, without their lines.
    fn events(&self, name: &EntityName, until: Time) -> Result<u64> {
        let number = self.entity_number(name)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT time, seq, id, changes FROM events
             WHERE bucket = ?1 AND entity_no = ?2 AND time <= ?3",
        )?;
        let mut count = 0;
        for bucket in self.buckets()? {
            let mut rows = statement.query(params![bucket, number, until.nanos()])?;
            while let Some(row) = rows.next()? {
                black_box((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
                black_box((row.get_ref(2)?, row.get_ref(3)?));
                count += 1;
            }
        }
        Ok(count)
    }

    /// The first events of a trail with their lines.
    fn page(&self, name: &EntityName) -> Result<u64> {
        let number = self.entity_number(name)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT events.time, events.seq, events.id, events.name, events.changes, lines.line
             FROM events JOIN lines ON lines.line_no = events.line_no
             WHERE bucket = ?1 AND entity_no = ?2 ORDER BY time, seq, id LIMIT ?3",
        )?;
        let mut count = 0;
        for bucket in self.buckets()? {
            let mut rows = statement.query(params![bucket, number, PAGE as u64 - count])?;
            while let Some(row) = rows.next()? {
                black_box((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
                black_box((row.get_ref(2)?, row.get::<_, String>(3)?));
                black_box((row.get_ref(4)?, row.get::<_, String>(5)?));
                count += 1;
            }
            if count == PAGE as u64 {
                break;
            }
        }
        Ok(count)
    }

    /// The names and states of all entities of a type.
    fn entities(&self, entity_type: &str) -> Result<u64> {
        let mut statement = self.connection.prepare_cached(
            "SELECT namespace, entity_type, entity_id, state FROM entities WHERE entity_type = ?1",
        )?;
        let mut rows = statement.query([entity_type])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            black_box((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
            black_box((row.get::<_, String>(2)?, row.get_ref(3)?));
            count += 1;
        }
        Ok(count)
    }
}

fn states(report: &mut Report, store: &SqliteStore, rival: &Rival, length: u64) -> Result<()> {
    let name = entity(length)?;
    let middle = length / 2;
    let moment = Moment::at(time(middle));
    let answer = block_on(state(store, &name, moment))?.context("no state")?;
    ensure!(answer.get("step") == Some(&(middle as i64).into()), "a wrong state: {answer:?}");
    ensure!(rival.events(&name, moment.at)? == middle + 1, "the rival reads other rows");
    let times = (20_000 / length).max(1) as u32;
    let timing = alternate(
        ROUNDS,
        || {
            for _ in 0..times {
                black_box(block_on(state(store, &name, moment)).is_ok());
            }
        },
        || {
            for _ in 0..times {
                black_box(rival.events(&name, moment.at).is_ok());
            }
        },
    );
    report.add(case(format!("state-{length}"), timing.ours, timing.rival, times));
    Ok(())
}

fn trail_page(report: &mut Report, store: &SqliteStore, rival: &Rival) -> Result<()> {
    let name = entity(100_000)?;
    let always = (Time::MIN, Time::MAX);
    let page = || {
        let trail = Trail::new(store, name.clone(), always, None, Order::OldestFirst);
        block_on(trail.with_page(PAGE).next_page())
    };
    ensure!(page()?.is_some_and(|steps| steps.len() == PAGE), "no page");
    ensure!(rival.page(&name)? == PAGE as u64, "the rival reads other rows");
    let timing = alternate(
        ROUNDS,
        || {
            for _ in 0..50 {
                black_box(page().is_ok());
            }
        },
        || {
            for _ in 0..50 {
                black_box(rival.page(&name).is_ok());
            }
        },
    );
    report.add(case(format!("trail-page-{PAGE}"), timing.ours, timing.rival, 50));
    Ok(())
}

fn find(report: &mut Report, store: &SqliteStore, rival: &Rival) -> Result<()> {
    let filter = EntityFilter { entity_type: Some("order".into()), ..EntityFilter::default() };
    let condition: Condition = "status=shipped".parse()?;
    let run = || -> Result<usize> {
        let mut find = Find::new(store, filter.clone(), vec![condition.clone()], Moment::NOW);
        let mut found = 0;
        while let Some(page) = block_on(find.next_page())? {
            found += page.len();
        }
        Ok(found)
    };
    run()?;
    ensure!(rival.entities("order")? > 1_000, "there is little to be found");
    let timing = alternate(
        ROUNDS,
        || {
            black_box(run().is_ok());
        },
        || {
            black_box(rival.entities("order").is_ok());
        },
    );
    report.add(case("find-by-state".to_owned(), timing.ours, timing.rival, 1));
    Ok(())
}

fn case(name: String, ours: Duration, rival: Duration, times: u32) -> Case {
    let micros = |taken: Duration| taken.as_secs_f64() * 1e6 / f64::from(times);
    Case {
        name,
        value: micros(ours),
        unit: "µs",
        better: Better::Lower,
        rival: Some(("bare SELECT", micros(rival))),
    }
}
