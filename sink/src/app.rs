//! From the command line to the exit code: settings, logging, connections, threads, end.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use statetrail_store::EventStore;

use crate::args::{self, Action};
use crate::backoff::{Backoff, random};
use crate::dead_letter::DeadLetters;
use crate::exit::{Exit, Failure};
use crate::health::Health;
use crate::intake::{Ended, Intake, Parts, WRITERS};
use crate::kafka::{
    ConsumerEvents, check_clients, check_topics, consumer_config, dead_letters_missing,
    make_dead_letters,
};
use crate::metrics::Metrics;
use crate::settings::{Settings, show};
use crate::writer::Writer;
use crate::{commit, http, lag, logging, store};

/// Threads of the runtime: they serve HTTP and the store's network.
const RUNTIME_THREADS: usize = 2;
/// How long leaving the group may take; if it takes longer, the group notices by itself.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// How long a check waits for servers.
const CHECK_WITHIN: Duration = Duration::from_secs(5);

/// Does what the process was started with.
pub fn run_from_environment() -> Exit {
    let environment = || {
        // A variable that is no text is none of ours.
        let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(texts).collect()
    };
    let args = match args::parse(std::env::args_os(), environment) {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            tell(&one_line(&error));
            return Exit::Settings;
        }
        Err(help) => {
            // Nobody is to be told if the output is closed.
            let _ = help.print();
            return Exit::Done;
        }
    };
    let shown = (args.action == Action::Print).then(|| show(&args.layers));
    let settings = match Settings::check(args.layers) {
        Ok(settings) => settings,
        Err(faults) => {
            faults.iter().for_each(|fault| tell(&format!("error: {fault}")));
            return Exit::Settings;
        }
    };
    if let Some(shown) = shown {
        say(shown.trim_end());
        return Exit::Done;
    }
    let result = match args.action {
        Action::Check => check_settings(&settings),
        Action::CheckConnections => check_connections(&settings),
        Action::Run | Action::Print => run(settings),
    };
    result.unwrap_or_else(|failure| {
        tell(&format!("error: {failure}"));
        failure.exit
    })
}

/// What is wrong with the command line, with what clap advises.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told: Vec<&str> = lines.take_while(|line| !line.starts_with("Usage:")).collect();
    format!("{}: see statetrail-sink --help", told.join(", "))
}

fn say(line: &str) {
    // Nobody is to be told if the output is closed.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn tell(line: &str) {
    // Nobody is to be told if the output is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("threads cannot be started: {error}")))
}

fn dead_letter_topics(settings: &Settings) -> Vec<String> {
    let mut topics: Vec<String> =
        settings.kafka.topics.iter().map(|topic| settings.dead_letter_topic(topic)).collect();
    topics.sort_unstable();
    topics.dedup();
    topics
}

/// What can be checked without a server, beyond what each setting says.
fn check_settings(settings: &Settings) -> Result<Exit, Failure> {
    store::check_files(&settings.store)?;
    check_clients(settings)?;
    say("the settings are right");
    Ok(Exit::Done)
}

fn check_connections(settings: &Settings) -> Result<Exit, Failure> {
    let topics = check_topics(&settings.kafka, &dead_letter_topics(settings), CHECK_WITHIN)?;
    for (topic, partitions) in settings.kafka.topics.iter().zip(topics.partitions) {
        say(&format!("topic {topic}: {partitions} partitions"));
    }
    if let Some(topic) = topics.missing.first() {
        return Err(dead_letters_missing(&settings.kafka, topic));
    }
    runtime()?.block_on(store::check(&settings.store))?;
    say(&format!("store {}: answers, and its form fits", settings.store));
    Ok(Exit::Done)
}

