//! `make bench-query STORE=cassandra`: questions to a real Cassandra beside the bare driver
//! reading the same rows.
//!
//! `state-at-N` is the state at any moment of an entity with N events; `state-now-N` that of now.
//! `state-before-last-...` is the state just before the last of 10,000 events, in one bucket or
//! spread over fifty; `...-snapshots` is the same question when there are snapshots, whose rival
//! still reads every event. `trail-page` is a page of 100 events in the middle of 100,000 with
//! the state beside each, `find-...` looks through 20,000 entities, `timeline` is a quarter of an
//! hour with 1,800 events.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use scylla::client::session_builder::SessionBuilder;
use statetrail_benches::cassandra_reads::{CassandraReads, Home};
use statetrail_benches::tended::tend_when_settled;
use statetrail_benches::workload::{Workload, trail, trail_every};
use statetrail_benches::{Better, Case, Report, Timing, alternate};
use statetrail_event::{EntityName, Time};
use statetrail_query::{Condition, Find, Moment, Trail, state};
use statetrail_servers::{Cassandra, CassandraOptions};
use statetrail_store::cassandra::{Address, CassandraStore, Plan, Retention, migrate};
use statetrail_store::{EntityFilter, EventStore, KnownEvent, Order, StoreError, TimelineQuery};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const ROUNDS: usize = 7;
const KEYSPACE: &str = "bench_query";
const LENGTHS: [u64; 3] = [10, 1_000, 100_000];
/// The length of the trails of which the goals speak.
const LONG: u64 = 10_000;
/// Events around the trails that are asked for; every twelfth begins an order.
const OTHER_EVENTS: usize = 240_000;
const BATCH: usize = 5_000;
const WRITERS: usize = 2;
/// How often a batch is written again.
const TRIES: usize = 20;
/// The first moment of every trail.
const BEGIN: i64 = 1_790_000_000;
const PAGE: u64 = 100;

struct Bench {
    runtime: Runtime,
    store: Arc<CassandraStore>,
    bare: CassandraReads,
    homes: HashMap<String, Home>,
    report: Report,
}

fn main() -> Result<()> {
    let options =
        CassandraOptions { heap_mib: 1_024, for_measuring: true, ..CassandraOptions::default() };
    let cassandra = Cassandra::start_with(1, &options)?;
    let runtime = Runtime::new()?;
    let nodes = cassandra.contact_points();
    let address: Address = format!("cassandra://{}/{KEYSPACE}", nodes.join(",")).parse()?;
    let store = runtime.block_on(make_store(&address))?;
    let written = Instant::now();
    runtime.block_on(fill(&store))?;
    eprintln!("written in {:.1} s", written.elapsed().as_secs_f64());
    let written = Instant::now();
    let bare = runtime.block_on(async {
        let session = SessionBuilder::new().known_nodes(nodes).build().await?;
        CassandraReads::of_store(session, KEYSPACE, store.settings().layout).await
    })?;
    let mut homes = HashMap::new();
    for name in names()? {
        let home = runtime.block_on(bare.home(KEYSPACE, &name))?;
        homes.insert(name.as_str().to_owned(), home);
    }
    let mut bench = Bench { runtime, store, bare, homes, report: Report::new("query-cassandra") };
    for length in LENGTHS {
        bench.states(length)?;
    }
    for spread in [false, true] {
        bench.state_before_last(spread, "")?;
    }
    bench.trail_page("")?;
    bench.find()?;
    bench.timeline()?;
    bench.runtime.block_on(tend_when_settled(&*bench.store, written))?;
    for spread in [false, true] {
        bench.state_before_last(spread, "-snapshots")?;
    }
    bench.state_at_random(100_000, "-snapshots")?;
    bench.trail_page("-snapshots")?;
    bench.report.write()?;
    Ok(())
}

fn named(id: &str) -> Result<EntityName> {
    Ok(EntityName::new("shop", "shelf", id)?)
}

fn entity(length: u64) -> Result<EntityName> {
    named(&format!("of-{length}"))
}

/// The entity of the long trail, in one bucket or spread over fifty.
fn long(spread: bool) -> Result<EntityName> {
    named(if spread { "spread" } else { "dense" })
}

fn names() -> Result<Vec<EntityName>> {
    LENGTHS.into_iter().map(entity).chain([long(false), long(true)]).collect()
}

