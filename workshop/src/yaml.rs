//! Pieces of rule files.

use std::fmt::Write as _;

use statetrail_event::{Event, Value};

/// A text as YAML reads it back: bare where that is safe, else in quotes.
pub(crate) fn quoted(text: &str) -> String {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '<' || c == '/');
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_/.<>:+~@= ".contains(c);
    let ends = !text.ends_with([':', ' ']) && !text.contains(": ") && !text.starts_with("<<");
    let is_word = starts && ends && text.chars().all(is_bare) && !is_special(text);
    if is_word { text.to_owned() } else { in_quotes(text) }
}

/// A text in quotes, whatever it holds.
pub(crate) fn in_quotes(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Words that mean something else without quotes.
fn is_special(text: &str) -> bool {
    ["true", "false", "null", "yes", "no", "on", "off"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text))
}

/// A sample of a rule as an item of a list, so far to the right: a line and its events.
pub(crate) fn sample_item(indent: usize, line: &str, events: &[Event]) -> String {
    let (mut text, pad) = (String::new(), " ".repeat(indent));
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "{pad}- line: {}", in_quotes(line));
    if events.is_empty() {
        let _ = writeln!(text, "{pad}  events: []");
        return text;
    }
    let _ = writeln!(text, "{pad}  events:");
    for event in events {
        let _ = writeln!(text, "{pad}    - entity: {}", quoted(event.entity.subject()));
        let _ = writeln!(text, "{pad}      event: {}", quoted(&event.name));
        let changes = event.changes.iter();
        let set: Vec<String> = changes
            .clone()
            .filter_map(|change| Some((&*change.field, change.value.as_ref()?)))
            .map(|(field, value)| format!("{}: {}", quoted(field), scalar(value)))
            .collect();
        if !set.is_empty() {
            let _ = writeln!(text, "{pad}      set: {{{}}}", set.join(", "));
        }
        let unset: Vec<String> =
            changes.filter(|it| it.value.is_none()).map(|it| quoted(&it.field)).collect();
        if !unset.is_empty() {
            let _ = writeln!(text, "{pad}      unset: [{}]", unset.join(", "));
        }
    }
    text
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Number(number) => {
            let text = number.get().to_string();
            // Without a fraction it would be a whole number.
            if text.contains(['.', 'e', 'E']) { text } else { text + ".0" }
        }
        other => other.to_string(),
    }
}
