//! `statetrail dlq`: messages that the sink could not store.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde::Serialize;
use statetrail_sink::dlq::{DeadLetterTopic, Filter, Letter, read, replay};
use statetrail_sink::exit::{Exit as SinkExit, Failure as SinkFailure};

use crate::args::{DeadLetterArgs, DlqCommand, DlqLsArgs, DlqReplayArgs, DlqShowArgs};
use crate::failure::{Exit, Failure};
use crate::output::{Output, json_cell, printable, write_indented};

/// How often a person is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct LetterView<'a> {
    letter: String,
    partition: i32,
    offset: i64,
    failed_at: &'a str,
    kind: &'a str,
    error: &'a str,
    key: Option<&'a str>,
    origin: Option<OriginView<'a>>,
    replayed: u32,
    truncated: Option<u64>,
}

#[derive(Serialize)]
struct OriginView<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
}

#[derive(Serialize)]
struct WholeView<'a> {
    #[serde(flatten)]
    letter: LetterView<'a>,
    headers: Vec<(String, String)>,
    value: Option<String>,
}

#[derive(Serialize)]
struct ReplayView {
    sent: u64,
    skipped: Vec<SkippedView>,
}

#[derive(Serialize)]
struct SkippedView {
    letter: String,
    reason: String,
}

impl<'a> LetterView<'a> {
    const HEADINGS: [&'static str; 10] = [
        "letter",
        "partition",
        "offset",
        "failed_at",
        "kind",
        "error",
        "key",
        "origin",
        "replayed",
        "truncated",
    ];

    fn new(letter: &'a Letter) -> LetterView<'a> {
        let origin = letter.origin.as_ref().map(|origin| OriginView {
            topic: &origin.topic,
            partition: origin.partition,
            offset: origin.offset,
        });
        LetterView {
            letter: letter.place.to_string(),
            partition: letter.place.partition,
            offset: letter.place.offset,
            failed_at: &letter.failed_at,
            kind: &letter.kind,
            error: &letter.error,
            key: letter.key.as_deref(),
            origin,
            replayed: letter.replayed,
            truncated: letter.truncated,
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.letter.clone(),
            self.partition.to_string(),
            self.offset.to_string(),
            self.failed_at.to_owned(),
            self.kind.to_owned(),
            self.error.to_owned(),
            self.key.unwrap_or_default().to_owned(),
            json_cell(&self.origin),
            self.replayed.to_string(),
            self.truncated.map(|length| length.to_string()).unwrap_or_default(),
        ]
    }
}

/// Runs the command.
///
/// # Errors
/// When Kafka does not answer, refuses or has no such topic, or the output fails.
pub fn run(command: &DlqCommand, output: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        DlqCommand::Ls(args) => list(args, output),
        DlqCommand::Show(args) => show(args, output),
        DlqCommand::Replay(args) => send_back(args, output),
    }
}

fn topic(args: &DeadLetterArgs) -> Result<DeadLetterTopic, Failure> {
    let found = DeadLetterTopic::find(
        args.kafka_config.as_deref(),
        args.brokers.as_deref(),
        args.topic.as_deref(),
    );
    found.map_err(|faults| Failure::new(Exit::Usage, faults.join("\n")))
}

fn list(args: &DlqLsArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let topic = topic(&args.place)?;
    let filter = Filter {
        places: Vec::new(),
        kind: args.filter.kind.clone(),
        partition: args.filter.partition,
    };
    let limit = args.limit.unwrap_or(usize::MAX);
    let mut listed = 0;
    output.begin_list(&LetterView::HEADINGS)?;
    if limit > 0 {
        read(&topic, &filter, |letter| {
            listed += 1;
            match write_letter(&letter, output) {
                Ok(()) if listed < limit => ControlFlow::Continue(()),
                result => ControlFlow::Break(result),
            }
        })?;
    }
    output.end_list()?;
    Ok(if listed == 0 { Exit::NotFound } else { Exit::Done })
}

fn write_letter(letter: &Letter, output: &mut Output<'_>) -> Result<(), Failure> {
    let view = LetterView::new(letter);
    if !output.is_text() {
        return output.item(&view, || view.row());
    }
    let style = output.style;
    let failed_at = printable(view.failed_at);
    let kind = printable(view.kind);
    let key = view.key.map(printable).unwrap_or_default();
    writeln!(output, "{:8} {failed_at:24} {:12} {key}", letter.place, style.notable(kind))?;
    write_indented(output, "         ", view.error)
}

