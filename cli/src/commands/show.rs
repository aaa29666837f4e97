//! `statetrail show`: the state of an entity at a moment.

use std::io::Write;

use statetrail_event::State;

use super::questioner::Questioner;
use crate::args::ShowArgs;
use crate::failure::{Exit, Failure};
use crate::output::{EntityView, Output, OutputFormat, write_fields};

/// Runs the command.
///
/// # Errors
/// When there is no such entity or no event of it by then, or the store cannot be read.
pub fn run(args: &ShowArgs, ask: &Questioner, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let moment = ask.moment(&args.at)?;
    let name = ask.entity(&args.entity)?;
    let state = ask.state(&name, moment)?;
    let view = EntityView::new(&name, moment.at, &state);
    match output.format {
        OutputFormat::Json | OutputFormat::Jsonl => output.document(&view)?,
        OutputFormat::Csv => {
            output.csv_row(STATE_HEADINGS)?;
            write_state_rows(output, &view, &state)?;
        }
        OutputFormat::Text => {
            let at = output.style.faint(format!("at {}", ask.clock().show_with_zone(moment.at)));
            writeln!(output, "{}  {at}", output.style.heading(&name))?;
            write_fields(output, &state)?;
        }
    }
    Ok(Exit::Done)
}

/// The columns of a state: a row per field.
pub(super) const STATE_HEADINGS: [&str; 4] = ["entity", "as_of", "field", "value"];

/// A row per field of an entity's state.
pub(super) fn write_state_rows(
    output: &mut Output<'_>,
    view: &EntityView<'_>,
    state: &State,
) -> Result<(), Failure> {
    for (field, value, _) in state.fields() {
        output.csv_row([view.entity, &view.as_of, field, &value.to_string()])?;
    }
    Ok(())
}
