//! The commands in the documents.

use std::fs;

use anyhow::{Context, Result};

use crate::project_folder;

/// The documents whose commands are checked.
pub const DOCUMENTS: [&str; 4] =
    ["docs/install.md", "docs/operate.md", "docs/security.md", "k8s/README.md"];

/// A command in a document.
#[derive(Clone, Debug)]
pub struct Command {
    /// Where it stands.
    pub document: &'static str,
    /// Its words; quotes are taken off.
    pub words: Vec<String>,
}

/// Every command of the documents: what follows `$ ` in their blocks, lines that end in a backslash
/// joined, pipes taken apart.
///
/// # Errors
/// When a document is missing.
pub fn commands() -> Result<Vec<Command>> {
    let mut commands = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(project_folder().join(document)).context(document)?;
        for line in joined_lines(&text) {
            for command in line.split(" | ") {
                commands.push(Command { document, words: words(command) });
            }
        }
    }
    Ok(commands)
}

fn joined_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let started = open.take().map(|before| before + " " + line.trim());
        let Some(line) = started.or_else(|| line.strip_prefix("$ ").map(str::to_owned)) else {
            continue;
        };
        match line.strip_suffix('\\') {
            Some(rest) => open = Some(rest.trim_end().to_owned()),
            None => lines.push(line),
        }
    }
    lines
}

/// Words as a shell sees them, as far as the documents go: blanks and quotes.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in command.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::{joined_lines, words};

    #[test]
    fn commands_are_taken_apart() {
        assert_eq!(words("a 'b c' --d=\"e f\""), ["a", "b c", "--d=e f"]);
        assert_eq!(joined_lines("x\n$ a \\\n    b\nc\n$ d\n"), ["a b", "d"]);
    }
}
