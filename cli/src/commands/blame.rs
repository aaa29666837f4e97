//! `statetrail blame`: which log line set each field.

use std::io::Write;

use serde::Serialize;
use statetrail_event::{EntityName, Time, Value};
use statetrail_query::Blame;
use statetrail_store::KnownEvent;

use super::questioner::{Questioner, wait};
use crate::args::BlameArgs;
use crate::failure::{Exit, Failure};
use crate::output::{EventView, Output, moment, printable, write_indented};

const HEADINGS: [&str; 13] = [
    "entity", "as_of", "field", "value", "event", "time", "known_at", "rule", "source", "file",
    "offset", "line", "id",
];

/// A field with the event that set it.
#[derive(Serialize)]
struct BlameView<'a> {
    entity: &'a str,
    as_of: String,
    field: &'a str,
    value: &'a Value,
    by: EventView<'a>,
}

/// Runs the command.
///
/// # Errors
/// When there is no such entity or no event of it by then, or the store cannot be read.
pub fn run(args: &BlameArgs, ask: &Questioner, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let moment = ask.moment(&args.at)?;
    let name = ask.entity(&args.entity)?;
    let Some(fields) = wait(statetrail_query::blame(ask.store(), &name, moment))? else {
        return Err(ask.nothing_yet(&name, moment)?);
    };
    if output.is_text() {
        write_text(&name, moment.at, &fields, ask, output)?;
    } else {
        write_list(&name, moment.at, &fields, output)?;
    }
    Ok(Exit::Done)
}

fn write_list(
    name: &EntityName,
    at: Time,
    fields: &[Blame],
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    output.begin_list(&HEADINGS)?;
    for Blame { field, value, by } in fields {
        let view = BlameView {
            entity: name.as_str(),
            as_of: moment(at),
            field,
            value,
            by: EventView::new(by),
        };
        output.item(&view, || row(&view))?;
    }
    output.end_list()
}

fn row(view: &BlameView<'_>) -> Vec<String> {
    let [_, event, time, known_at, _, _, rule, source, _, file, offset, line, id] = view.by.row();
    let (entity, as_of) = (view.entity.to_owned(), view.as_of.clone());
    let (field, value) = (view.field.to_owned(), view.value.to_string());
    vec![entity, as_of, field, value, event, time, known_at, rule, source, file, offset, line, id]
}

fn write_text(
    name: &EntityName,
    at: Time,
    fields: &[Blame],
    ask: &Questioner,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let style = output.style;
    let at = style.faint(format!("at {}", ask.clock().show_with_zone(at)));
    writeln!(output, "{}  {at}", style.heading(name))?;
    for Blame { field, value, by } in fields {
        let field = style.notable(printable(field).into_owned());
        writeln!(output, "\n{field}: {}", printable(&value.to_string()))?;
        write_event(by, ask, output)?;
    }
    Ok(())
}

fn write_event(by: &KnownEvent, ask: &Questioner, output: &mut Output<'_>) -> Result<(), Failure> {
    let event = &by.event;
    let style = output.style;
    let time = ask.clock().show(event.time);
    writeln!(output, "  {time}  {}", style.event(printable(&event.name)))?;
    let place = match (&event.source.file, event.offset) {
        (Some(file), Some(offset)) => format!("{file}, byte {offset}"),
        (Some(file), None) => file.clone(),
        (None, _) => event.source.uri.clone(),
    };
    let rule = event.rule.as_deref().unwrap_or("no rule");
    write_indented(output, "  ", &format!("{rule}; {place}"))?;
    match &event.line {
        Some(line) => write_indented(output, "  | ", line),
        None => Ok(()),
    }
}
