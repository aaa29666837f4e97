//! `statetrail rules diff`: what other rules make of the same lines.

use std::io::Write;

use serde::Serialize;
use statetrail_event::Event;
use statetrail_query::views::{SetView, json_cell, unset_fields};
use statetrail_workshop::{Difference, compare};

use super::{TRIED_LINES_MAX, counted, lines_of, tell_left_out, trial_of};
use crate::args::RulesDiffArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, changes_on_one_line, printable, wrap, write_indented};

/// Runs the command. Differences are told by the exit code, too.
///
/// # Errors
/// When the rules or a log cannot be used, or the output fails.
pub(super) fn run(args: &RulesDiffArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let namespace = args.namespace.as_deref();
    let (mut old, mut new) = (trial_of(&args.old, namespace)?, trial_of(&args.new, namespace)?);
    let texts = lines_of(&args.files, TRIED_LINES_MAX)?;
    let mut counts = Counts::default();
    output.begin_list(&DifferenceView::HEADINGS)?;
    for (number, line) in (1..).zip(&texts.lines) {
        let differences = compare(&mut old, &mut new, line.as_bytes());
        counts.lines += usize::from(!differences.is_empty());
        for (index, difference) in differences.iter().enumerate() {
            counts.add(difference);
            if output.is_text() {
                if index == 0 {
                    write_indented(output, "", line)?;
                }
                write_difference(difference, output)?;
            } else {
                let view = DifferenceView::new(number, line, difference);
                output.item(&view, || view.row())?;
            }
        }
    }
    output.end_list()?;
    if output.is_text() {
        writeln!(
            output,
            "{} of {} differ: {} to appear, {} to vanish, {} to change",
            counts.lines,
            counted(texts.lines.len(), "line"),
            counted(counts.appear, "event"),
            counts.vanish,
            counts.change
        )?;
    }
    if texts.more {
        let message =
            format!("only the first {TRIED_LINES_MAX} lines were compared, there are more");
        return Err(Failure::new(Exit::Failed, message).hint("compare a part of the log at a time"));
    }
    tell_left_out(texts.skipped, false);
    Ok(if counts.lines == 0 { Exit::Done } else { Exit::Failed })
}

#[derive(Default)]
struct Counts {
    lines: usize,
    appear: usize,
    vanish: usize,
    change: usize,
}

impl Counts {
    fn add(&mut self, difference: &Difference) {
        match difference {
            Difference::Appears(_) => self.appear += 1,
            Difference::Vanishes(_) => self.vanish += 1,
            Difference::Changes { .. } => self.change += 1,
        }
    }
}

#[derive(Serialize)]
struct DifferenceView<'a> {
    number: usize,
    line: &'a str,
    difference: &'static str,
    entity: &'a str,
    event: &'a str,
    old: Option<SidedView<'a>>,
    new: Option<SidedView<'a>>,
}

#[derive(Serialize)]
struct SidedView<'a> {
    rule: Option<&'a str>,
    set: SetView<'a>,
    unset: Vec<&'a str>,
}

impl<'a> SidedView<'a> {
    fn new(event: &'a Event) -> SidedView<'a> {
        SidedView {
            rule: event.rule.as_deref(),
            set: SetView(&event.changes),
            unset: unset_fields(&event.changes),
        }
    }
}

impl<'a> DifferenceView<'a> {
    const HEADINGS: [&'static str; 7] =
        ["number", "line", "difference", "entity", "event", "old", "new"];

    fn new(number: usize, line: &'a str, difference: &'a Difference) -> DifferenceView<'a> {
        let (word, event, old, new) = match difference {
            Difference::Appears(event) => ("appears", event, None, Some(event)),
            Difference::Vanishes(event) => ("vanishes", event, Some(event), None),
            Difference::Changes { from, to } => ("changes", to, Some(from), Some(to)),
        };
        DifferenceView {
            number,
            line,
            difference: word,
            entity: event.entity.as_str(),
            event: &event.name,
            old: old.map(SidedView::new),
            new: new.map(SidedView::new),
        }
    }

    fn row(&self) -> Vec<String> {
        let side = |side: &Option<SidedView<'_>>| side.as_ref().map(json_cell).unwrap_or_default();
        vec![
            self.number.to_string(),
            self.line.to_owned(),
            self.difference.to_owned(),
            self.entity.to_owned(),
            self.event.to_owned(),
            side(&self.old),
            side(&self.new),
        ]
    }
}

fn write_difference(difference: &Difference, output: &mut Output<'_>) -> Result<(), Failure> {
    match difference {
        Difference::Appears(event) => write_event('+', event, output),
        Difference::Vanishes(event) => write_event('-', event, output),
        Difference::Changes { from, to } => {
            write_event('-', from, output)?;
            write_event('+', to, output)
        }
    }
}

/// Writes an event behind its mark, on as many lines as it needs.
fn write_event(mark: char, event: &Event, output: &mut Output<'_>) -> Result<(), Failure> {
    let style = output.style;
    let changes = changes_on_one_line(&event.changes);
    let shown = format!("{mark} {} {} {changes}", event.entity, event.name);
    let shown = printable(shown.trim_end());
    for (number, part) in wrap(&shown, output.width() - 4).into_iter().enumerate() {
        let part = if mark == '+' { style.good(part) } else { style.bad(part) };
        writeln!(output, "{:1$}{part}", "", if number == 0 { 2 } else { 4 })?;
    }
    Ok(())
}
