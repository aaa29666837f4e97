//! `make bench-serve`: questions over HTTP, beside the same questions asked in this process.
//!
//! For SQLite and, with the argument `cassandra`, for a real Cassandra that is tended before it is asked:
//!
//! - `NAME-p50`, `NAME-p99`: one question at a time over a connection that is kept, beside the same
//!   question without HTTP, in turns. What the server adds is the difference.
//! - `NAME-rate`: questions a second of four clients at once, beside four threads that ask without
//!   HTTP. The clients run on the same cores as the server.
//!
//! `state-at` is the state at any moment of an entity with 1,000 events; `trail-page` a page of 100
//! events of 100,000 with the state beside each; `find` the first 100 entities in a state.
//!
//! `follow` (SQLite): 10,000 events a second are stored for ten seconds while 100 clients follow, one
//! of which reads nothing. Each of the others must get every event once, else the bench fails.
//! `follow-rate` is what all clients get a second together, `follow-late` how long after the last
//! event was stored the last client had all, `follow-memory` how much more this process holds, its
//! clients included.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use statetrail_benches::process::peak_of;
use statetrail_benches::tended::tend_when_settled;
use statetrail_benches::workload::{Workload, trail};
use statetrail_benches::{Better, Case, Report};
use statetrail_event::{EntityName, Time};
use statetrail_query::{Condition, Find, Moment, Trail, state};
use statetrail_server::access::Access;
use statetrail_server::serving::{bind, serve};
use statetrail_server::{Limits, router};
use statetrail_servers::{Cassandra, CassandraOptions};
use statetrail_store::cassandra::{CassandraStore, Plan, Retention, migrate};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{EntityFilter, EventStore, Order};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

const BATCH: usize = 5_000;
/// Events around the trails that are asked for; every twelfth begins an order.
const OTHER_EVENTS: usize = 240_000;
const LENGTHS: [u64; 2] = [1_000, 100_000];
/// The first moment of every trail.
const BEGIN: i64 = 1_790_000_000_000_000_000;
const PAGE: usize = 100;
/// Questions one after the other, of each side.
const TURNS: usize = 2_000;
/// The same of Cassandra, which takes many times as long for one.
const CASSANDRA_TURNS: usize = 300;
/// How long clients ask at once.
const ASKED_FOR: Duration = Duration::from_secs(4);
const CLIENTS: usize = 4;
const FOLLOWERS: usize = 100;
const FOLLOWED_EVENTS: usize = 100_000;
const FOLLOWED_BATCH: usize = 500;
/// Between two of those batches.
const FOLLOWED_EVERY: Duration = Duration::from_millis(50);
/// A client that has not got all by then has lost something.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    StateAt,
    TrailPage,
    Find,
}

impl Question {
    const ALL: [Question; 3] = [Question::StateAt, Question::TrailPage, Question::Find];

    fn name(self) -> &'static str {
        match self {
            Question::StateAt => "state-at",
            Question::TrailPage => "trail-page",
            Question::Find => "find",
        }
    }

    /// The address of the question with that number.
    fn path(self, number: usize) -> String {
        let at = moment(self, number);
        match self {
            Question::StateAt => format!("/api/v1/state/shop/shelf/of-1000?at={at}"),
            Question::TrailPage => {
                format!("/api/v1/trail/shop/shelf/of-100000?order=newest&to={at}")
            }
            Question::Find => "/api/v1/entities?type=order&where=status%3Dpaid".to_owned(),
        }
    }

    /// The same question without HTTP.
    async fn ask(self, store: &dyn EventStore, number: usize) -> Result<()> {
        let at = moment(self, number);
        match self {
            Question::StateAt => {
                black_box(state(store, &shelf(LENGTHS[0])?, Moment::at(at)).await?);
            }
            Question::TrailPage => {
                let (name, span) = (shelf(LENGTHS[1])?, (Time::MIN, at));
                let trail = Trail::new(store, name, span, None, Order::NewestFirst);
                black_box(trail.with_page(PAGE + 1).next_page().await?);
            }
            Question::Find => {
                let filter =
                    EntityFilter { entity_type: Some("order".into()), ..EntityFilter::default() };
                let condition: Condition = "status=paid".parse()?;
                let find = Find::new(store, filter, vec![condition], now()?);
                black_box(find.with_page(PAGE + 1).next_page().await?);
            }
        }
        Ok(())
    }
}

/// The moment that is asked about if no other is, as the server takes it.
fn now() -> Result<Moment> {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    Ok(Moment::at(Time::from_nanos(i64::try_from(nanos)?)))
}

fn shelf(length: u64) -> Result<EntityName> {
    Ok(EntityName::new("shop", "shelf", &format!("of-{length}"))?)
}

/// Moments all over the trail, the same ones in every run.
fn moment(question: Question, number: usize) -> Time {
    let length = if question == Question::StateAt { LENGTHS[0] } else { LENGTHS[1] };
    let at = number as u64 * 2_654_435_761 % (length * 1_000);
    Time::from_nanos(BEGIN + at as i64 * 1_000_000)
}

