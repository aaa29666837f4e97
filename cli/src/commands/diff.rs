//! `statetrail diff`: two moments of one entity, or two entities at one moment.

use std::io::Write;

use serde::Serialize;
use statetrail_event::{EntityName, State, Time};
use statetrail_query::{Difference, Moment, differences};

use super::questioner::{Questioner, wait};
use crate::args::DiffArgs;
use crate::failure::{Exit, Failure};
use crate::output::{ChangeView, Output, OutputFormat, cell, moment, write_changes};

/// One of the two sides.
struct Side {
    name: EntityName,
    /// `None` stands for the time before everything.
    at: Option<Time>,
    state: State,
}

#[derive(Serialize)]
struct SideView<'a> {
    entity: &'a str,
    as_of: Option<String>,
}

#[derive(Serialize)]
struct DiffView<'a> {
    from: SideView<'a>,
    to: SideView<'a>,
    changes: Vec<ChangeView<'a>>,
}

/// Runs the command. Two sides that do not differ are no failure.
///
/// # Errors
/// When an entity has no state to compare, or the store cannot be read.
pub fn run(args: &DiffArgs, ask: &Questioner, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let (from, to) = match &args.other {
        Some(other) => two_entities(args, other, ask)?,
        None => two_moments(args, ask)?,
    };
    let changes = differences(&from.state, &to.state);
    match output.format {
        OutputFormat::Json | OutputFormat::Jsonl => {
            let changes = changes.iter().map(ChangeView::from).collect();
            output.document(&DiffView { from: from.view(), to: to.view(), changes })?;
        }
        OutputFormat::Csv => {
            output.csv_row(["field", "from", "to"])?;
            for change in &changes {
                output.csv_row([
                    &*change.field,
                    &cell(change.from.as_ref()),
                    &cell(change.to.as_ref()),
                ])?;
            }
        }
        OutputFormat::Text => write_text(&from, &to, &changes, ask, output)?,
    }
    Ok(Exit::Done)
}

fn two_moments(args: &DiffArgs, ask: &Questioner) -> Result<(Side, Side), Failure> {
    let clock = ask.clock();
    let from = clock.optional_moment("--from", args.from.as_deref())?;
    let to = clock.optional_moment("--to", args.to.as_deref())?.unwrap_or(clock.now());
    if let Some(from) = from
        && from > to
    {
        let message = format!("--from {} is after --to {}", clock.show(from), clock.show(to));
        return Err(Failure::new(Exit::Usage, message));
    }
    let as_known_at = ask.as_known_at(args.as_known_at.as_deref())?;
    let name = ask.entity(&args.entity)?;
    let state = ask.state(&name, Moment { at: to, as_known_at })?;
    // Before its first event an entity had no field.
    let earlier = match from {
        None => None,
        Some(at) => wait(statetrail_query::state(ask.store(), &name, Moment { at, as_known_at }))?,
    };
    let earlier = earlier.unwrap_or_default();
    let from = Side { name: name.clone(), at: from, state: earlier };
    Ok((from, Side { name, at: Some(to), state }))
}

fn two_entities(args: &DiffArgs, other: &str, ask: &Questioner) -> Result<(Side, Side), Failure> {
    let clock = ask.clock();
    let at = clock.optional_moment("--at", args.at.as_deref())?.unwrap_or(clock.now());
    let as_known_at = ask.as_known_at(args.as_known_at.as_deref())?;
    let side = |typed: &str| {
        let name = ask.entity(typed)?;
        let state = ask.state(&name, Moment { at, as_known_at })?;
        Ok::<_, Failure>(Side { name, at: Some(at), state })
    };
    Ok((side(&args.entity)?, side(other)?))
}

impl Side {
    fn view(&self) -> SideView<'_> {
        SideView { entity: self.name.as_str(), as_of: self.at.map(moment) }
    }

    fn shown(&self, ask: &Questioner) -> String {
        match self.at {
            None => format!("{} before its first event", self.name),
            Some(at) => format!("{} at {}", self.name, ask.clock().show_with_zone(at)),
        }
    }
}

fn write_text(
    from: &Side,
    to: &Side,
    changes: &[Difference],
    ask: &Questioner,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let style = output.style;
    writeln!(output, "{}", style.bad(format!("--- {}", from.shown(ask))))?;
    writeln!(output, "{}", style.good(format!("+++ {}", to.shown(ask))))?;
    if changes.is_empty() {
        writeln!(output, "  no difference")?;
    }
    write_changes(output, changes)
}
