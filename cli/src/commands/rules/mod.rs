//! `statetrail rules`: rule files are checked, tried, proposed and compared.

mod check;
mod compare;
mod compiled;
mod fmt;
mod stats;
mod suggest;
mod test;
mod trial;

use std::io::{self, Write};
use std::path::PathBuf;

use statetrail_input::{Texts, read_texts};
use statetrail_workshop::{Trial, schema};

use super::Questioner;
use crate::args::RulesCommand;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::rule_files::{compile, none_applies, read_rule_texts};

/// Lines that are read, to try rules on them; the help names the number.
const TRIED_LINES_MAX: usize = 1_000_000;

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or used, or the output fails.
pub fn run(
    command: &RulesCommand,
    open: impl FnOnce() -> Result<Questioner, Failure>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    match command {
        RulesCommand::Check(args) => check::run(args, output),
        RulesCommand::Test(args) => test::run(args, output),
        RulesCommand::Try(args) => trial::run(args, output),
        RulesCommand::Suggest(args) => suggest::run(args, output),
        RulesCommand::Diff(args) => compare::run(args, output),
        RulesCommand::Fmt(args) => fmt::run(args, output),
        RulesCommand::Stats(args) => stats::run(args, &open()?, output),
        RulesCommand::Schema => write_schema(output),
    }
}

fn write_schema(output: &mut Output<'_>) -> Result<Exit, Failure> {
    let schema = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    writeln!(output, "{schema}")?;
    Ok(Exit::Done)
}

/// The rules of a file or folder, to be tried on lines.
fn trial_of(path: &PathBuf, namespace: Option<&str>) -> Result<Trial, Failure> {
    let paths = std::slice::from_ref(path);
    let rules = compile(&read_rule_texts(paths)?)?;
    let trial = Trial::new(rules, namespace);
    match trial.has_rules() {
        true => Ok(trial),
        false => Err(none_applies(paths, namespace)),
    }
}

/// A number and its noun.
fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The lines of logs, of which there is one at least.
fn lines_of(files: &[PathBuf], most: usize) -> Result<Texts, Failure> {
    let texts = read_texts(files, most)?;
    if texts.lines.is_empty() {
        tell_left_out(texts.skipped, texts.more);
        return Err(Failure::new(Exit::NotFound, "there is no line"));
    }
    Ok(texts)
}

/// Tells on standard error of lines that were not looked at, whatever the form of the answer.
fn tell_left_out(skipped: u64, more: bool) {
    let mut told = Vec::new();
    if skipped > 0 {
        let lines = counted(usize::try_from(skipped).unwrap_or(usize::MAX), "line");
        told.push(format!("{lines} left out: too long, or not as the format promises\n"));
    }
    if more {
        told.push("there are more lines than were looked at\n".to_owned());
    }
    // Nobody is to be told if standard error is closed.
    let _ = io::stderr().write_all(told.concat().as_bytes());
}
