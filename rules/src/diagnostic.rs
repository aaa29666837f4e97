//! What is wrong with a rule file, and where: file, line, column, a caret, what was expected.

use std::fmt;

use unicode_width::UnicodeWidthStr;

/// A fault in a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the file can be used in spite of it.
    pub severity: Severity,
    /// The file's name, as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters the caret underlines, at least 1.
    pub width: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right, shown beside the caret.
    pub expected: Option<String>,
    /// Further lines below: the nearest valid word, or two results side by side.
    pub help: Vec<String>,
    /// The text of the line.
    pub text: String,
}

/// How grave a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file is not used.
    Error,
    /// The file is used, but its author should know.
    Warning,
}

/// A place in a file's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// In characters.
    pub(crate) width: usize,
}

/// Collects the faults of one file.
pub(crate) struct Report<'a> {
    file: &'a str,
    text: &'a str,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Report<'a> {
        Report { file, text, diagnostics: Vec::new() }
    }

    /// Adds an error; the returned entry can be given what was expected and further help.
    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Error, place, message.into())
    }

    pub(crate) fn warning(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, place, message.into())
    }

    fn add(&mut self, severity: Severity, place: Place, message: String) -> &mut Diagnostic {
        let message = without_control_characters(&message);
        let (place, text) = within(place, self.text);
        let index = self.diagnostics.len();
        self.diagnostics.push(Diagnostic {
            severity,
            file: self.file.to_owned(),
            line: place.line,
            column: place.column.max(1),
            width: place.width.max(1),
            message,
            expected: None,
            help: Vec::new(),
            text: text.to_owned(),
        });
        &mut self.diagnostics[index]
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

impl Diagnostic {
    pub(crate) fn expected(&mut self, expected: impl Into<String>) -> &mut Diagnostic {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Diagnostic {
        self.help.push(without_control_characters(&help.into()));
        self
    }

    /// Names the valid word that is nearest to what was written, if one is near.
    pub(crate) fn nearest(&mut self, written: &str, valid: &[&str]) -> &mut Diagnostic {
        if let Some(word) = nearest(written, valid) {
            self.help(format!("did you mean `{word}`?"));
        }
        self
    }
}

/// The place with the text of its line. What is missing at the end is placed behind the last
/// line, not below it.
fn within(place: Place, text: &str) -> (Place, &str) {
    let line = place.line.max(1);
    if let Some(found) = line_of(text, line) {
        return (Place { line, ..place }, found);
    }
    let mut last = (1, text);
    for number in 1..line {
        match line_of(text, number) {
            Some(found) => last = (number, found),
            None => break,
        }
    }
    (Place { line: last.0, column: last.1.chars().count() + 1, width: 1 }, last.1)
}

/// The line of that number, as YAML counts them: a carriage return alone ends a line, too.
fn line_of(text: &str, number: usize) -> Option<&str> {
    let mut rest = text;
    for _ in 1..number {
        let (_, after) = rest.split_once(['\n', '\r'])?;
        let is_pair = rest[..rest.len() - after.len()].ends_with('\r');
        rest = after.strip_prefix('\n').filter(|_| is_pair).unwrap_or(after);
    }
    rest.split(['\n', '\r']).next()
}

/// The valid word within a third of the written word's length in edits, whatever the case, or
/// one that is the written word's beginning.
pub(crate) fn nearest<'v>(written: &str, valid: &[&'v str]) -> Option<&'v str> {
    let lower = written.to_lowercase();
    let limit = (lower.chars().count() / 3).max(1);
    let distance = |word: &&str| strsim::osa_distance(&lower, &word.to_lowercase());
    let near = valid.iter().copied().filter(|word| distance(word) <= limit);
    let begins = |word: &&str| word.len() >= 3 && lower.starts_with(word);
    near.min_by_key(distance).or_else(|| valid.iter().copied().find(begins))
}

/// Messages quote what was written; what a terminal would obey, or what would break the message
/// into lines, is shown instead.
fn without_control_characters(message: &str) -> String {
    let mut visible = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() {
            visible.extend(character.escape_default());
        } else {
            visible.push(character);
        }
    }
    visible
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// Where the character with that number begins, from 0, or the end.
fn place_of(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(place, _)| place)
}

/// The whole message over several lines, without a newline at its end. What is below a character
/// stands there in a terminal, which shows some in two columns and others in none.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(formatter, "{}: {}", self.severity, self.message)?;
        writeln!(formatter, "{gutter}--> {}:{}:{}", self.file, self.line, self.column)?;
        writeln!(formatter, "{gutter} |")?;
        writeln!(formatter, "{number} | {}", self.text.trim_end())?;
        write!(formatter, "{gutter} | ")?;
        let (before, rest) = self.text.split_at(place_of(&self.text, self.column - 1));
        let rest = rest.trim_end();
        let (under, _) = rest.split_at(place_of(rest, self.width));
        // Tabs are kept, so that the caret stands below its character whatever a tab's width.
        for (number, part) in before.split('\t').enumerate() {
            let tab = if number > 0 { "\t" } else { "" };
            write!(formatter, "{tab}{:width$}", "", width = part.width())?;
        }
        write!(formatter, "{}", "^".repeat(under.width().max(1)))?;
        if let Some(expected) = &self.expected {
            write!(formatter, " {expected}")?;
        }
        for help in &self.help {
            write!(formatter, "\n{gutter} = {help}")?;
        }
        Ok(())
    }
}