/// Moves events until a signal comes.
///
/// # Errors
/// When it cannot start, cannot go on, or cannot finish in time.
fn run(settings: Settings) -> Result<Exit, Failure> {
    logging::start(settings.log);
    let settings = Arc::new(settings);
    let stop = Arc::new(AtomicBool::new(false));
    let reads = Arc::new(AtomicBool::new(false));
    stop_on_signals(Arc::clone(&stop), Arc::clone(&reads))?;

    let runtime = runtime()?;
    let health = Arc::new(Health::new(settings.unready_after));
    let metrics = Arc::new(Metrics::default());
    if let Some(address) = settings.http {
        let listener = runtime.block_on(http::bind(address))?;
        tracing::info!(%address, "answering /health and /metrics");
        runtime.spawn(http::serve(listener, Arc::clone(&health), Arc::clone(&metrics)));
    }
    let store = open_store(&settings, &runtime)?;
    health.store_opened();
    runtime.spawn(store::tend(Arc::clone(&store)));
    tracing::info!(store = %settings.store, "the store is open");
    let within = settings.startup_timeout;
    let topics = check_topics(&settings.kafka, &dead_letter_topics(&settings), within)?;
    make_dead_letters(&settings.kafka, &topics.missing, within)?;

    let consumer = join_group(&settings, &health)?;
    let (lag_stop, lag_stopped) = mpsc::channel();
    let lag = {
        let (consumer, settings) = (Arc::clone(&consumer), Arc::clone(&settings));
        let (health, metrics) = (Arc::clone(&health), Arc::clone(&metrics));
        spawn("lag", move || lag::watch(&consumer, &settings, &health, &metrics, &lag_stopped))?
    };
    let (batches, batches_to_write) = mpsc::channel();
    let (done_sender, done) = mpsc::channel();
    let dead_letters = DeadLetters::new(&settings.kafka, done_sender.clone())?;
    let writer = Arc::new(Writer {
        store,
        runtime: runtime.handle().clone(),
        health: Arc::clone(&health),
        metrics: Arc::clone(&metrics),
        settings: Arc::clone(&settings),
        refused: AtomicU32::new(0),
    });
    let batches_to_write = Arc::new(Mutex::new(batches_to_write));
    for _ in 0..WRITERS {
        let (writer, batches) = (Arc::clone(&writer), Arc::clone(&batches_to_write));
        let done = done_sender.clone();
        spawn("writer", move || writer.run(&batches, &done))?;
    }
    let (positions, positions_to_commit) = mpsc::channel();
    let committer = {
        let (consumer, settings) = (Arc::clone(&consumer), Arc::clone(&settings));
        spawn("committer", move || {
            commit::run(&consumer, &settings.kafka.topics, &positions_to_commit, &done_sender);
        })?
    };
    reads.store(true, Ordering::Release);
    let intake = Intake::new(Parts {
        consumer: Arc::clone(&consumer),
        settings: Arc::clone(&settings),
        health,
        metrics,
        batches,
        positions,
        done,
        dead_letters,
        stop,
    });
    let ended = intake.run();
    drop(lag_stop);
    leave_group(consumer, [lag, committer]);
    // Writers may still wait for a store that is away; nothing waits for them.
    runtime.shutdown_background();
    match ended? {
        Ended::Drained => {
            tracing::info!("everything that was read is stored and committed");
            Ok(Exit::Done)
        }
        Ended::TooLate(left) => {
            let message = format!(
                "not stored within drain_timeout ({} s): {}: nothing is lost, the next start reads it again",
                settings.drain_timeout.as_secs_f64(),
                left.join(", ")
            );
            Err(Failure::new(Exit::DrainDeadline, message))
        }
    }
}

/// Starts a thread. If it panics, the process ends: the others would wait for it for good, while
/// whoever started the sink starts it again, and nothing is lost.
fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, Failure> {
    let work = move || {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tell("error: a thread of the sink died; this is a fault of statetrail");
            std::process::exit(Exit::Failed.code().into());
        }
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| Failure::new(Exit::Failed, format!("no thread: {error}")))
}

/// The first signal asks to stop, the second ends the process. Before anything is read there is
/// nothing to finish, so the first one ends it too.
fn stop_on_signals(stop: Arc<AtomicBool>, reads: Arc<AtomicBool>) -> Result<(), Failure> {
    let handler = move || {
        if !reads.load(Ordering::Acquire) {
            std::process::exit(Exit::Done.code().into());
        }
        if stop.swap(true, Ordering::AcqRel) {
            std::process::exit(Exit::Interrupted.code().into());
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::new(Exit::Failed, format!("no handler for signals: {error}")))
}

fn open_store(
    settings: &Settings,
    runtime: &tokio::runtime::Runtime,
) -> Result<Arc<dyn EventStore>, Failure> {
    let deadline = Instant::now() + settings.startup_timeout;
    let mut backoff = Backoff::default();
    loop {
        match runtime.block_on(settings.store.open()) {
            Ok(store) => return Ok(Arc::from(store)),
            Err(error) if error.is_retryable() && Instant::now() < deadline => {
                tracing::info!(%error, "waiting for the store");
                thread::sleep(backoff.next(random()));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn join_group(
    settings: &Settings,
    health: &Arc<Health>,
) -> Result<Arc<BaseConsumer<ConsumerEvents>>, Failure> {
    let failed = |error| Failure::new(Exit::Failed, format!("kafka consumer: {error}"));
    let context = ConsumerEvents::new(Arc::clone(health));
    let consumer: BaseConsumer<ConsumerEvents> =
        consumer_config(settings).create_with_context(context).map_err(failed)?;
    let topics: Vec<&str> = settings.kafka.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(failed)?;
    Ok(Arc::new(consumer))
}

/// Leaves the group, so that its other members need not wait for the session to end.
fn leave_group(consumer: Arc<BaseConsumer<ConsumerEvents>>, others: [thread::JoinHandle<()>; 2]) {
    consumer.context().close();
    let (left_sender, left) = mpsc::channel::<()>();
    let leave = move || {
        for thread in others {
            // One that panicked has ended the process.
            let _ = thread.join();
        }
        drop(consumer);
        drop(left_sender);
    };
    if spawn("leave", leave).is_ok() {
        let _ = left.recv_timeout(LEAVE_WITHIN);
    }
}
