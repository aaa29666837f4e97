//! `statetrail canary`: numbered lines go in at one end, and are looked for at the other.

mod metrics;
mod tally;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use statetrail_event::{Event, Time, Value};
use statetrail_query::{EventFilter, Follow, QueryError};
use statetrail_store::{EntityFilter, StoreError};

use self::metrics::Metrics;
use self::tally::{Counts, Tally, check_of};
use super::questioner::{Questioner, wait};
use crate::args::CanaryArgs;
use crate::clock::time_of_timestamp;
use crate::failure::{Exit, Failure};
use crate::import::stop_on_interrupt;
use crate::output::{Output, write_indented};
use crate::waiting::{block_on, start_runtime};

/// The type of the entities that rules make of the lines, see `fluent-bit/rules/canary.yaml`.
const TYPE: &str = "canary";
/// How often the store is asked what arrived.
const ASKED_EVERY: Duration = Duration::from_millis(100);

/// What came of it.
#[derive(Serialize)]
struct CanaryView {
    /// The entity's id.
    run: String,
    written: u64,
    stored: u64,
    waiting: u64,
    lost: u64,
    doubled: u64,
    wrong: u64,
    late: u64,
    /// How often the store did not answer.
    store_failures: u64,
    /// What it said the last time; `null` if it always answered.
    store_failure: Option<String>,
    /// Seconds from writing a line to its being seen in the store; `null` if none came.
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

/// Runs the command until so many lines are through or lost. After a signal it writes none any more, and
/// ends when those on their way are through or lost.
///
/// # Errors
/// When the log cannot be written, the store does not answer at the start, or the output fails. Lines
/// that did not come through are told by the exit code.
pub fn run(args: &CanaryArgs, ask: &Questioner, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let run = format!("{}-{}", Timestamp::now().as_second(), std::process::id());
    let mut canary = Canary {
        log: Log::open(&args.log, args.cri)?,
        tally: Tally::new(args.within.0),
        metrics: Metrics::new(),
        failures: Failures::default(),
        run,
    };
    if let Some(address) = args.listen {
        start_runtime().map_err(|error| {
            Failure::new(Exit::Failed, format!("no threads can be started: {error}"))
        })?;
        canary.metrics.serve(address)?;
    }
    canary.sing(args, ask)?;
    canary.tell(output)
}

struct Canary {
    log: Log,
    tally: Tally,
    metrics: Metrics,
    failures: Failures,
    run: String,
}

/// Times that the store did not answer.
#[derive(Default)]
struct Failures {
    last: Option<String>,
    /// Whether it answered since.
    is_over: bool,
}

impl Failures {
    /// Notes one, and says so unless the one before was the same.
    fn note(&mut self, error: &QueryError) {
        let told = error.to_string();
        let is_new = self.is_over || self.last.as_ref() != Some(&told);
        if is_new {
            let _ = writeln!(io::stderr(), "the canary goes on without an answer: {told}");
        }
        self.last = Some(told);
        self.is_over = false;
    }
}

impl Canary {
    fn sing(&mut self, args: &CanaryArgs, ask: &Questioner) -> Result<(), Failure> {
        let stop = stop_on_interrupt()?;
        let entities = EntityFilter {
            entity_type: Some(TYPE.to_owned()),
            id_prefix: Some(self.run.clone()),
            ..EntityFilter::default()
        };
        let filter = EventFilter { entities, ..EventFilter::default() };
        let mut follow = wait(Follow::starting_now(ask.store(), filter.clone()))?;
        let every = Duration::from_secs_f64(1.0 / args.rate);
        let mut next = Instant::now();
        loop {
            let is_singing = !stop.load(Ordering::Relaxed)
                && args.lines.is_none_or(|lines| self.tally.written() < lines);
            if is_singing && Instant::now() >= next {
                self.write()?;
                next += every;
            }
            let more = self.look(&mut follow, ask, &filter);
            let counts = self.tally.counts(now());
            self.metrics.note(counts);
            if !is_singing && counts.waiting == 0 {
                return Ok(());
            }
            if !more {
                let due = next.saturating_duration_since(Instant::now());
                std::thread::sleep(if is_singing { due.min(ASKED_EVERY) } else { ASKED_EVERY });
            }
        }
    }