fn main() -> Result<()> {
    let runtime = Arc::new(Runtime::new()?);
    let mut report = Report::new("serve");
    if std::env::args().nth(1).as_deref() == Some("cassandra") {
        let options = CassandraOptions {
            heap_mib: 1_024,
            for_measuring: true,
            ..CassandraOptions::default()
        };
        let cassandra = Cassandra::start_with(1, &options)?;
        let store = runtime.block_on(cassandra_store(&cassandra))?;
        questions(&mut report, &runtime, store, "cassandra-", CASSANDRA_TURNS)?;
    } else {
        let folder = tempfile::tempdir()?;
        // First, as the most memory that was ever held is what a system tells.
        let store = Arc::new(SqliteStore::open(&folder.path().join("followed.db"))?);
        follow(&mut report, &runtime, store)?;
        let store = Arc::new(SqliteStore::open(&folder.path().join("store.db"))?);
        runtime.block_on(fill(&*store))?;
        questions(&mut report, &runtime, store, "", TURNS)?;
    }
    report.write()?;
    Ok(())
}

async fn cassandra_store(cassandra: &Cassandra) -> Result<Arc<CassandraStore>> {
    let address = format!("cassandra://{}/bench_serve", cassandra.contact_points().join(","));
    let address = address.parse()?;
    let plan = Plan {
        rate: 10,
        replication: "1".parse()?,
        retention: Retention::default(),
        state_index: true,
    };
    migrate(&address, &plan).await?;
    let store = CassandraStore::connect(&address).await?;
    fill(&store).await?;
    tend_when_settled(&store, Instant::now()).await?;
    Ok(Arc::new(store))
}

/// The trails that are asked for come in among others, as they would in a log.
async fn fill(store: &dyn EventStore) -> Result<()> {
    let mut workload = Workload::new(1_000);
    for _ in 0..OTHER_EVENTS / BATCH {
        store.append(&workload.batch(BATCH)).await?;
    }
    for length in LENGTHS {
        for batch in trail(&shelf(length)?, length).chunks(BATCH) {
            store.append(batch).await?;
        }
    }
    Ok(())
}

/// A server in this process.
fn start(runtime: &Runtime, store: Arc<dyn EventStore>) -> Result<SocketAddr> {
    let limits = Limits::default();
    let listener = runtime.block_on(bind(([127, 0, 0, 1], 0).into()))?;
    let address = listener.local_addr()?;
    let _inside = runtime.enter();
    let server = router(store, Access::default(), limits.clone());
    runtime.spawn(server.background);
    runtime.spawn(async move {
        serve(listener, server.router, None, &limits, std::future::pending()).await;
    });
    Ok(address)
}

fn questions(
    report: &mut Report,
    runtime: &Arc<Runtime>,
    store: Arc<dyn EventStore>,
    prefix: &str,
    turns: usize,
) -> Result<()> {
    let address = start(runtime, Arc::clone(&store))?;
    for question in Question::ALL {
        let name = format!("{prefix}{}", question.name());
        for (percentile, ours, bare) in in_turns(runtime, &*store, address, question, turns)? {
            report.add(Case {
                name: format!("{name}-{percentile}"),
                value: ours.as_secs_f64() * 1e3,
                unit: "ms",
                better: Better::Lower,
                rival: Some(("the same without HTTP", bare.as_secs_f64() * 1e3)),
            });
        }
        at_once(report, runtime, &store, address, question, &name)?;
    }
    Ok(())
}

/// How long a question takes with and without HTTP: half of them less, and 99 of 100.
fn in_turns(
    runtime: &Runtime,
    store: &dyn EventStore,
    address: SocketAddr,
    question: Question,
    turns: usize,
) -> Result<[(&'static str, Duration, Duration); 2]> {
    let mut client = Client::connect(address)?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for number in 0..turns + turns / 10 {
        let begun = Instant::now();
        client.get(&question.path(number))?;
        let between = Instant::now();
        runtime.block_on(question.ask(store, number))?;
        // The first ones warm up.
        if number >= turns / 10 {
            ours.push(between - begun);
            bare.push(between.elapsed());
        }
    }
    ours.sort_unstable();
    bare.sort_unstable();
    Ok([("p50", turns / 2), ("p99", turns * 99 / 100)].map(|(name, at)| (name, ours[at], bare[at])))
}

fn at_once(
    report: &mut Report,
    runtime: &Arc<Runtime>,
    store: &Arc<dyn EventStore>,
    address: SocketAddr,
    question: Question,
    name: &str,
) -> Result<()> {
    let ours = rate(|number, answered| {
        let mut client = Client::connect(address)?;
        let begun = Instant::now();
        let mut number = number;
        while begun.elapsed() < ASKED_FOR {
            client.get(&question.path(number))?;
            number += CLIENTS;
            answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    })?;
    let bare = rate(|number, answered| {
        let begun = Instant::now();
        let mut number = number;
        while begun.elapsed() < ASKED_FOR {
            runtime.block_on(question.ask(&**store, number))?;
            number += CLIENTS;
            answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    })?;
    report.add(Case {
        name: format!("{name}-rate"),
        value: ours,
        unit: "/s",
        better: Better::Higher,
        rival: Some(("the same without HTTP", bare)),
    });
    Ok(())
}

/// Questions a second of all clients together.
fn rate(client: impl Fn(usize, &AtomicUsize) -> Result<()> + Sync) -> Result<f64> {
    let answered = AtomicUsize::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        let (client, answered) = (&client, &answered);
        let clients: Vec<_> =
            (0..CLIENTS).map(|number| scope.spawn(move || client(number, answered))).collect();
        clients.into_iter().try_for_each(|client| match client.join() {
            Ok(ended) => ended,
            Err(_) => bail!("a client died"),
        })
    })?;
    Ok(answered.into_inner() as f64 / begun.elapsed().as_secs_f64())
}

/// A connection that is kept.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Client(BufReader::new(stream)))
    }

    /// The bytes of the answer, which must be a good one.
    fn get(&mut self, path: &str) -> Result<usize> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes())?;
        let (mut line, mut length) = (String::new(), 0);
        self.0.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 200"), "{path}: {line}");
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse()?;
            }
        }
        ensure!(length > 2, "{path}: an empty answer");
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(length)
    }
}

