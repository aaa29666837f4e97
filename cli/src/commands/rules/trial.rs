//! `statetrail rules try`: rules on lines, and what comes of each.

use std::io::Write;

use serde::Serialize;
use statetrail_event::Event;
use statetrail_input::Texts;
use statetrail_query::views::{SetView, json_cell, unset_fields};
use statetrail_rules::{NearMiss, RuleCount};
use statetrail_workshop::{Form, Tried, forms};
use unicode_width::UnicodeWidthStr;

use super::{TRIED_LINES_MAX, counted, lines_of, tell_left_out, trial_of};
use crate::args::TryArgs;
use crate::failure::{Exit, Failure};
use crate::import::grouped;
use crate::output::{Output, changes_on_one_line, printable, wrap, write_indented, write_painted};

/// Unmatched lines of which forms are looked for: the first ones.
const LINES_OF_FORMS: usize = 20_000;
/// Forms of unmatched lines that are shown.
const FORMS: usize = 10;
/// Lines that people are shown, unless they want another number.
const SHOWN: usize = 20;

/// What stands before an event.
const MADE: &str = "  -> ";

/// Runs the command.
///
/// # Errors
/// When the rules or a log cannot be used, or the output fails.
pub(super) fn run(args: &TryArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if args.show.is_some() && !output.is_text() {
        let message = format!("--show has no meaning with --output {}", output.format.name());
        return Err(Failure::new(Exit::Usage, message)
            .hint("leave it out: every line is in the answer, for programs to choose from"));
    }
    let show = args.show.unwrap_or(SHOWN);
    let mut trial = trial_of(&args.rules, args.namespace.as_deref())?;
    let Texts { lines, skipped, more } = lines_of(&args.files, TRIED_LINES_MAX)?;
    let mut unmatched: Vec<&str> = Vec::new();
    let (mut shown, mut failed) = (0, 0);
    output.begin_list(&LineView::HEADINGS)?;
    for (number, line) in (1..).zip(&lines) {
        let tried = trial.line(line.as_bytes());
        failed += u64::from(tried.failed);
        if tried.matched.is_empty() {
            unmatched.push(line);
        }
        let is_wanted = !args.unmatched || tried.matched.is_empty();
        if !is_wanted || output.is_text() && shown == show {
            continue;
        }
        let near = match tried.matched.is_empty() {
            true => trial.near_miss(line.as_bytes()),
            false => None,
        };
        if output.is_text() {
            write_line(line, &tried, near.as_ref(), output)?;
            shown += 1;
        } else {
            let view = LineView::new(number, line, &tried, near.as_ref());
            output.item(&view, || view.row())?;
        }
    }
    output.end_list()?;
    if output.is_text() {
        let matched = lines.len() - unmatched.len();
        write_counts(lines.len(), matched, failed, &trial.counts(), output)?;
        unmatched.truncate(LINES_OF_FORMS);
        write_forms(&forms(&unmatched), &unmatched, output)?;
    }
    tell_left_out(skipped, more);
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct LineView<'a> {
    number: usize,
    line: &'a str,
    rules: Vec<RuleView<'a>>,
    events: Vec<MadeView<'a>>,
    failed: u32,
    near: Option<NearView<'a>>,
}

#[derive(Serialize)]
struct RuleView<'a> {
    rule: &'a str,
    captures: std::collections::BTreeMap<&'a str, Option<&'a str>>,
}

#[derive(Serialize)]
struct MadeView<'a> {
    entity: &'a str,
    event: &'a str,
    set: SetView<'a>,
    unset: Vec<&'a str>,
}

#[derive(Serialize)]
struct NearView<'a> {
    rule: &'a str,
    field: Option<&'a str>,
    place: Option<usize>,
    expected: &'a str,
}

impl<'a> LineView<'a> {
    const HEADINGS: [&'static str; 6] = ["number", "line", "rules", "events", "failed", "near"];

    fn new(
        number: usize,
        line: &'a str,
        tried: &'a Tried,
        near: Option<&'a NearMiss>,
    ) -> LineView<'a> {
        let rule = |matched: &'a statetrail_workshop::MatchedRule| RuleView {
            rule: &matched.rule,
            captures: matched
                .captures
                .iter()
                .map(|capture| (&*capture.name, capture.text.as_deref()))
                .collect(),
        };
        let made = |event: &'a Event| MadeView {
            entity: event.entity.as_str(),
            event: &event.name,
            set: SetView(&event.changes),
            unset: unset_fields(&event.changes),
        };
        let near_view = |near: &'a NearMiss| NearView {
            rule: &near.rule,
            field: near.field.as_deref(),
            place: near.place,
            expected: &near.expected,
        };
        LineView {
            number,
            line,
            rules: tried.matched.iter().map(rule).collect(),
            events: tried.events.iter().map(made).collect(),
            failed: tried.failed,
            near: near.map(near_view),
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.number.to_string(),
            self.line.to_owned(),
            self.rules.iter().map(|rule| rule.rule).collect::<Vec<_>>().join(" "),
            json_cell(&self.events),
            self.failed.to_string(),
            self.near.as_ref().map_or_else(String::new, |near| near.rule.to_owned()),
        ]
    }
}

