//! `statetrail find`: entities by their state at a moment.

use std::io::Write;

use statetrail_event::State;
use statetrail_query::{Condition, Find, Found};
use statetrail_store::EntityFilter;

use super::questioner::{Questioner, wait};
use super::show::{STATE_HEADINGS, write_state_rows};
use crate::args::FindArgs;
use crate::failure::{Exit, Failure};
use crate::output::{EntityView, Output, OutputFormat, state_on_one_line, write_indented};

/// Runs the command.
///
/// # Errors
/// When the type or a condition is not well-formed, or the store cannot be read.
pub fn run(args: &FindArgs, ask: &Questioner, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let moment = ask.moment(&args.at)?;
    let filter = filter_of(&args.entity_type)?;
    let conditions = args.conditions.iter().map(|typed| condition(typed)).collect::<Result<_, _>>();
    let mut find = Find::new(ask.store(), filter.clone(), conditions?, moment);
    let limit = args.limit.unwrap_or(usize::MAX);
    let mut listed = 0;
    output.begin_list(&STATE_HEADINGS)?;
    while listed < limit
        && let Some(page) = wait(find.next_page())?
    {
        for Found { name, state, .. } in page.iter().take(limit - listed) {
            write_found(&EntityView::new(name, moment.at, state), state, output)?;
            listed += 1;
        }
    }
    output.end_list()?;
    match listed {
        0 if !ask.has_entities(&filter)? => Err(no_such_type(&args.entity_type)),
        0 => Ok(Exit::NotFound),
        _ => Ok(Exit::Done),
    }
}

/// No state at any moment can match then, so the type is most likely mistyped.
fn no_such_type(typed: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("no entity is of the type {typed:?}"))
        .hint("`statetrail ls` lists all entities")
}

fn filter_of(typed: &str) -> Result<EntityFilter, Failure> {
    let (namespace, entity_type) = match typed.split_once('/') {
        Some((namespace, entity_type)) => (Some(namespace), entity_type),
        None => (None, typed),
    };
    if entity_type.is_empty() || entity_type.contains('/') || namespace == Some("") {
        let message = format!("{typed:?} is no type of entities");
        return Err(Failure::new(Exit::Usage, message)
            .hint("write type or namespace/type, such as order or shop/order"));
    }
    Ok(EntityFilter {
        namespace: namespace.map(str::to_owned),
        entity_type: Some(entity_type.to_owned()),
        id_prefix: None,
    })
}

fn condition(typed: &str) -> Result<Condition, Failure> {
    typed.parse().map_err(|error| Failure::new(Exit::Usage, format!("--where: {error}")))
}

fn write_found(
    view: &EntityView<'_>,
    state: &State,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    match output.format {
        OutputFormat::Csv => write_state_rows(output, view, state),
        OutputFormat::Json | OutputFormat::Jsonl => output.item(view, Vec::new),
        OutputFormat::Text => {
            writeln!(output, "{}", output.style.heading(view.entity))?;
            write_indented(output, "  ", &state_on_one_line(state, |_| true))
        }
    }
}
