//! `statetrail rules suggest`: rule files proposed from lines.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use statetrail_input::Texts;
use statetrail_workshop::{Suggestion, suggest};

use super::{counted, lines_of, tell_left_out};
use crate::args::SuggestArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Runs the command.
///
/// # Errors
/// When a log cannot be read, a rule file cannot be written or is there already, or the output fails.
pub(super) fn run(args: &SuggestArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let Texts { lines, skipped, more } = lines_of(&args.files, args.lines)?;
    let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    let suggestions = suggest(&texts, &args.namespace, args.most);
    if suggestions.is_empty() {
        tell_left_out(skipped, more);
        return Err(Failure::new(Exit::NotFound, nothing_found(lines.len())).hint(
            "more lines of the same service may help: an id is what comes back in lines of several forms",
        ));
    }
    if let Some(folder) = &args.write {
        write_files(folder, &suggestions)?;
    }
    if !output.is_text() {
        output.begin_list(&["entity_type", "file", "rules", "entities", "lines", "text"])?;
        for suggestion in &suggestions {
            let view = SuggestionView::new(suggestion);
            output.item(&view, || view.row())?;
        }
        output.end_list()?;
    } else {
        for (number, suggestion) in suggestions.iter().enumerate() {
            write_suggestion(number + 1, suggestion, lines.len(), args.write.as_deref(), output)?;
        }
    }
    tell_left_out(skipped, more);
    Ok(Exit::Done)
}

fn nothing_found(lines: usize) -> String {
    match lines {
        1 => "nothing in this line looks like the id of an entity".to_owned(),
        _ => format!("nothing in these {} looks like the id of an entity", counted(lines, "line")),
    }
}

/// Writes each file, if none of them is there.
fn write_files(folder: &Path, suggestions: &[Suggestion]) -> Result<(), Failure> {
    let failed = |path: &Path, what: &dyn std::fmt::Display| {
        Failure::new(Exit::Failed, format!("{}: {what}", path.display()))
    };
    if folder.is_file() {
        return Err(failed(folder, &"is a file, not a folder"));
    }
    let paths: Vec<PathBuf> = suggestions.iter().map(|it| folder.join(&it.file)).collect();
    let there: Vec<String> =
        paths.iter().filter(|path| path.exists()).map(|path| path.display().to_string()).collect();
    if !there.is_empty() {
        let message = format!("there is {} already; nothing was written", there.join(", "));
        let hint = "rename it, or give --write another folder";
        return Err(Failure::new(Exit::Failed, message).hint(hint));
    }
    let unwritable =
        |path: &Path, error: &io::Error| failed(path, &format!("cannot be written: {error}"));
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    for (path, suggestion) in paths.iter().zip(suggestions) {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .and_then(|mut file| file.write_all(suggestion.text.as_bytes()))
            .map_err(|error| unwritable(path, &error))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct SuggestionView<'a> {
    entity_type: &'a str,
    file: &'a str,
    rules: usize,
    entities: usize,
    lines: usize,
    examples: Vec<&'a str>,
    text: &'a str,
}

impl<'a> SuggestionView<'a> {
    fn new(suggestion: &'a Suggestion) -> SuggestionView<'a> {
        SuggestionView {
            entity_type: &suggestion.entity_type,
            file: &suggestion.file,
            rules: suggestion.rules,
            entities: suggestion.entities,
            lines: suggestion.lines,
            examples: suggestion.examples.iter().map(|(name, _)| &**name).collect(),
            text: &suggestion.text,
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.entity_type.to_owned(),
            self.file.to_owned(),
            self.rules.to_string(),
            self.entities.to_string(),
            self.lines.to_string(),
            self.text.to_owned(),
        ]
    }
}

/// What is printed is a rule file, with what is told about it in comments.
fn write_suggestion(
    number: usize,
    suggestion: &Suggestion,
    all_lines: usize,
    folder: Option<&Path>,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let style = output.style;
    let Suggestion { file, rules, entities, lines, examples, text, .. } = suggestion;
    let noun = if *entities == 1 { "entity" } else { "entities" };
    let title = format!("# {number}. {file}: {entities} {noun}, {}", counted(*rules, "rule"));
    writeln!(output, "{}", style.heading(title))?;
    let percent = 100 * lines / all_lines.max(1);
    writeln!(
        output,
        "{}",
        style.faint(format!("# takes {lines} of {all_lines} lines ({percent}%)"))
    )?;
    for (name, events) in examples {
        writeln!(output, "{}", style.faint(format!("#   {name}: {}", counted(*events, "event"))))?;
    }
    match folder {
        Some(folder) => writeln!(output, "# written to {}", folder.join(file).display())?,
        None => writeln!(output, "\n{text}")?,
    }
    Ok(())
}