/// A store for few events a second, whose buckets are a day long, with an index on states.
async fn make_store(address: &Address) -> Result<Arc<CassandraStore>> {
    let plan = Plan {
        rate: 10,
        replication: "1".parse()?,
        retention: Retention::default(),
        state_index: true,
    };
    migrate(address, &plan).await?;
    Ok(Arc::new(CassandraStore::connect(address).await?))
}

async fn fill(store: &Arc<CassandraStore>) -> Result<()> {
    let mut workload = Workload::new(1_000);
    let mut batches: Vec<Vec<KnownEvent>> =
        (0..OTHER_EVENTS / BATCH).map(|_| workload.batch(BATCH)).collect();
    let bucket = store.settings().layout.bucket_seconds;
    let mut trails: Vec<Vec<KnownEvent>> = LENGTHS
        .into_iter()
        .map(|length| Ok(trail(&entity(length)?, length)))
        .collect::<Result<_>>()?;
    trails.push(trail(&long(false)?, LONG));
    trails.push(trail_every(&long(true)?, LONG, bucket * 50 / LONG));
    for trail in trails {
        batches.extend(trail.chunks(BATCH).map(<[KnownEvent]>::to_vec));
    }
    let mut writes = JoinSet::new();
    for batch in batches {
        if writes.len() >= WRITERS
            && let Some(written) = writes.join_next().await
        {
            written??;
        }
        let store = store.clone();
        writes.spawn(async move { write(&store, &batch).await });
    }
    while let Some(written) = writes.join_next().await {
        written??;
    }
    Ok(())
}

/// Writes a batch as the sink does: a cold node that has no time is asked again.
async fn write(store: &CassandraStore, batch: &[KnownEvent]) -> Result<(), StoreError> {
    let mut written = store.write(batch).await;
    for _ in 0..TRIES {
        if !matches!(written, Err(StoreError::Unavailable { .. })) {
            break;
        }
        written = store.write(batch).await;
    }
    written
}

/// Moments all over a trail, the same ones in every run.
fn moments(length: u64, count: u64) -> Vec<Time> {
    let at = |number: u64| (number * 2_654_435_761 % (length * 1_000)) as i64 * 1_000_000;
    (0..count).map(|number| Time::from_nanos(BEGIN * 1_000_000_000 + at(number))).collect()
}

impl Bench {
    fn home(&self, name: &EntityName) -> Result<&Home> {
        self.homes.get(name.as_str()).context("an entity of this bench")
    }

    fn states(&mut self, length: u64) -> Result<()> {
        let name = entity(length)?;
        let home = self.home(&name)?;
        let found = self.runtime.block_on(self.bare.events_until(home, Time::MAX))?;
        ensure!(found == length, "the trail has {found} events instead of {length}");
        let questions = 200;
        let timing = self.alternate(
            questions,
            async |_| state(&*self.store, &name, Moment::NOW).await.expect("an answer").is_some(),
            async |_| self.bare.entity(home).await.expect("a row") > 0,
        );
        self.add(format!("state-now-{length}"), timing, questions, "bare SELECT of its row");
        self.state_at_random(length, "")
    }

    fn state_at_random(&mut self, length: u64, kind: &str) -> Result<()> {
        let name = entity(length)?;
        let home = self.home(&name)?;
        let questions = (20_000 / length).clamp(3, 200);
        let moments = moments(length, questions);
        let timing = self.alternate(
            questions,
            async |number| {
                let moment = Moment::at(moments[number]);
                state(&*self.store, &name, moment).await.expect("an answer").is_some()
            },
            async |number| self.bare.events_until(home, moments[number]).await.expect("rows") > 0,
        );
        self.add(
            format!("state-at-{length}{kind}"),
            timing,
            questions,
            "bare SELECT of its events",
        );
        Ok(())
    }

    fn state_before_last(&mut self, spread: bool, kind: &str) -> Result<()> {
        let name = long(spread)?;
        let home = self.home(&name)?;
        let last = self.runtime.block_on(self.store.entity(&name))?.context("the entity")?.last;
        let at = Time::from_nanos(last.nanos() - 1);
        let found = self.runtime.block_on(self.bare.events_until(home, at))?;
        ensure!(found == LONG - 1, "{found} events come before the last one");
        let questions = 20;
        let timing = self.alternate(
            questions,
            async |_| {
                state(&*self.store, &name, Moment::at(at)).await.expect("an answer").is_some()
            },
            async |_| self.bare.events_until(home, at).await.expect("rows") > 0,
        );
        let buckets = if spread { "50-buckets" } else { "1-bucket" };
        let case = format!("state-at-{LONG}-{buckets}{kind}");
        self.add(case, timing, questions, "bare SELECT of its events");
        Ok(())
    }