    /// Takes what arrived, and says whether there may be more. A store that is away for a while is what a
    /// canary is there to tell: its lines are lost then.
    fn look<'a>(
        &mut self,
        follow: &mut Follow<'a>,
        ask: &'a Questioner,
        filter: &EventFilter,
    ) -> bool {
        let error = match block_on(follow.next_page()) {
            Ok(page) => {
                self.failures.is_over = true;
                for arrived in &page.events {
                    self.take(&arrived.known.event);
                }
                return page.more;
            }
            Err(error) => error,
        };
        self.metrics.store_failed();
        self.failures.note(&error);
        // Behind so long an outage nobody can go on from where it was.
        if matches!(error, QueryError::Store(StoreError::ArrivalsForgotten { .. }))
            && let Ok(anew) = block_on(Follow::starting_now(ask.store(), filter.clone()))
        {
            *follow = anew;
        }
        false
    }

    fn write(&mut self) -> Result<(), Failure> {
        let timestamp = Timestamp::now();
        let number = self.tally.write(time_of_timestamp(timestamp));
        let (run, check) = (&self.run, check_of(number));
        let text =
            format!("{timestamp:.9} INFO statetrail canary {run} line {number} check {check}");
        self.log.write(timestamp, &text)
    }

    fn take(&mut self, event: &Event) {
        if event.entity.id() != self.run {
            return;
        }
        let value =
            |field: &str| event.changes.iter().find(|it| &*it.field == field)?.value.clone();
        let number = match value("number") {
            Some(Value::Int(number)) => u64::try_from(number).ok(),
            _ => None,
        };
        let checked = number.filter(|it| value("check") == Some(Value::text(check_of(*it))));
        if let Some(latency) = self.tally.take(checked, now()) {
            self.metrics.came(latency);
        }
    }

    fn tell(&self, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let counts = self.tally.counts(now());
        let seconds = |percent| self.tally.percentile(percent).map(|it| it.as_secs_f64());
        let [p50, p90, p99, max] = [50, 90, 99, 100].map(seconds);
        let Counts { written, stored, waiting, lost, doubled, wrong, late } = counts;
        let run = self.run.clone();
        let view = CanaryView {
            run,
            written,
            stored,
            waiting,
            lost,
            doubled,
            wrong,
            late,
            store_failures: self.metrics.store_failures(),
            store_failure: self.failures.last.clone(),
            p50,
            p90,
            p99,
            max,
        };
        if output.is_text() {
            write_text(&view, output)?;
        } else {
            output.document(&view)?;
        }
        Ok(if counts.is_good() { Exit::Done } else { Exit::Failed })
    }
}

fn write_text(view: &CanaryView, output: &mut Output<'_>) -> Result<(), Failure> {
    let style = output.style;
    writeln!(output, "canary {}: {} lines", style.heading(&view.run), view.written)?;
    writeln!(output, "  stored   {:>9}", view.stored)?;
    writeln!(output, "  waiting  {:>9}", view.waiting)?;
    let bad = [
        ("lost", view.lost),
        ("doubled", view.doubled),
        ("wrong", view.wrong),
        ("late", view.late),
    ];
    for (what, count) in bad {
        let count_text = format!("{count:>9}");
        let count_text = if count > 0 { style.bad(count_text) } else { style.good(count_text) };
        writeln!(output, "  {what:7}  {count_text}")?;
    }
    if let (Some(p50), Some(p90), Some(p99), Some(max)) = (view.p50, view.p90, view.p99, view.max) {
        writeln!(output, "  seconds  {p50:.2} p50, {p90:.2} p90, {p99:.2} p99, {max:.2} at most")?;
    }
    if let Some(failure) = &view.store_failure {
        let count = style.bad(format!("{:>9}", view.store_failures));
        writeln!(output, "  {count} times the store did not answer, last:")?;
        write_indented(output, "    ", failure)?;
    }
    Ok(())
}

fn now() -> Time {
    time_of_timestamp(Timestamp::now())
}

/// Where the lines go.
struct Log {
    out: Box<dyn Write>,
    /// Whether each line is wrapped as a container runtime does.
    cri: bool,
    name: String,
}

impl Log {
    fn open(path: &Path, cri: bool) -> Result<Log, Failure> {
        let name = path.display().to_string();
        if name == "-" {
            return Ok(Log {
                out: Box::new(io::stdout()),
                cri,
                name: "standard output".to_owned(),
            });
        }
        let file: File =
            OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
                Failure::new(Exit::Failed, format!("{name}: cannot be written: {error}"))
            })?;
        Ok(Log { out: Box::new(file), cri, name })
    }

    fn write(&mut self, timestamp: Timestamp, text: &str) -> Result<(), Failure> {
        let line = match self.cri {
            true => format!("{timestamp:.9} stdout F {text}\n"),
            false => format!("{text}\n"),
        };
        let written = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
        written.map_err(|error| {
            Failure::new(Exit::Failed, format!("{}: cannot be written: {error}", self.name))
        })
    }
}
