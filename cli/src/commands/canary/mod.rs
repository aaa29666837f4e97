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
use statetrail_query::{EventFilter, Follow};
use statetrail_store::EntityFilter;

use self::metrics::Metrics;
use self::tally::{Counts, Tally, check_of};
use super::questioner::{Questioner, wait};
use crate::args::CanaryArgs;
use crate::clock::time_of_timestamp;
use crate::failure::{Exit, Failure};
use crate::import::stop_on_interrupt;
use crate::output::Output;
use crate::waiting::start_runtime;

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
    /// Seconds from writing a line to its being seen in the store; `null` if none came.
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

/// Runs the command until so many lines are through or lost, or until a signal ends it.
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
    run: String,
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
        let mut follow = wait(Follow::starting_now(ask.store(), filter))?;
        let every = Duration::from_secs_f64(1.0 / args.rate);
        let mut next = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let is_singing =
                args.lines.is_none_or(|lines| self.tally.counts(now()).written < lines);
            if is_singing && Instant::now() >= next {
                self.write()?;
                next += every;
            }
            // A store that is away for a while is what a canary is there to tell: its lines are lost then.
            let more = match wait(follow.next_page()) {
                Ok(page) => {
                    for arrived in &page.events {
                        self.take(&arrived.known.event);
                    }
                    page.more
                }
                Err(_) => {
                    self.metrics.store_failed();
                    false
                }
            };
            let counts = self.tally.counts(now());
            self.metrics.note(counts);
            if !is_singing && counts.waiting == 0 {
                break;
            }
            if !more {
                let due = next.saturating_duration_since(Instant::now());
                std::thread::sleep(if is_singing { due.min(ASKED_EVERY) } else { ASKED_EVERY });
            }
        }
        Ok(())
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
