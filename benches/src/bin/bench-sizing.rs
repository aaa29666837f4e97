//! `make bench-sizing`: what a load costs each part, and what ten and a hundred times as much would.
//!
//! Events of the first spread of `make bench-sink` come at a steady rate, and as fast as they are
//! stored, through a real Kafka and the released sink into all tables of one Cassandra. Cost is CPU
//! time of each process for 1,000 events a second, memory that it has resident, and bytes of disk an
//! event, once Cassandra has ended and so has nothing in memory. Where `FLUENT_BIT` names one, lines
//! go through the filter in it as well, as in `make bench-edge`.
//!
//! The tables at the end are what docs/operate.md shows. A load counts as measured only if it was kept
//! up; others are computed in proportion from events that come as fast as they are stored.
//!
//! Argument: for how many seconds each rate is kept (60).

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use statetrail_benches::edge::run::{Bench as Edge, Way};
use statetrail_benches::edge::workload::{Kind, Workload};
use statetrail_benches::sink::events::{Events, SPREADS, now};
use statetrail_benches::sink::run::Sink;
use statetrail_benches::sink::servers::Servers;
use statetrail_benches::sink::topic;
use statetrail_benches::{Better, Case, Report, median};
use statetrail_servers::released_program;

/// Rates that are tried.
const RATES: [u64; 2] = [1_000, 10_000];
/// What the tables tell of.
const LOADS: [u64; 3] = [1_000, 10_000, 100_000];
/// A rate counts as kept if so much of it was stored in time.
const KEPT: f64 = 0.95;
const SECONDS: u64 = 60;
/// A cold Cassandra costs twice as much.
const WARM_UP: usize = 200_000;
/// Events before a rate is measured, so that the sink is at work.
const BEFORE: usize = 20_000;
/// Events that come as fast as they can.
const FAST: usize = 500_000;
/// As the shipped configurations of Fluent Bit have it.
const CODEC: &str = "lz4";
const LINES: usize = 200_000;
const ROUNDS: usize = 3;
/// Shares of lines that match.
const PERCENTS: [usize; 2] = [10, 50];

/// What one load cost. CPU is in seconds for each event.
#[derive(Clone)]
struct Cost {
    /// Events a second that were stored.
    rate: f64,
    sink: f64,
    cassandra: f64,
    kafka: f64,
    /// Bytes of disk for each event, known in the end.
    cassandra_disk: f64,
    kafka_disk: f64,
}

/// CPU seconds for each line, with the share of lines that match.
struct Filter {
    interpreted: f64,
    ahead: Option<f64>,
}

struct Bench {
    servers: Servers,
    sink: PathBuf,
    report: Report,
}

#[tokio::main]
async fn main() -> Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(SECONDS), |seconds| seconds.parse())?;
    let filters = filters()?;
    let mut bench = Bench {
        sink: released_program("statetrail-sink")?,
        servers: Servers::start()?,
        report: Report::new("sizing"),
    };
    bench.warm_up().await?;
    let mut costs = Vec::new();
    for rate in RATES {
        costs.push((rate, bench.load(&name(rate), Some(rate), seconds).await?));
    }
    let mut fast = bench.load("fast", None, seconds).await?;
    bench.servers.cassandra.node(0)?.stop()?;
    for (rate, cost) in &mut costs {
        bench.disk(&name(*rate), (BEFORE as u64 + *rate * seconds) as f64, cost)?;
    }
    bench.disk("fast", (BEFORE + FAST) as f64, &mut fast)?;
    for (percent, filter) in &filters {
        let mut add = |way: &str, cost: f64| {
            bench.alone(&format!("filter-{way}-match{percent}"), "% of 1k/s", cost * 100_000.0);
        };
        add("interpreted", filter.interpreted);
        if let Some(ahead) = filter.ahead {
            add("ahead", ahead);
        }
    }
    bench.report.write()?;
    let kept = costs.iter().filter(|(rate, cost)| cost.rate >= KEPT * *rate as f64);
    let kept: Vec<(u64, Cost)> = kept.cloned().collect();
    let half = filters.iter().find(|(percent, _)| *percent == 50);
    print_tables(&kept, &fast, half.map(|(_, filter)| filter));
    Ok(())
}