fn follow(report: &mut Report, runtime: &Arc<Runtime>, store: Arc<SqliteStore>) -> Result<()> {
    let address = start(runtime, Arc::clone(&store) as Arc<dyn EventStore>)?;
    let before = peak();
    let stalled = runtime.block_on(Follower::enter(address))?;
    let mut followers = Vec::new();
    for _ in 1..FOLLOWERS {
        let follower = runtime.block_on(Follower::enter(address))?;
        followers.push(runtime.spawn(follower.take(FOLLOWED_EVENTS)));
    }
    let mut workload = Workload::new(1_000);
    let mut sum = 0_u64;
    let begun = Instant::now();
    for number in 0..FOLLOWED_EVENTS / FOLLOWED_BATCH {
        let batch = workload.batch(FOLLOWED_BATCH);
        for known in &batch {
            let hex = known.event.id.to_string();
            sum = sum.wrapping_add(start_of(hex.as_bytes()).context("an id")?);
        }
        let due = FOLLOWED_EVERY * u32::try_from(number)?;
        thread::sleep(due.saturating_sub(begun.elapsed()));
        runtime.block_on(store.append(&batch))?;
    }
    let stored = begun.elapsed();
    for follower in followers {
        let waiting = async { tokio::time::timeout(FOLLOWED_WITHIN, follower).await };
        let taken = runtime.block_on(waiting);
        let taken = taken.context("a client did not get every event")???;
        ensure!(taken == sum, "a client got other events than were stored, or one of them twice");
    }
    let taken = begun.elapsed();
    let memory = peak().saturating_sub(before);
    drop(stalled);
    let events = (FOLLOWED_EVENTS * (FOLLOWERS - 1)) as f64;
    let figures = [
        (
            "follow-stored",
            FOLLOWED_EVENTS as f64 / stored.as_secs_f64(),
            "events/s",
            Better::Higher,
        ),
        ("follow-rate", events / taken.as_secs_f64(), "events/s", Better::Higher),
        ("follow-late", (taken - stored).as_secs_f64(), "s", Better::Lower),
        ("follow-memory", memory as f64 / f64::from(1 << 20), "MiB", Better::Lower),
    ];
    for (name, value, unit, better) in figures {
        report.add(Case { name: name.to_owned(), value, unit, better, rival: None });
    }
    Ok(())
}

/// A client that follows everything.
struct Follower(tokio::net::TcpStream);

impl Follower {
    /// Follows from when this returns: the server has told it its place.
    async fn enter(address: SocketAddr) -> Result<Follower> {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(b"GET /api/v1/follow HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
        let mut head = Vec::new();
        while !head.windows(12).any(|part| part == b"event: place") {
            ensure!(stream.read_buf(&mut head).await? > 0, "the server ended the connection");
        }
        Ok(Follower(stream))
    }

    /// Reads until so many events have come. Returns the sum of what their ids begin with, which
    /// is another one if any of them came twice.
    async fn take(mut self, events: usize) -> Result<u64> {
        let (mut taken, mut sum, mut rest) = (0, 0_u64, Vec::with_capacity(1 << 17));
        while taken < events {
            ensure!(self.0.read_buf(&mut rest).await? > 0, "the server ended the connection");
            let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            for line in rest[..whole].split(|byte| *byte == b'\n') {
                if line.starts_with(b"data: {") {
                    let id = line.strip_suffix(b"\"}").and_then(|line| line.last_chunk::<32>());
                    let id = id.and_then(|id| start_of(id)).context("an event without an id")?;
                    sum = sum.wrapping_add(id);
                    taken += 1;
                }
            }
            rest.drain(..whole);
        }
        Ok(sum)
    }
}

/// The number that an id in hexadecimal digits begins with.
fn start_of(id: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(id.get(..16)?).ok()?, 16).ok()
}

fn peak() -> u64 {
    peak_of(std::process::id()).unwrap_or_default()
}
