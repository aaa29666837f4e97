//! `statetrail rules check`: every fault of rule files, their samples run.

use std::io::Write;

use serde::Serialize;
use statetrail_rules::{Diagnostic, Severity};

use super::counted;
use crate::args::CheckArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::rule_files::{is_standard_input, read_rule_texts, read_standard_input};

#[derive(Serialize)]
struct Fault<'a> {
    severity: String,
    file: &'a str,
    line: usize,
    column: usize,
    width: usize,
    message: &'a str,
    expected: Option<&'a str>,
    help: &'a [String],
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or the output fails. Errors in the files are told by the
/// exit code; warnings alone are not.
pub(super) fn run(args: &CheckArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let texts = match is_standard_input(&args.paths)? {
        true => vec![read_standard_input()?],
        false => read_rule_texts(&args.paths)?,
    };
    let diagnostics = statetrail_rules::check(&texts);
    if args.github {
        write_annotations(&diagnostics, output)?;
    } else if output.is_text() {
        write_text(&diagnostics, texts.len(), output)?;
    } else {
        write_list(&diagnostics, output)?;
    }
    let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
    Ok(if diagnostics.iter().any(is_error) { Exit::Failed } else { Exit::Done })
}

fn fault(diagnostic: &Diagnostic) -> Fault<'_> {
    Fault {
        severity: diagnostic.severity.to_string(),
        file: &diagnostic.file,
        line: diagnostic.line,
        column: diagnostic.column,
        width: diagnostic.width,
        message: &diagnostic.message,
        expected: diagnostic.expected.as_deref(),
        help: &diagnostic.help,
    }
}

fn write_list(diagnostics: &[Diagnostic], output: &mut Output<'_>) -> Result<(), Failure> {
    output.begin_list(&["severity", "file", "line", "column", "message"])?;
    for diagnostic in diagnostics {
        output.item(&fault(diagnostic), || {
            vec![
                diagnostic.severity.to_string(),
                diagnostic.file.clone(),
                diagnostic.line.to_string(),
                diagnostic.column.to_string(),
                diagnostic.message.clone(),
            ]
        })?;
    }
    output.end_list()
}

/// As GitHub Actions shows them beside the files.
fn write_annotations(diagnostics: &[Diagnostic], output: &mut Output<'_>) -> Result<(), Failure> {
    // What ends a message or a property is written as its number.
    let escaped = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    for fault in diagnostics {
        let Diagnostic { severity, file, line, column, width, message, .. } = fault;
        let told = fault
            .expected
            .iter()
            .chain(&fault.help)
            .fold(message.clone(), |told, more| format!("{told}\n{more}"));
        writeln!(
            output,
            "::{severity} file={},line={line},col={column},endColumn={}::{}",
            property(file),
            column + width,
            escaped(&told)
        )?;
    }
    Ok(())
}

fn write_text(
    diagnostics: &[Diagnostic],
    files: usize,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    for diagnostic in diagnostics {
        let text = diagnostic.to_string();
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        match diagnostic.severity {
            Severity::Error => writeln!(output, "{}", output.style.bad(first))?,
            Severity::Warning => writeln!(output, "{}", output.style.notable(first))?,
        }
        writeln!(output, "{rest}\n")?;
    }
    let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
    let errors = diagnostics.iter().filter(is_error).count();
    let warnings = diagnostics.len() - errors;
    writeln!(
        output,
        "{}: {}, {}",
        counted(files, "rule file"),
        counted(errors, "error"),
        counted(warnings, "warning")
    )?;
    Ok(())
}
