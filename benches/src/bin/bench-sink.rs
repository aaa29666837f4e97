//! `make bench-sink`: Kafka to Cassandra, beside bare loops of the same driver on the same node.
//!
//! For each spread of events over entities, in one run:
//!
//! - `NAME`: statetrail-sink, a process of its own that writes all its tables, fed from Kafka;
//! - its rival `bare insert`: a loop of single-row prepared inserts into one table, the events in
//!   memory, at its best concurrency;
//! - its rival `bare insert, from Kafka`: the same loop fed from the same topic;
//! - its rival `bare inserts of all tables`: a loop that writes a row of each of our tables, one
//!   request each.
//!
//! `half-load-pN` is the time from Kafka to stored at half of the first case's rate;
//! `growth-million-N` is the N-th million into one store; `waiting-memory` is the most that the
//! sink has resident while Cassandra is stopped and millions of events wait: the usual ones, and
//! two kinds that take more memory than their messages have bytes.
//!
//! Arguments: the number of events (500000), then which parts, all but those with a number if none
//! is named: names of spreads, `half-load`, and with a number of millions `growth=20`, `waiting=5`,
//! `waiting-small=5` and `waiting-wide=1`.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use statetrail_benches::sink::bare::{BareInsert, BareTables, from_channel, from_memory};
use statetrail_benches::sink::events::{Events, SPREADS, Spread, now};
use statetrail_benches::sink::run::Sink;
use statetrail_benches::sink::servers::{Servers, Used, Watch};
use statetrail_benches::sink::topic;
use statetrail_benches::{Better, Case, Report};
use statetrail_event::{Change, Event};
use statetrail_servers::released_program;
use tokio::sync::mpsc::channel;

/// What the store is made for.
const RATE: u64 = 2_000;
/// Concurrencies that the bare loop tries.
const AT_ONCE: [usize; 3] = [64, 128, 256];
/// A cold Cassandra costs twice as much.
const WARM_UP: usize = 200_000;
/// Events that are stored before Cassandra is stopped, and again after it was.
const AROUND_THE_STOP: u64 = 200_000;
/// How long Cassandra is stopped. The sink has read as much as it may long before.
const STOPPED_FOR: Duration = Duration::from_secs(30);
/// What waits meanwhile is made of the usual events.
type Form = fn(Event) -> Event;
const WAITING: [(&str, Form); 3] =
    [("waiting", |event| event), ("waiting-small", small), ("waiting-wide", wide)];
/// Fields that a wide event sets.
const WIDE_FIELDS: i64 = 100;
/// Events before half a load is measured.
const BEFORE_HALF_LOAD: usize = 20_000;
const HALF_LOAD_SECONDS: f64 = 30.0;
/// What the sink measures from Kafka's time of a record to its being stored.
const LATENCY: &str = "sink_kafka_to_stored_seconds";

struct Bench {
    servers: Servers,
    sink: PathBuf,
    report: Report,
    events: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let events = arguments.next().map_or(Ok(500_000), |number| number.parse())?;
    let mut bench = Bench {
        sink: released_program("statetrail-sink")?,
        servers: Servers::start()?,
        report: Report::new("sink"),
        events,
    };
    let at_once = bench.warm_up().await?;
    println!("the bare loop is fastest with {at_once} requests at a time");
    let parts: Vec<String> = arguments.collect();
    let is_wanted = |name: &str| parts.is_empty() || parts.iter().any(|part| part == name);
    for spread in SPREADS.into_iter().filter(|spread| is_wanted(spread.name)) {
        bench.spread(spread, at_once).await?;
    }
    if is_wanted("half-load") {
        bench.half_load().await?;
    }
    for part in &parts {
        if let Some(millions) = part.strip_prefix("growth=") {
            bench.growth(millions.parse()?).await?;
        }
        for (name, form) in WAITING {
            if let Some(millions) = part.strip_prefix(name).and_then(|it| it.strip_prefix('=')) {
                bench.waiting(name, millions.parse()?, form).await?;
            }
        }
    }
    bench.report.write()?;
    Ok(())
}

impl Bench {
    /// Warms both ways up, and finds the concurrency at which the bare loop is fastest.
    async fn warm_up(&mut self) -> Result<usize> {
        let spread = Spread { name: "warm-up", ..SPREADS[0] };
        let all: Arc<Vec<Event>> = Arc::new(Events::new(spread, now()).take(WARM_UP).collect());
        self.sink_run("warm_up", all.iter().cloned(), WARM_UP as u64).await?;
        let mut best = (AT_ONCE[0], Duration::MAX);
        for at_once in AT_ONCE {
            let used = self.bare("warm_up", &all, at_once).await?;
            if used.wall < best.1 {
                best = (at_once, used.wall);
            }
        }
        self.bare_tables("warm_up", &all, best.0).await?;
        Ok(best.0)
    }

