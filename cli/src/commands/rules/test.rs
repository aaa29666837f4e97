//! `statetrail rules test`: every sample, on the native engine and in the compiled filter.

use std::io::Write;

use serde::Serialize;
use statetrail_rules::{RuleSet, RuleText, SampleRun, run_samples};

use super::compiled::Compiled;
use super::counted;
use crate::args::RulesTestArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, printable, wrap, write_painted};
use crate::rule_files::{compile_each, read_rule_texts};

/// Columns of a half below which two texts stand one above the other.
const HALF_MIN: usize = 30;

/// A sample and what came of it.
#[derive(Serialize)]
struct SampleView<'a> {
    file: &'a str,
    rule: &'a str,
    /// The line of the file on which the sample begins.
    place: usize,
    line: &'a str,
    passed: bool,
    want: &'a [String],
    native: &'a [String],
    /// Absent without a filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a [String]>,
}

/// The samples of a file.
struct FileRun {
    file: String,
    samples: Vec<SampleRun>,
    /// What the filter gives for each.
    filter: Option<Vec<Vec<String>>>,
    /// Rules without samples.
    bare: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When a file or the filter cannot be used, or the output fails. Samples that give something else are
/// told by the exit code.
pub(super) fn run(args: &RulesTestArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let compiled = args.wasm.as_deref().map(Compiled::load).transpose()?;
    let texts = read_rule_texts(&args.paths)?;
    let rules = compile_each(&texts)?;
    let runs = texts.iter().zip(rules);
    let runs = runs.map(|(text, rules)| run_file(text, rules, compiled.as_ref()));
    let runs = runs.collect::<Result<Vec<FileRun>, Failure>>()?;
    let views: Vec<SampleView<'_>> = runs.iter().flat_map(FileRun::views).collect();
    if output.is_text() {
        write_text(&views, runs.len(), output)?;
        write_bare(&runs, output)?;
    } else {
        output.begin_list(&["file", "rule", "place", "line", "passed"])?;
        for view in &views {
            output.item(view, || {
                let (place, passed) = (view.place.to_string(), view.passed.to_string());
                vec![
                    view.file.to_owned(),
                    view.rule.to_owned(),
                    place,
                    view.line.to_owned(),
                    passed,
                ]
            })?;
        }
        output.end_list()?;
    }
    Ok(if views.iter().all(|view| view.passed) { Exit::Done } else { Exit::Failed })
}

fn run_file(
    text: &RuleText,
    mut rules: RuleSet,
    compiled: Option<&Compiled>,
) -> Result<FileRun, Failure> {
    let samples = run_samples(&mut rules);
    let (namespace, container) = rules.sample_place().unwrap_or_default();
    let filter = compiled
        .map(|compiled| compiled.run(text, (&namespace, &container), &samples))
        .transpose()?;
    let is_bare = |rule: &&str| samples.iter().all(|sample| sample.rule != *rule);
    let bare = rules.rule_names().filter(is_bare).map(str::to_owned).collect();
    Ok(FileRun { file: text.name.clone(), samples, filter, bare })
}

impl FileRun {
    fn views(&self) -> impl Iterator<Item = SampleView<'_>> {
        self.samples.iter().enumerate().map(|(number, sample)| {
            let filter = self.filter.as_ref().map(|all| &*all[number]);
            let passes = |got: &[String]| got == sample.want;
            SampleView {
                file: &self.file,
                rule: &sample.rule,
                place: sample.place,
                line: &sample.line,
                passed: passes(&sample.got) && filter.is_none_or(passes),
                want: &sample.want,
                native: &sample.got,
                filter,
            }
        })
    }
}

fn write_text(
    views: &[SampleView<'_>],
    files: usize,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    for view in views.iter().filter(|view| !view.passed) {
        let rule = output.style.bad(view.rule);
        writeln!(output, "{rule} at {}:{}", view.file, view.place)?;
        for part in wrap(&printable(view.line), output.width() - 4) {
            writeln!(output, "  | {part}")?;
        }
        let engines = [("native engine", Some(view.native)), ("filter", view.filter)];
        for (engine, got) in engines {
            if let Some(got) = got.filter(|got| *got != view.want) {
                write_beside(engine, view.want, got, output)?;
            }
        }
        writeln!(output)?;
    }
    let failed = views.iter().filter(|view| !view.passed).count();
    let on = match views.iter().any(|view| view.filter.is_some()) {
        true => ", each on the native engine and in the filter",
        false => "",
    };
    writeln!(
        output,
        "{}: {}{on}, {failed} failed",
        counted(files, "rule file"),
        counted(views.len(), "sample")
    )?;
    Ok(())
}

/// Names the rules of which nothing was tested.
fn write_bare(runs: &[FileRun], output: &mut Output<'_>) -> Result<(), Failure> {
    let bare: Vec<&str> = runs.iter().flat_map(|run| &run.bare).map(String::as_str).collect();
    if bare.is_empty() {
        return Ok(());
    }
    let told = format!("{} without samples: {}", counted(bare.len(), "rule"), bare.join(", "));
    write_painted(output, "", &told, |style, part| style.notable(part))
}

/// What is wanted at the left, what an engine gives at the right.
fn write_beside(
    engine: &str,
    want: &[String],
    got: &[String],
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let style = output.style;
    let half = (output.width().saturating_sub(5)) / 2;
    let is_wide = half >= HALF_MIN;
    let head = format!("the {engine} gives");
    if is_wide {
        let wanted = format!("{:half$}", "wanted");
        writeln!(output, "  {} {}", style.faint(wanted), style.faint(&head))?;
    }
    for number in 0..want.len().max(got.len()) {
        let of = |events: &[String]| {
            events
                .get(number)
                .map_or_else(|| "no event".to_owned(), |it| printable(it).into_owned())
        };
        let (left, right) = (of(want), of(got));
        let is_same = left == right;
        if !is_wide {
            writeln!(output, "  wanted: {}", style.good(&left))?;
            writeln!(
                output,
                "  {head}: {}",
                if is_same { style.good(&right) } else { style.bad(&right) }
            )?;
            continue;
        }
        let (left, right) = (wrap(&left, half), wrap(&right, half));
        for row in 0..left.len().max(right.len()) {
            let cell = |cells: &[&str]| cells.get(row).copied().unwrap_or_default().to_owned();
            let (left, right) = (format!("{:half$}", cell(&left)), cell(&right));
            let right = if is_same { style.good(right) } else { style.bad(right) };
            writeln!(output, "  {} {right}", style.good(left))?;
        }
    }
    Ok(())
}