fn name(rate: u64) -> String {
    format!("rate_{rate}")
}

impl Bench {
    async fn warm_up(&mut self) -> Result<()> {
        let mut sink = self.start("warm_up", RATES[1]).await?;
        self.fill("warm_up", Events::new(SPREADS[0], now()).take(WARM_UP))?;
        sink.wait_for_events(WARM_UP as u64)?;
        sink.stop()
    }

    /// A sink between a new topic and a new store for that rate.
    async fn start(&self, name: &str, rate: u64) -> Result<Sink> {
        let store = self.servers.make_store(name, rate).await?.place();
        topic::make(self.servers.kafka.brokers(), name).await?;
        Sink::start(&self.sink, self.servers.kafka.brokers(), name, &store)
    }

    fn fill(
        &self,
        name: &str,
        events: impl Iterator<Item = statetrail_event::Event>,
    ) -> Result<()> {
        topic::fill_compressed(self.servers.kafka.brokers(), name, CODEC, events).map(drop)
    }

    /// Lets events come at a rate for some time, or a number of them as fast as can be.
    async fn load(&mut self, name: &str, rate: Option<u64>, seconds: u64) -> Result<Cost> {
        let mut sink = self.start(name, rate.unwrap_or(RATES[1])).await?;
        let mut events = Events::new(SPREADS[0], now());
        self.fill(name, events.by_ref().take(BEFORE))?;
        sink.wait_for_events(BEFORE as u64)?;
        let watch = self.servers.watch()?;
        let sink_before = sink.cpu_time()?;
        let count = match rate {
            Some(rate) => {
                let count = (rate * seconds) as usize;
                self.fill(name, topic::paced(events.take(count), rate as f64))?;
                count
            }
            None => {
                self.fill(name, events.take(FAST))?;
                FAST
            }
        };
        sink.wait_for_events((BEFORE + count) as u64)?;
        let used = watch.used()?;
        let an_event = |time: Duration| time.as_secs_f64() / count as f64;
        let cost = Cost {
            rate: count as f64 / used.wall.as_secs_f64(),
            sink: an_event(sink.cpu_time()? - sink_before),
            cassandra: an_event(used.cassandra),
            kafka: an_event(used.kafka),
            cassandra_disk: 0.0,
            kafka_disk: 0.0,
        };
        let case = |part: &str| format!("{}-{part}", name.replace('_', "-"));
        self.report.add(Case {
            name: case("stored"),
            value: cost.rate,
            unit: "events/s",
            better: Better::Higher,
            rival: None,
        });
        let (cassandra, kafka) = (self.servers.cassandra.node(0)?, self.servers.kafka.server()?);
        let (cassandra, kafka) = (cassandra.resident_bytes()?, kafka.resident_bytes()?);
        for (part, cpu, bytes) in [
            ("sink", cost.sink, sink.peak_bytes()),
            ("cassandra", cost.cassandra, cassandra),
            ("kafka", cost.kafka, kafka),
        ] {
            // Of one core, in percent, for 1,000 events a second.
            self.alone(&case(part), "% of 1k/s", cpu * 100_000.0);
            self.alone(&case(&format!("{part}-memory")), "MiB", bytes as f64 / f64::from(1 << 20));
        }
        sink.stop()?;
        Ok(cost)
    }

    /// What lies on disk of a load, once Cassandra has ended.
    fn disk(&mut self, name: &str, events: f64, cost: &mut Cost) -> Result<()> {
        let tables = self.servers.cassandra.table_bytes(0, name)?;
        let case = |part: &str| format!("{}-{part}", name.replace('_', "-"));
        for (table, bytes) in &tables {
            // Small ones do not grow with events.
            if *bytes as f64 >= events {
                self.alone(&case(&format!("disk-{table}")), "B/event", *bytes as f64 / events);
            }
        }
        cost.cassandra_disk = tables.values().sum::<u64>() as f64 / events;
        cost.kafka_disk = self.servers.kafka.topic_bytes(name)? as f64 / events;
        self.alone(&case("disk-cassandra"), "B/event", cost.cassandra_disk);
        self.alone(&case("disk-kafka"), "B/event", cost.kafka_disk);
        Ok(())
    }

