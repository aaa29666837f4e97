//! `statetrail events`: events of all entities by time.

use std::io::Write;

use statetrail_query::{EventFilter, Timeline};
use statetrail_store::{EntityFilter, KnownEvent, TimelineQuery};
use unicode_width::UnicodeWidthStr;

use super::following::Following;
use super::questioner::{Questioner, wait};
use crate::args::EventsArgs;
use crate::failure::{Exit, Failure};
use crate::output::{EventView, Output, changes_on_one_line, printable, write_indented};

/// Events that are asked for at a time.
const PAGE: usize = 500;

/// Runs the command.
///
/// # Errors
/// When the store cannot be read or the output fails.
pub fn run(args: &EventsArgs, ask: &Questioner, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let (from, to) = ask.span(&args.span)?;
    let mut left = args.limit.unwrap_or(usize::MAX);
    let filter = EventFilter {
        entities: EntityFilter {
            namespace: args.namespace.clone(),
            entity_type: args.entity_type.clone(),
            id_prefix: None,
        },
        name: args.event.clone(),
        text: args.grep.clone(),
    };
    let query = TimelineQuery {
        from,
        to,
        entities: filter.entities.clone(),
        name: filter.name.clone(),
        text: filter.text.clone(),
        limit: PAGE.min(left),
        ..TimelineQuery::default()
    };
    // Before anything is read, so that nothing arrives in between.
    let mut following = match args.follow {
        true => Some(Following::begin(filter, ask, output)?),
        false => None,
    };
    let mut timeline = Timeline::new(ask.store(), query);
    output.begin_list(&EventView::HEADINGS)?;
    let mut found = false;
    while left > 0
        && let Some(page) = wait(timeline.next_page())?
    {
        for known in page.iter().take(left) {
            write_event(known, ask, output)?;
            if let Some(following) = &mut following {
                following.has_shown(known);
            }
        }
        left = left.saturating_sub(page.len());
        found = true;
        if following.as_ref().is_some_and(Following::is_stopped) {
            return Ok(Exit::Interrupted);
        }
    }
    if let Some(following) = following {
        return following.go_on(left, output, |known, output| {
            let is_wanted = known.event.time >= from;
            if is_wanted {
                write_event(known, ask, output)?;
            }
            Ok(is_wanted)
        });
    }
    output.end_list()?;
    Ok(if found { Exit::Done } else { Exit::NotFound })
}

fn write_event(
    known: &KnownEvent,
    ask: &Questioner,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if !output.is_text() {
        let view = EventView::new(known);
        return output.item(&view, || view.row().to_vec());
    }
    let event = &known.event;
    let style = output.style;
    let time = ask.clock().show(event.time);
    let name = printable(&event.name);
    let entity = style.heading(&event.entity);
    let columns = [&*time, event.entity.as_str(), &*name].map(UnicodeWidthStr::width);
    if output.fits(columns.iter().sum::<usize>() + 4) {
        writeln!(output, "{time}  {entity}  {}", style.event(name))?;
    } else {
        writeln!(output, "{time}  {}\n  {entity}", style.event(name))?;
    }
    let changes = changes_on_one_line(&event.changes);
    if changes.is_empty() { Ok(()) } else { write_indented(output, "  ", &changes) }
}
