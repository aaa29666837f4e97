//! Text as a terminal can show it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;

use console::Term;
use statetrail_event::{Change, State, Value};
use statetrail_query::Difference;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Output, Painted, Style};
use crate::failure::Failure;

/// Columns that text is broken for where there is no terminal to ask.
pub(super) const TEXT_WIDTH: usize = 80;
/// In a narrower terminal nothing can be laid out; it breaks lines as it likes.
const TERMINAL_WIDTH_MIN: usize = 40;

/// The columns of the terminal that standard output is, if it is one.
pub fn terminal_width() -> Option<usize> {
    let (_, columns) = Term::stdout().size_checked()?;
    Some(usize::from(columns).max(TERMINAL_WIDTH_MIN))
}

/// The text with every control character written as an escape, because what services log must
/// not steer somebody's terminal. Tabs become blanks.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\t' => shown.push(' '),
            _ if character.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(shown, "{}", character.escape_default());
            }
            _ => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// Breaks a text into lines of at most `width` columns, but for a character that is wider, after a blank
/// where there is one in the second half of the line.
pub fn wrap(text: &str, width: usize) -> Vec<&str> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let Some(limit) = beyond(rest, width) else {
            lines.push(rest);
            return lines;
        };
        let at = match rest[..limit].rfind(' ') {
            Some(blank) if blank >= limit / 2 => blank + 1,
            _ => limit,
        };
        let (line, behind) = rest.split_at(at);
        lines.push(line.trim_end());
        rest = behind;
    }
}

/// Where the first character begins that is beyond so many columns. A terminal shows some characters in
/// two columns, others in none.
fn beyond(text: &str, columns: usize) -> Option<usize> {
    let mut indices = text.char_indices();
    // A line has a character at least.
    let mut used = indices.next().and_then(|(_, first)| first.width()).unwrap_or(0);
    indices.find_map(|(place, character)| {
        used += character.width().unwrap_or(0);
        (used > columns).then_some(place)
    })
}

/// A name with blanks behind it up to so many columns.
fn padded(name: &str, columns: usize) -> String {
    format!("{name}{:1$}", "", columns.saturating_sub(name.width()))
}

/// Columns of the longest name, up to a third of `width`.
pub fn field_width<'a>(names: impl Iterator<Item = &'a str>, width: usize) -> usize {
    names.map(UnicodeWidthStr::width).max().unwrap_or(0).min(width / 3)
}

/// Writes a text that matters less on as many lines as it needs, each behind the same `start`.
///
/// # Errors
/// When the output fails, as in all functions here.
pub fn write_indented(output: &mut Output<'_>, start: &str, text: &str) -> Result<(), Failure> {
    write_painted(output, start, text, |style, line| style.faint(line))
}

/// Writes a text on as many lines as it needs, each painted, behind the same `start`.
///
/// # Errors
/// When the output fails.
pub fn write_painted(
    output: &mut Output<'_>,
    start: &str,
    text: &str,
    paint: impl for<'t> Fn(Style, &'t str) -> Painted<&'t str>,
) -> Result<(), Failure> {
    let style = output.style;
    for line in wrap(&printable(text), output.width() - start.len()) {
        writeln!(output, "{start}{}", paint(style, line))?;
    }
    Ok(())
}

/// Writes the fields of a state that have a value, one a line.
///
/// # Errors
/// When the output fails.
pub fn write_fields(output: &mut Output<'_>, state: &State) -> Result<(), Failure> {
    let width = field_width(state.fields().map(|(field, _, _)| field), output.width());
    for (field, value, _) in state.fields() {
        let field = printable(field);
        write_hanging(output, &format!("  {}  ", padded(&field, width)), &value.to_string())?;
    }
    if state.fields().next().is_none() {
        writeln!(output, "  {}", output.style.faint("no field has a value"))?;
    }
    Ok(())
}

/// Writes `text` behind `start`; further lines are indented as far as the first one.
fn write_hanging(output: &mut Output<'_>, start: &str, text: &str) -> Result<(), Failure> {
    let indent = start.width();
    let width = output.width();
    let text = printable(text);
    let mut lines = wrap(&text, width.saturating_sub(indent).max(width / 3)).into_iter();
    writeln!(output, "{start}{}", lines.next().unwrap_or_default())?;
    for line in lines {
        writeln!(output, "{:indent$}{line}", "")?;
    }
    Ok(())
}

/// Writes fields that differ, one a line: `+` for those that are new, `-` for those that are
/// gone, `~` for the others.
///
/// # Errors
/// When the output fails.
pub fn write_changes(output: &mut Output<'_>, changes: &[Difference]) -> Result<(), Failure> {
    let style = output.style;
    for Difference { field, from, to } in changes {
        let field = printable(field);
        let shown = |value: &Value| printable(&value.to_string()).into_owned();
        match (from, to) {
            (Some(from), Some(to)) => {
                let line = format!("~ {field}: {} -> {}", shown(from), shown(to));
                writeln!(output, "  {}", style.notable(line))?;
            }
            (None, Some(to)) => {
                let line = format!("+ {field}: {}", shown(to));
                writeln!(output, "  {}", style.good(line))?;
            }
            (Some(from), None) => {
                let line = format!("- {field}: {}", shown(from));
                writeln!(output, "  {}", style.bad(line))?;
            }
            (None, None) => {}
        }
    }
    Ok(())
}

/// What an event changed, as `status=paid amount=12.5 -failure`.
pub fn changes_on_one_line(changes: &[Change]) -> String {
    let shown = changes.iter().map(|Change { field, value }| match value {
        Some(value) => format!("{field}={value}"),
        None => format!("-{field}"),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// The fields of a state that are wanted, as `field=value field=value`.
pub fn state_on_one_line(state: &State, wanted: impl Fn(&str) -> bool) -> String {
    let fields = state.fields().filter(|(field, ..)| wanted(field));
    let shown = fields.map(|(field, value, _)| format!("{field}={value}"));
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_cannot_steer_the_terminal() {
        for (text, shown) in [
            ("plain ä", "plain ä"),
            ("a\tb", "a b"),
            ("\u{1b}[2Jx", "\\u{1b}[2Jx"),
            ("a\rb\u{7f}\u{85}", "a\\rb\\u{7f}\\u{85}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn long_lines_are_broken() {
        for (text, expected) in [
            ("", vec![""]),
            ("short", vec!["short"]),
            ("0123456789", vec!["0123456789"]),
            ("0123456789a", vec!["0123456789", "a"]),
            ("one two three four", vec!["one two", "three four"]),
            ("a 0123456789 b", vec!["a 01234567", "89 b"]),
            ("äöüäöüäöüäöü", vec!["äöüäöüäöüä", "öü"]),
            ("注文は支払済みです", vec!["注文は支払", "済みです"]),
            ("a\u{301}b\u{301}c\u{301}d e f g h", vec!["a\u{301}b\u{301}c\u{301}d e f", "g h"]),
        ] {
            assert_eq!(wrap(text, 10), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_blanks_is_lost(text in "[a-cä値\u{301} ]{0,60}", width in 1usize..20) {
            let lines = wrap(&text, width);
            proptest::prop_assert!(lines.iter().all(|line| line.width() <= width.max(2)));
            let without_blanks = |text: &str| text.replace(' ', "");
            proptest::prop_assert_eq!(without_blanks(&lines.concat()), without_blanks(&text));
        }
    }
}
