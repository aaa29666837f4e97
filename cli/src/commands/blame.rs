//! `statetrail blame`: which log line set each field.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;
use statetrail_event::{EntityName, Event, OrderKey, Time, Value};
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

/// Fields that the same event set stand together, the oldest event first.
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
    let mut by_event: BTreeMap<OrderKey, Vec<&Blame>> = BTreeMap::new();
    for field in fields {
        by_event.entry(field.by.event.key()).or_default().push(field);
    }
    for fields in by_event.values() {
        if let Some(first) = fields.first() {
            write_event(&first.by, ask, output)?;
        }
        for Blame { field, value, .. } in fields {
            let field = style.notable(printable(field));
            writeln!(output, "  {field}: {}", printable(&value.to_string()))?;
        }
    }
    Ok(())
}

fn write_event(by: &KnownEvent, ask: &Questioner, output: &mut Output<'_>) -> Result<(), Failure> {
    let event = &by.event;
    let style = output.style;
    let time = style.heading(ask.clock().show(event.time));
    let rule = event.rule.as_deref().map(|rule| format!("  by {rule}")).unwrap_or_default();
    let rule = style.faint(printable(&rule).into_owned());
    writeln!(output, "\n{time}  {}{rule}", style.event(printable(&event.name)))?;
    write_indented(output, "  from ", &origin(event))?;
    match &event.line {
        Some(line) => write_indented(output, "  | ", line),
        None => Ok(()),
    }
}

/// Pod and container, or else the file and the line's place in it.
fn origin(event: &Event) -> String {
    match (event.source.container(), &event.source.file, event.offset) {
        (None, Some(file), Some(offset)) => format!("{file}, byte {offset}"),
        (None, Some(file), None) => file.clone(),
        _ => event.source.uri.clone(),
    }
}