fn write_line(
    line: &str,
    tried: &Tried,
    near: Option<&NearMiss>,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    for part in wrap(&printable(line), output.width()) {
        writeln!(output, "{part}")?;
    }
    for matched in &tried.matched {
        write_painted(output, "  ", &matched.rule, |style, part| style.good(part))?;
        let captures = matched.captures.iter().map(|capture| match &capture.text {
            Some(text) => format!("{}={text}", capture.name),
            None => format!("{} has no value", capture.name),
        });
        let captures = captures.collect::<Vec<_>>().join(" ");
        if !captures.is_empty() {
            write_indented(output, "    ", &captures)?;
        }
    }
    for event in &tried.events {
        write_made(event, output)?;
        let changes = changes_on_one_line(&event.changes);
        if !changes.is_empty() {
            write_indented(output, "     ", &changes)?;
        }
    }
    if tried.failed > 0 {
        let told = format!(
            "{} could not be made: a value does not fit its type, or a name is not allowed",
            counted(tried.failed as usize, "event")
        );
        write_painted(output, "  ", &told, |style, part| style.bad(part))?;
    }
    if tried.matched.is_empty() {
        write_near(line, near, output)?;
    }
    writeln!(output)?;
    Ok(())
}

/// Names an event; its name stands below its entity where both do not fit one line.
fn write_made(event: &Event, output: &mut Output<'_>) -> Result<(), Failure> {
    let style = output.style;
    let (entity, name) = (event.entity.as_str(), printable(&event.name));
    let width = output.width() - MADE.len();
    if entity.width() + 1 + name.width() <= width {
        writeln!(output, "{MADE}{} {}", style.heading(entity), style.event(name))?;
        return Ok(());
    }
    for (number, part) in wrap(entity, width).into_iter().enumerate() {
        writeln!(output, "{}{}", if number == 0 { MADE } else { "     " }, style.heading(part))?;
    }
    write_painted(output, "     ", &name, |style, part| style.event(part))
}

/// What the nearest rule lacks, with a caret where it stops.
fn write_near(line: &str, near: Option<&NearMiss>, output: &mut Output<'_>) -> Result<(), Failure> {
    let style = output.style;
    let Some(near) = near else {
        writeln!(output, "  {}", style.notable("no rule is near it"))?;
        return Ok(());
    };
    let place = match (&near.field, near.place) {
        (Some(field), _) => format!(", in {field} it wants"),
        (None, None) => "; nowhere it has".to_owned(),
        (None, Some(place)) => {
            let before = line.get(..place).unwrap_or(line);
            let column = before.chars().count() + 1;
            let columns = printable(before).width();
            if near.redacted {
                return tell_near(
                    near,
                    &format!(", at column {column} of the redacted line it wants"),
                    output,
                );
            }
            if wrap(&printable(line), output.width()).len() == 1 {
                // Right below the line, so that one sees where it stops.
                writeln!(output, "{:columns$}{}", "", style.notable("^"))?;
            }
            format!(", at column {column} it wants")
        }
    };
    tell_near(near, &place, output)
}

fn tell_near(near: &NearMiss, place: &str, output: &mut Output<'_>) -> Result<(), Failure> {
    let told = format!("nearest is {}{place} {}", near.rule, near.expected);
    write_painted(output, "  ", &told, |style, part| style.notable(part))
}

fn write_counts(
    lines: usize,
    matched: usize,
    failed: u64,
    counts: &[(&str, RuleCount)],
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let style = output.style;
    writeln!(
        output,
        "{} {}, {} matched, {} not",
        grouped(lines as u64),
        if lines == 1 { "line" } else { "lines" },
        grouped(matched as u64),
        grouped((lines - matched) as u64)
    )?;
    if failed > 0 {
        let events = if failed == 1 { "event" } else { "events" };
        let told = format!("{} {events} could not be made", grouped(failed));
        writeln!(output, "{}", style.bad(told))?;
    }
    writeln!(output)?;
    writeln!(
        output,
        "{}",
        style.faint(format!("{:>9} {:>9} {:>7}  rule", "lines", "events", "failed"))
    )?;
    for (rule, count) in counts {
        let row = format!(
            "{:>9} {:>9} {:>7}  {rule}",
            grouped(count.matched),
            grouped(count.events),
            grouped(count.failed)
        );
        match count.matched {
            0 => writeln!(output, "{}", style.faint(row))?,
            _ => writeln!(output, "{row}")?,
        }
    }
    Ok(())
}

fn write_forms(forms: &[Form], lines: &[&str], output: &mut Output<'_>) -> Result<(), Failure> {
    if forms.is_empty() {
        return Ok(());
    }
    let style = output.style;
    writeln!(output)?;
    writeln!(output, "Lines that no rule takes, by their forms:")?;
    for form in forms.iter().take(FORMS) {
        let text = printable(&form.text);
        let mut parts = wrap(&text, output.width().saturating_sub(11)).into_iter();
        let first = parts.next().unwrap_or_default();
        writeln!(output, "{:>9}  {first}", grouped(form.lines.len() as u64))?;
        for part in parts {
            writeln!(output, "{:11}{part}", "")?;
        }
        if form.lines.len() == 1 {
            continue;
        }
        let example = form.lines.first().and_then(|line| lines.get(*line)).unwrap_or(&"");
        write_indented(output, "           ", example)?;
    }
    if forms.len() > FORMS {
        let left = forms.len() - FORMS;
        writeln!(output, "{}", style.faint(format!("           and {left} further forms")))?;
    }
    Ok(())
}
