//! `statetrail rules fmt`: rule files in the usual form.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use statetrail_rules::RuleText;
use statetrail_workshop::format;

use super::counted;
use crate::args::FmtArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::rule_files::{is_standard_input, read_rule_texts, read_standard_input, write_rule_text};

#[derive(Serialize)]
struct FileView<'a> {
    file: &'a str,
    changed: bool,
}

/// Runs the command. With `--check`, files in another form are told by the exit code.
///
/// # Errors
/// When a file cannot be read, written or formatted, or the output fails.
pub(super) fn run(args: &FmtArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if is_standard_input(&args.paths)? {
        return filter(args, output);
    }
    let texts = read_rule_texts(&args.paths)?;
    // Nothing is written before all can be.
    let mut formatted = Vec::new();
    let mut faults = Vec::new();
    for text in &texts {
        match format(&text.text) {
            Ok(new) => formatted.push((text, new)),
            Err(fault) => faults
                .push(format!("{}:{}:{}: {}", text.name, fault.line, fault.column, fault.message)),
        }
    }
    if !faults.is_empty() {
        return Err(Failure::new(Exit::Failed, faults.join("\n")).hint("nothing was changed"));
    }
    let mut changed = 0;
    output.begin_list(&["file", "changed"])?;
    for (text, new) in &formatted {
        let view = FileView { file: &text.name, changed: text.text != *new };
        changed += usize::from(view.changed);
        if view.changed && !args.check {
            write_rule_text(Path::new(&text.name), new)?;
        }
        if !output.is_text() {
            output.item(&view, || vec![view.file.to_owned(), view.changed.to_string()])?;
        } else if view.changed {
            writeln!(output, "{}", text.name)?;
        }
    }
    output.end_list()?;
    if output.is_text() {
        let verb = if args.check { "not in the usual form" } else { "changed" };
        writeln!(output, "{}, {changed} {verb}", counted(texts.len(), "rule file"))?;
    }
    Ok(if args.check && changed > 0 { Exit::Failed } else { Exit::Done })
}

/// One file from standard input to standard output.
fn filter(args: &FmtArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let RuleText { name, text } = read_standard_input()?;
    let formatted = format(&text).map_err(|fault| {
        Failure::new(
            Exit::Failed,
            format!("{name}:{}:{}: {}", fault.line, fault.column, fault.message),
        )
    })?;
    if args.check {
        return Ok(if formatted == text { Exit::Done } else { Exit::Failed });
    }
    output.write_all(formatted.as_bytes())?;
    Ok(Exit::Done)
}