    fn trail_page(&mut self, with: &str) -> Result<()> {
        let name = entity(100_000)?;
        let home = self.home(&name)?;
        let questions = 20;
        // In the middle of the first day, so that a page lies in one bucket.
        let at = |number: usize| Time::from_nanos((BEGIN + 20_000 + number as i64) * 1_000_000_000);
        let timing = self.alternate(
            questions,
            async |number| {
                let range = (Time::MIN, at(number));
                let trail = Trail::new(&*self.store, name.clone(), range, None, Order::NewestFirst);
                trail.with_page(PAGE as usize).next_page().await.expect("a page").is_some()
            },
            async |number| {
                let rows = self.bare.page_before(home, at(number), PAGE as i32).await;
                rows.expect("rows") == PAGE
            },
        );
        self.add(format!("trail-page{with}"), timing, questions, "bare SELECT of the page");
        Ok(())
    }

    fn find(&mut self) -> Result<()> {
        // The same entities: the index knows only what is equal.
        let scanned = ["status>=paid", "status<=paid"];
        let orders = ("shop/order/", "shop/order0");
        for (case, conditions, with) in [
            ("find-scan", &scanned[..], None),
            ("find-index", &["status=paid"][..], Some(("status", "paid"))),
        ] {
            let timing = self.alternate(
                1,
                async |_| {
                    let conditions = conditions
                        .iter()
                        .map(|typed| typed.parse::<Condition>().expect("a condition"));
                    let filter = EntityFilter {
                        entity_type: Some("order".into()),
                        ..EntityFilter::default()
                    };
                    let conditions = conditions.collect();
                    let mut find = Find::new(&*self.store, filter, conditions, Moment::NOW);
                    let mut found = 0;
                    while let Some(page) = find.next_page().await.expect("a page") {
                        found += page.len();
                    }
                    found > 1_000
                },
                async |_| self.bare.entities(orders, with).await.expect("rows") > 1_000,
            );
            self.add(case.to_owned(), timing, 1, "bare SELECT of the same entities");
        }
        Ok(())
    }

    fn timeline(&mut self) -> Result<()> {
        let at = |seconds: i64| Time::from_nanos((BEGIN + seconds) * 1_000_000_000);
        let (from, to) = (at(2_000), Time::from_nanos(at(2_900).nanos() - 1));
        let questions = 3;
        let timing = self.alternate(
            questions,
            async |_| {
                let query = TimelineQuery { from, to, ..TimelineQuery::default() };
                self.store.timeline(&query).await.expect("events").len() > 1_800
            },
            async |_| {
                let rows = self.bare.timeline("shop", (from, to), &self.homes).await;
                rows.expect("rows") > 1_800
            },
        );
        self.add("timeline".to_owned(), timing, questions, "bare SELECT of places and events");
        Ok(())
    }

    /// Both sides in turns, so many questions a round. Each has to say that its answer is right.
    fn alternate(
        &self,
        questions: u64,
        ours: impl AsyncFn(usize) -> bool,
        rival: impl AsyncFn(usize) -> bool,
    ) -> Timing {
        alternate(
            ROUNDS,
            || {
                for number in 0..questions as usize {
                    assert!(black_box(self.runtime.block_on(ours(number))), "our answer");
                }
            },
            || {
                for number in 0..questions as usize {
                    assert!(black_box(self.runtime.block_on(rival(number))), "the rival's answer");
                }
            },
        )
    }

    /// Microseconds per question.
    fn add(&mut self, name: String, timing: Timing, questions: u64, rival: &'static str) {
        let each = |round: Duration| round.as_secs_f64() * 1e6 / questions as f64;
        let (value, rival_value) = (each(timing.ours), each(timing.rival));
        let rival = Some((rival, rival_value));
        self.report.add(Case { name, value, unit: "us", better: Better::Lower, rival });
    }
}