    fn alone(&mut self, name: &str, unit: &'static str, value: f64) {
        let name = name.to_owned();
        self.report.add(Case { name, value, unit, better: Better::Lower, rival: None });
    }
}

/// What the filter costs in a real Fluent Bit, for each share of lines that match.
fn filters() -> Result<Vec<(usize, Filter)>> {
    let Some(edge) = Edge::new()? else { return Ok(Vec::new()) };
    let mut filters = Vec::new();
    for percent in PERCENTS {
        let workload = Workload { kind: Kind::Text, kubernetes: false, percent, rules: 10 };
        fs::write(edge.path().join("rules/rules.yaml"), workload.rule_file())?;
        workload.write_records(&edge.path().join("records"), LINES)?;
        let ways: Vec<Way> =
            edge.ways().into_iter().filter(|way| !matches!(way, Way::Floor | Way::Lua)).collect();
        let mut times: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
        for _ in 0..ROUNDS {
            for (way, times) in ways.iter().zip(&mut times) {
                times.push(edge.run(*way, "records", None)?);
            }
        }
        let seconds: Vec<f64> = times.iter_mut().map(|it| median(it).as_secs_f64()).collect();
        let none = *seconds.first().context("a run without a filter")?;
        let a_line = |of: Way| {
            let index = ways.iter().position(|way| *way == of)?;
            Some((seconds[index] - none) / LINES as f64)
        };
        let interpreted = a_line(Way::Ours).context("a run with the filter")?;
        filters.push((percent, Filter { interpreted, ahead: a_line(Way::Ahead) }));
    }
    Ok(filters)
}

/// The tables of docs/operate.md.
fn print_tables(kept: &[(u64, Cost)], fast: &Cost, filter: Option<&Filter>) {
    println!("\nOne copy of everything; CPU in cores, disk in GB a day:\n");
    println!("| events a second | | sink | Cassandra | Kafka | Cassandra's disk | Kafka's disk |");
    println!("|---|---|---|---|---|---|---|");
    for load in LOADS {
        let (how, cost) = cost_of(load, kept, fast);
        let cores = |cpu: f64| cpu * load as f64;
        let disk = |bytes: f64| bytes * load as f64 * 86_400.0 / 1e9;
        println!(
            "| {load} | {how} | {:.3} | {:.2} | {:.3} | {:.0} | {:.0} |",
            cores(cost.sink),
            cores(cost.cassandra),
            cores(cost.kafka),
            disk(cost.cassandra_disk),
            disk(cost.kafka_disk),
        );
    }
    println!("\nComputed: three copies, events kept for 400 days, messages for 7; disk in TB:\n");
    println!(
        "| events a second | filter on all nodes, interpreted, half of the lines match | sinks | \
         Cassandra, CPU of all nodes | Cassandra, disk | Kafka, disk |"
    );
    println!("|---|---|---|---|---|---|");
    for load in LOADS {
        let (_, cost) = cost_of(load, kept, fast);
        let cores = |cpu: f64| cpu * load as f64;
        let disk = |bytes: f64, days: f64| 3.0 * bytes * load as f64 * days * 86_400.0 / 1e12;
        // An event in every second line.
        let filter = filter.map(|filter| format!("{:.2} cores", 2.0 * cores(filter.interpreted)));
        println!(
            "| {load} | {} | {:.2} cores | {:.1} cores | {:.1} | {:.2} |",
            filter.unwrap_or("not measured".to_owned()),
            cores(cost.sink),
            3.0 * cores(cost.cassandra),
            disk(cost.cassandra_disk, 400.0),
            disk(cost.kafka_disk, 7.0),
        );
    }
}

/// What a load costs for each event, and how that is known: what it costs to run at all is in the figures of
/// small loads, so larger ones are computed from the most.
fn cost_of<'c>(load: u64, kept: &'c [(u64, Cost)], fast: &'c Cost) -> (String, &'c Cost) {
    match kept.iter().find(|(rate, _)| *rate == load) {
        Some((_, cost)) => ("measured".to_owned(), cost),
        None => (format!("computed from {:.0}, the most", fast.rate), fast),
    }
}
