//! `statetrail log`: what changed an entity, with the state after each event.

use std::io::Write;

use serde::Serialize;
use statetrail_event::EntityName;
use statetrail_query::{EventFilter, Step, Trail};
use statetrail_store::{EntityFilter, KnownEvent, Order};

use super::following::Following;
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
    // Before anything is read, so that nothing arrives in between.
    let mut following = match args.follow {
        true => Some(Following::begin(events_of(&name), ask, output)?),
        false => None,
    };
    let mut trail =
        Trail::new(ask.store(), name.clone(), span, as_known_at, order).with_page(PAGE.min(left));
    begin(&name, ask, output)?;
    let mut found = false;
    while left > 0
        && let Some(steps) = wait(trail.next_page())?
    {
        for step in steps.iter().take(left) {
            write_step(step, ask, output)?;
            if let Some(following) = &mut following {
                following.has_shown(&step.known);
            }
        }
        left = left.saturating_sub(steps.len());
        found = true;
        if following.as_ref().is_some_and(Following::is_stopped) {
            return Ok(Exit::Interrupted);
        }
    }
    if let Some(following) = following {
        return following.go_on(left, output, |known, output| {
            let is_wanted = known.event.entity == name && known.event.time >= span.0;
            match step_of(known, ask)?.filter(|_| is_wanted) {
                Some(step) => write_step(&step, ask, output).map(|()| true),
                None => Ok(false),
            }
        });
    }
    output.end_list()?;
    Ok(if found { Exit::Done } else { Exit::NotFound })
}

/// The events of an entity, and perhaps of some with longer names.
fn events_of(name: &EntityName) -> EventFilter {
    let entities = EntityFilter {
        namespace: Some(name.namespace().to_owned()),
        entity_type: Some(name.entity_type().to_owned()),
        id_prefix: Some(name.id().to_owned()),
    };
    EventFilter { entities, ..EventFilter::default() }
}

/// What an event that arrived meant, at its place in the trail.
fn step_of(known: &KnownEvent, ask: &Questioner) -> Result<Option<Step>, Failure> {
    let event = &known.event;
    let moment = (event.time, event.time);
    let mut trail = Trail::new(ask.store(), event.entity.clone(), moment, None, Order::OldestFirst);
    while let Some(steps) = wait(trail.next_page())? {
        let step = steps.into_iter().find(|step| step.known.event.key() == event.key());
        if step.is_some() {
            return Ok(step);
        }
    }
    Ok(None)
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
