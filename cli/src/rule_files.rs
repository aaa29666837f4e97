//! Rule files from disk.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use statetrail_rules::{Diagnostic, RuleSet, RuleText, Severity};

use crate::failure::{Exit, Failure};

/// Reads rule files and all `*.yaml` and `*.yml` of folders, in the order of their names.
///
/// # Errors
/// When a path does not exist or cannot be read, or a folder holds no rule file.
pub fn read_rule_texts(paths: &[PathBuf]) -> Result<Vec<RuleText>, Failure> {
    let mut texts: Vec<RuleText> = Vec::new();
    let mut files: HashSet<PathBuf> = HashSet::new();
    for path in paths {
        for file in rule_files_of(path)? {
            // A file may be named and lie in a folder that is named, too.
            let is_new = files.insert(fs::canonicalize(&file).unwrap_or_else(|_| file.clone()));
            if !is_new {
                continue;
            }
            let name = file.display().to_string();
            let text = fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
            texts.push(RuleText { name, text });
        }
    }
    Ok(texts)
}

fn rule_files_of(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        let file = entry.map_err(|error| unreadable(path, &error))?.path();
        let is_rule_file = file.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if is_rule_file && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        let message = format!("the folder {} holds no rule file", path.display());
        return Err(Failure::new(Exit::Failed, message).hint("rule files end in .yaml or .yml"));
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(Exit::Failed, format!("{path}: there is no such rule file or folder"))
        }
        std::io::ErrorKind::InvalidData => {
            Failure::new(Exit::Failed, format!("{path}: a rule file must be UTF-8 text"))
        }
        _ => Failure::new(Exit::Failed, format!("{path}: cannot be read: {error}")),
    }
}

/// Puts a rule file in place of the one that is there, as one: who reads it gets the old or the new one.
///
/// # Errors
/// When it cannot be written.
pub fn write_rule_text(path: &Path, text: &str) -> Result<(), Failure> {
    // A link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
        Ok(file.persist(&path)?)
    });
    written.map(|_| ()).map_err(|error| {
        Failure::new(Exit::Failed, format!("{}: cannot be written: {error}", path.display()))
    })
}

/// Compiles rule files for use.
///
/// # Errors
/// When a file has an error; all of them are told.
pub fn compile(texts: &[RuleText]) -> Result<RuleSet, Failure> {
    let (rules, diagnostics) = RuleSet::parse(texts);
    usable(diagnostics)?;
    Ok(rules)
}

/// Compiles rule files for use, each on its own.
///
/// # Errors
/// When a file has an error; those of all files are told.
pub fn compile_each(texts: &[RuleText]) -> Result<Vec<RuleSet>, Failure> {
    let parsed = texts.iter().map(|text| RuleSet::parse(std::slice::from_ref(text)));
    let (rules, diagnostics): (Vec<RuleSet>, Vec<Vec<Diagnostic>>) = parsed.unzip();
    usable(diagnostics.concat())?;
    Ok(rules)
}

/// Tells all errors, those of a file in the order of their places.
fn usable(mut diagnostics: Vec<Diagnostic>) -> Result<(), Failure> {
    diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
    if diagnostics.is_empty() {
        return Ok(());
    }
    diagnostics.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    let errors: Vec<String> = diagnostics.iter().map(Diagnostic::to_string).collect();
    let message = format!("the rules cannot be used\n{}", errors.join("\n"));
    Err(Failure::new(Exit::Failed, message).hint("`statetrail rules check` runs the samples too"))
}

/// What stands for standard input where files are named.
const STANDARD_INPUT: &str = "-";

/// Whether the one rule file that is meant comes from standard input.
///
/// # Errors
/// When other files are named, too.
pub fn is_standard_input(paths: &[PathBuf]) -> Result<bool, Failure> {
    let is_named = paths.iter().any(|path| path == Path::new(STANDARD_INPUT));
    if is_named && paths.len() > 1 {
        let message = "- stands alone: it is one file, from standard input";
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(is_named)
}

/// Reads a rule file from standard input.
///
/// # Errors
/// When it cannot be read.
pub fn read_standard_input() -> Result<RuleText, Failure> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| {
        Failure::new(Exit::Failed, format!("standard input cannot be read: {error}"))
    })?;
    Ok(RuleText { name: "standard input".to_owned(), text })
}

/// That none of these rule files applies to the lines that were named.
pub fn none_applies(paths: &[PathBuf], namespace: Option<&str>) -> Failure {
    let (lines, hint) = match namespace {
        Some(namespace) => (
            format!("the namespace {namespace:?}"),
            "name one of the namespaces of the rule files, or add one to them",
        ),
        None => ("these lines".to_owned(), "say which namespace they are of: --namespace NAME"),
    };
    none_applies_to(paths, &lines, hint)
}

/// That none of these rule files applies to what `lines` says, and what to do then.
pub fn none_applies_to(paths: &[PathBuf], lines: &str, hint: &str) -> Failure {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let message = format!("no rule file of {} applies to {lines}", names.join(", "));
    Failure::new(Exit::NotFound, message).hint(hint)
}