    async fn spread(&mut self, spread: Spread, at_once: usize) -> Result<()> {
        let all: Arc<Vec<Event>> = Arc::new(Events::new(spread, now()).take(self.events).collect());
        let keyspace = spread.name.replace('-', "_");
        let bare = self.bare(&keyspace, &all, at_once).await?;
        let (ours, rows_a_request) =
            self.sink_run(&keyspace, all.iter().cloned(), self.events as u64).await?;
        let from_kafka = self.bare_from_kafka(&keyspace, at_once).await?;
        let tables = self.bare_tables(&keyspace, &all, at_once).await?;
        let name = spread.name;
        for (rival, used) in [
            ("bare insert", bare),
            ("bare insert, from Kafka", from_kafka),
            ("bare inserts of all tables", tables),
        ] {
            self.add(name, "events/s", Better::Higher, self.rate(ours), (rival, self.rate(used)));
            let cpu = |used: Used| self.cpu(used.cassandra);
            let case = format!("{name}-cassandra-cpu");
            self.add(&case, "s/100k", Better::Lower, cpu(ours), (rival, cpu(used)));
            let cpu = |used: Used| self.cpu(used.own);
            let case = format!("{name}-own-cpu");
            self.add(&case, "s/100k", Better::Lower, cpu(ours), (rival, cpu(used)));
        }
        self.alone(&format!("{name}-rows-a-request"), "rows", Better::Higher, rows_a_request);
        self.alone(&format!("{name}-memory"), "MiB", Better::Lower, mebibytes(ours.resident));
        Ok(())
    }

    fn rate(&self, used: Used) -> f64 {
        self.events as f64 / used.wall.as_secs_f64()
    }

    /// Seconds per 100,000 events.
    fn cpu(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 100_000.0 / self.events as f64
    }