fn show(args: &DlqShowArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let topic = topic(&args.place)?;
    let filter = Filter { places: vec![args.letter], ..Filter::default() };
    let mut found = None;
    read(&topic, &filter, |letter| {
        found = Some(letter);
        ControlFlow::Break(Ok::<(), Failure>(()))
    })?;
    let Some(letter) = found else { return Ok(Exit::NotFound) };
    let view = WholeView {
        letter: LetterView::new(&letter),
        headers: letter.own_headers(),
        value: letter.value(),
    };
    if output.is_text() {
        write_whole(&view, output)?;
    } else {
        output.document(&view)?;
    }
    Ok(Exit::Done)
}

fn write_whole(view: &WholeView<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
    let letter = &view.letter;
    let from = letter.origin.as_ref();
    let from = from.map(|it| format!("{}[{}] offset {}", it.topic, it.partition, it.offset));
    let mut lines = vec![
        ("letter", letter.letter.clone()),
        ("from", from.unwrap_or_else(|| "unknown".to_owned())),
        ("failed at", letter.failed_at.to_owned()),
        ("kind", letter.kind.to_owned()),
        ("error", letter.error.to_owned()),
        ("key", letter.key.unwrap_or("none").to_owned()),
    ];
    if letter.replayed > 0 {
        lines.push(("sent back", format!("{} times", letter.replayed)));
    }
    if let Some(length) = letter.truncated {
        lines.push(("cut off", format!("the whole value has {length} bytes")));
    }
    for (name, text) in lines {
        writeln!(output, "{name:10} {}", printable(&text))?;
    }
    for (name, text) in &view.headers {
        writeln!(output, "{:10} {}: {}", "header", printable(name), printable(text))?;
    }
    match &view.value {
        Some(value) => writeln!(output, "\n{}", printable(value))?,
        None => writeln!(output, "\n{}", output.style.faint("no value"))?,
    }
    Ok(())
}

fn send_back(args: &DlqReplayArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let topic = topic(&args.place)?;
    let filter =
        Filter { places: args.letters.clone(), kind: args.kind.clone(), partition: args.partition };
    let mut replay = replay(&topic).map_err(failure_of)?;
    let mut meant = 0_u64;
    let mut missing = args.letters.clone();
    let mut told = Instant::now();
    let tells = output.is_text() && std::io::stderr().is_terminal();
    read(&topic, &filter, |letter| {
        meant += 1;
        missing.retain(|place| *place != letter.place);
        if let Err(failure) = replay.send(letter) {
            return ControlFlow::Break(Err(failure_of(failure)));
        }
        if missing.is_empty() && !args.letters.is_empty() {
            return ControlFlow::Break(Ok(()));
        }
        if tells && told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            // Nobody is to be told if standard error is closed.
            let _ = write!(std::io::stderr(), "\r{} sent back", replay.sent());
        }
        ControlFlow::Continue(())
    })?;
    let replayed = replay.finish().map_err(failure_of)?;
    if tells {
        let _ = write!(std::io::stderr(), "\r");
    }
    let skipped = replayed.skipped.into_iter();
    let mut skipped: Vec<SkippedView> =
        skipped.map(|(letter, reason)| SkippedView { letter, reason }).collect();
    skipped.extend(missing.iter().map(|letter| SkippedView {
        letter: letter.to_string(),
        reason: "there is no such letter, or it does not fit what else was asked".to_owned(),
    }));
    let has_skipped = !skipped.is_empty();
    let view = ReplayView { sent: replayed.sent, skipped };
    if output.is_text() {
        writeln!(output, "{} sent back", view.sent)?;
        for skipped in &view.skipped {
            writeln!(output, "{} not sent: {}", skipped.letter, printable(&skipped.reason))?;
        }
    } else if output.format == crate::output::OutputFormat::Csv {
        output.csv_row(["sent", "skipped"])?;
        output.csv_row([view.sent.to_string(), json_cell(&view.skipped)])?;
    } else {
        output.document(&view)?;
    }
    Ok(match meant {
        0 => Exit::NotFound,
        _ if has_skipped => Exit::Failed,
        _ => Exit::Done,
    })
}

/// What Kafka said, for the user.
impl From<SinkFailure> for Failure {
    fn from(failure: SinkFailure) -> Failure {
        failure_of(failure)
    }
}

fn failure_of(failure: SinkFailure) -> Failure {
    let exit = match failure.exit {
        SinkExit::BrokersAway | SinkExit::TopicMissing | SinkExit::KafkaDenied => Exit::Kafka,
        SinkExit::Settings => Exit::Usage,
        _ => Exit::Failed,
    };
    Failure::new(exit, failure)
}
