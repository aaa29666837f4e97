//! `statetrail log`: what changed an entity, with the state after each event.

use std::io::Write;

use serde::Serialize;
use statetrail_event::EntityName;
use statetrail_query::{Step, Trail};
use statetrail_store::Order;

use super::questioner::{Questioner, wait};
use crate::args::LogArgs;
use crate::failure::{Exit, Failure};
use crate::output::{
    ChangeView, EventView, Output, StateView, json_cell, printable, state_on_one_line,
    write_changes, write_indented,
};

/// Events that are asked for at a time.
const PAGE: usize = 500;

const HEADINGS: [&str; 15] = [
    "entity", "event", "time", "known_at", "set", "unset", "rule", "source", "node", "file",
    "offset", "line", "id", "changes", "state",
];

/// An event with what it changed and the state after it.
#[derive(Serialize)]
struct StepView<'a> {
    #[serde(flatten)]
    event: EventView<'a>,
    changes: Vec<ChangeView<'a>>,
    state: StateView<'a>,
}

/// Runs the command.
///
/// # Errors
/// When there is no such entity or event, or the store cannot be read.
pub fn run(args: &LogArgs, ask: &Questioner, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let span = ask.span(&args.span)?;
    let as_known_at = ask.as_known_at(args.as_known_at.as_deref())?;
    let order = if args.reverse { Order::NewestFirst } else { Order::OldestFirst };
    let mut left = args.limit.unwrap_or(usize::MAX);
    let name = ask.entity(&args.entity)?;
    let mut trail =
        Trail::new(ask.store(), name.clone(), span, as_known_at, order).with_page(PAGE.min(left));
    begin(&name, ask, output)?;
    let mut found = false;
    while left > 0
        && let Some(steps) = wait(trail.next_page())?
    {
        for step in steps.iter().take(left) {
            write_step(step, ask, output)?;
        }
        left = left.saturating_sub(steps.len());
        found = true;
    }
    output.end_list()?;
    Ok(if found { Exit::Done } else { Exit::NotFound })
}

fn begin(name: &EntityName, ask: &Questioner, output: &mut Output<'_>) -> Result<(), Failure> {
    if !output.is_text() {
        return output.begin_list(&HEADINGS);
    }
    let style = output.style;
    let zone = style.faint(format!("times in {}", ask.clock().zone_name()));
    writeln!(output, "{}  {zone}", style.heading(name))?;
    Ok(())
}

fn write_step(step: &Step, ask: &Questioner, output: &mut Output<'_>) -> Result<(), Failure> {
    if output.is_text() {
        return write_text(step, ask, output);
    }
    let view = StepView {
        event: EventView::new(&step.known),
        changes: step.changed.iter().map(ChangeView::from).collect(),
        state: StateView(&step.state),
    };
    output.item(&view, || {
        let mut row = view.event.row().to_vec();
        row.push(json_cell(&view.changes));
        row.push(json_cell(&view.state));
        row
    })
}

fn write_text(step: &Step, ask: &Questioner, output: &mut Output<'_>) -> Result<(), Failure> {
    let event = &step.known.event;
    let style = output.style;
    let time = ask.clock().show(event.time);
    writeln!(output, "\n{}  {}", style.heading(time), style.event(printable(&event.name)))?;
    write_changes(output, &step.changed)?;
    let unchanged = |field: &str| step.changed.iter().all(|change| &*change.field != field);
    let rest = state_on_one_line(&step.state, unchanged);
    if !rest.is_empty() {
        write_indented(output, "    ", &rest)?;
    }
    match &event.line {
        Some(line) => write_indented(output, "  | ", line),
        None => Ok(()),
    }
}