    fn add(
        &mut self,
        name: &str,
        unit: &'static str,
        better: Better,
        value: f64,
        rival: (&'static str, f64),
    ) {
        self.report.add(Case { name: name.to_owned(), value, unit, better, rival: Some(rival) });
    }

    fn alone(&mut self, name: &str, unit: &'static str, better: Better, value: f64) {
        self.report.add(Case { name: name.to_owned(), value, unit, better, rival: None });
    }

    /// Fills a topic, then lets the sink empty it. Returns rows a request too.
    async fn sink_run(
        &self,
        keyspace: &str,
        events: impl Iterator<Item = Event> + Send,
        count: u64,
    ) -> Result<(Used, f64)> {
        let store = self.servers.make_store(keyspace, RATE).await?.place();
        let brokers = self.servers.kafka.brokers().to_owned();
        topic::make(&brokers, keyspace).await?;
        topic::fill(&brokers, keyspace, events)?;
        self.servers.settle().await?;
        let watch = self.servers.watch()?;
        let mut sink = Sink::start(&self.sink, &brokers, keyspace, &store)?;
        sink.wait_for_events(count)?;
        let own = sink.cpu_time()?;
        let used = Used { own, resident: sink.peak_bytes(), ..self.used_since(&watch).await? };
        let rows = sink.metric("sink_store_rows_total")?;
        let requests = sink.metric("sink_store_requests_total")?;
        sink.stop()?;
        Ok((used, rows / requests))
    }

    /// What was used, Cassandra's work behind the scenes included, but not the wait for it.
    async fn used_since(&self, watch: &Watch<'_>) -> Result<Used> {
        let used = watch.used()?;
        self.servers.settle().await?;
        Ok(Used { cassandra: watch.used()?.cassandra, ..used })
    }

    async fn bare(&self, keyspace: &str, all: &Arc<Vec<Event>>, at_once: usize) -> Result<Used> {
        let session = Arc::new(self.servers.session().await?);
        let insert = BareInsert::prepare(session, &format!("{keyspace}_bare")).await?;
        self.servers.settle().await?;
        let watch = self.servers.watch()?;
        let write = move |all: Arc<Vec<Event>>, index: usize| {
            let insert = insert.clone();
            async move { insert.write(&all[index]).await }
        };
        from_memory(all.clone(), at_once, write).await?;
        self.used_since(&watch).await
    }

    async fn bare_tables(
        &self,
        keyspace: &str,
        all: &Arc<Vec<Event>>,
        at_once: usize,
    ) -> Result<Used> {
        let session = Arc::new(self.servers.session().await?);
        let tables = BareTables::prepare(session, &format!("{keyspace}_bare")).await?;
        self.servers.settle().await?;
        let watch = self.servers.watch()?;
        let write = move |all: Arc<Vec<Event>>, index: usize| {
            let tables = tables.clone();
            async move { tables.write(&all[index]).await }
        };
        from_memory(all.clone(), at_once, write).await?;
        self.used_since(&watch).await
    }

    async fn bare_from_kafka(&self, keyspace: &str, at_once: usize) -> Result<Used> {
        let session = Arc::new(self.servers.session().await?);
        let insert = BareInsert::prepare(session, &format!("{keyspace}_bare_2")).await?;
        let (sender, receiver) = channel(8);
        let (brokers, topic) = (self.servers.kafka.brokers().to_owned(), keyspace.to_owned());
        let count = self.events;
        self.servers.settle().await?;
        let watch = self.servers.watch()?;
        let reader = thread::spawn(move || topic::drain(&brokers, &topic, count, &sender));
        from_channel(receiver, at_once, insert).await?;
        let ended = reader.join();
        ended.map_err(|_| anyhow::anyhow!("the reader of the topic panicked"))??;
        self.used_since(&watch).await
    }

    /// Half a minute at half of the rate that the sink reached first, once it is at work: what waits
    /// while it joins its group tells nothing of the load.
    async fn half_load(&mut self) -> Result<()> {
        let Some(full) = self.report.value_of(SPREADS[0].name) else { return Ok(()) };
        let rate = full / 2.0;
        let name = "half_load";
        let store = self.servers.make_store(name, RATE).await?.place();
        let brokers = self.servers.kafka.brokers().to_owned();
        topic::make(&brokers, name).await?;
        let mut sink = Sink::start(&self.sink, &brokers, name, &store)?;
        let mut events = Events::new(SPREADS[0], now());
        topic::fill(&brokers, name, events.by_ref().take(BEFORE_HALF_LOAD))?;
        sink.wait_for_events(BEFORE_HALF_LOAD as u64)?;
        let before = sink.histogram(LATENCY)?;
        let count = (rate * HALF_LOAD_SECONDS) as usize;
        let paced = topic::paced(events.take(count), rate);
        topic::fill(&brokers, name, paced)?;
        sink.wait_for_events((BEFORE_HALF_LOAD + count) as u64)?;
        let after = sink.histogram(LATENCY)?;
        for (share, case) in [(0.5, "half-load-p50"), (0.99, "half-load-p99")] {
            let seconds = after.quantile_since(&before, share);
            self.alone(case, "s (at most)", Better::Lower, seconds);
        }
        sink.stop()
    }

    /// Cassandra stops while millions of events wait.
    async fn waiting(&mut self, case: &str, millions: usize, form: Form) -> Result<()> {
        let name = &case.replace('-', "_");
        let store = self.servers.make_store(name, RATE).await?.place();
        let brokers = self.servers.kafka.brokers().to_owned();
        topic::make(&brokers, name).await?;
        let events = Events::new(SPREADS[0], now()).map(form);
        topic::fill(&brokers, name, events.take(millions * 1_000_000))?;
        let mut sink = Sink::start(&self.sink, &brokers, name, &store)?;
        sink.wait_for_events(AROUND_THE_STOP)?;
        self.servers.cassandra.node(0)?.stop()?;
        thread::sleep(STOPPED_FOR);
        self.servers.cassandra.restart(0)?;
        sink.wait_for_events(2 * AROUND_THE_STOP)?;
        let memory = mebibytes(sink.peak_bytes());
        self.alone(&format!("{case}-memory"), "MiB", Better::Lower, memory);
        sink.stop()
    }

    /// Million after million into one store.
    async fn growth(&mut self, millions: u64) -> Result<()> {
        let name = "growth";
        let store = self.servers.make_store(name, RATE).await?.place();
        let brokers = self.servers.kafka.brokers().to_owned();
        topic::make(&brokers, name).await?;
        let (filler_brokers, total) = (brokers.clone(), millions * 1_000_000);
        let spread = Spread { entities: total / 20, ..SPREADS[0] };
        let filler = thread::spawn(move || {
            topic::fill(&filler_brokers, name, Events::new(spread, now()).take(total as usize))
        });
        filler.join().map_err(|_| anyhow::anyhow!("the producer panicked"))??;
        let mut sink = Sink::start(&self.sink, &brokers, name, &store)?;
        let (mut before, mut cpu_before) = (Instant::now(), Duration::ZERO);
        for million in 1..=millions {
            sink.wait_for_events(million * 1_000_000)?;
            let cpu = sink.cpu_time()?;
            let case = format!("growth-million-{million}");
            let rate = 1_000_000.0 / before.elapsed().as_secs_f64();
            self.alone(&case, "events/s", Better::Higher, rate);
            let own = (cpu - cpu_before).as_secs_f64() / 10.0;
            self.alone(&format!("{case}-own-cpu"), "s/100k", Better::Lower, own);
            let memory = mebibytes(sink.peak_bytes());
            self.alone(&format!("{case}-memory"), "MiB", Better::Lower, memory);
            (before, cpu_before) = (Instant::now(), cpu);
        }
        sink.stop()
    }
}

/// Without its line, and with one change.
fn small(mut event: Event) -> Event {
    event.line = None;
    event.changes.truncate(1);
    event
}

/// With many short fields.
fn wide(mut event: Event) -> Event {
    event.changes = (0..WIDE_FIELDS).map(|field| Change::set(format!("f{field}"), field)).collect();
    event
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
