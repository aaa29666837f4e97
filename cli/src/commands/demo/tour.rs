//! The end of the demo: real answers about an order that had trouble, and how to go on.

use std::io::Write;

use clap::Parser;
use statetrail_event::{EntityName, Time};

use super::Shop;
use crate::args::{Command, CommandLine};
use crate::commands::questioner::Questioner;
use crate::commands::{blame, diff, log, show};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Shows answers about the order that had the most trouble.
pub(super) fn show(
    shop: &Shop,
    store: &str,
    ask: &Questioner,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let order = match &shop.summary.trouble {
        Some(trouble) => {
            let story = trouble.story.join(", ");
            writeln!(output, "\nOrder {} had trouble: {story}.", trouble.order.id())?;
            Some(trouble.order.clone())
        }
        None => shop.truth.entities().find(|entity| entity.entity_type() == "order"),
    };
    let Some(order) = order else { return Ok(()) };
    for words in steps(&order, &shop.truth.times_of(&order), ask) {
        answer(&words, ask, output)?;
    }
    go_on(shop, &order, store, ask, output)
}

/// The questions of the tour, as words of a command line.
fn steps(order: &EntityName, times: &[Time], ask: &Questioner) -> Vec<Vec<String>> {
    let name = order.as_str();
    let middle = times.get(times.len() / 2).map_or(0, |time| time.nanos());
    // To the full second behind it, which is easier to read.
    let middle = middle + 1_000_000_000 - middle.rem_euclid(1_000_000_000);
    let middle = ask.clock().show(Time::from_nanos(middle));
    let steps: [&[&str]; 5] = [
        &["show", name],
        &["show", name, "--at", &middle],
        &["log", order.id(), "--limit", "4"],
        &["diff", order.id(), "--from", &middle],
        &["blame", order.id()],
    ];
    steps.iter().map(|words| words.iter().map(|word| (*word).to_owned()).collect()).collect()
}

/// Prints a command and what it answers.
fn answer(words: &[String], ask: &Questioner, output: &mut Output<'_>) -> Result<(), Failure> {
    let typed = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    writeln!(output, "\n{}", output.style.good(format!("$ statetrail {typed}")))?;
    let program = std::iter::once("statetrail".to_owned());
    let line = CommandLine::try_parse_from(program.chain(words.iter().cloned()))
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let exit = match &line.command {
        Command::Show(args) => show::run(args, ask, output)?,
        Command::Log(args) => log::run(args, ask, output)?,
        Command::Diff(args) => diff::run(args, ask, output)?,
        Command::Blame(args) => blame::run(args, ask, output)?,
        _ => Exit::Failed,
    };
    match exit {
        Exit::Done => Ok(()),
        _ => Err(Failure::new(exit, format!("`statetrail {typed}` has no answer"))),
    }
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() }
}

fn go_on(
    shop: &Shop,
    order: &EntityName,
    store: &str,
    ask: &Questioner,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let noon = Time::from_nanos(shop.config.start.nanos() + 12 * 3_600_000_000_000);
    let noon = ask.clock().show(noon);
    let id = order.id();
    writeln!(output, "\nGo on with:")?;
    for command in [
        format!("export STATETRAIL_STORE={store}"),
        "statetrail ls shop/order/ --limit 10".to_owned(),
        format!("statetrail find order --where status=payment-failed --at \"{noon}\""),
        format!("statetrail events --since \"{noon}\" --limit 5"),
        format!("statetrail log {id} --reverse"),
        format!("statetrail show {id} --output json"),
    ] {
        writeln!(output, "  {command}")?;
    }
    Ok(())
}
