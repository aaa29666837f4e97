//! Text as a terminal can show it.

use std::borrow::Cow;
use std::fmt::Write;

/// Columns where the terminal does not say how many it has.
pub const DEFAULT_WIDTH: usize = 80;

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

/// Breaks a text into lines of at most `width` characters, after a blank where there is one in
/// the second half of the line.
pub fn wrap(text: &str, width: usize) -> Vec<&str> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let Some((limit, _)) = rest.char_indices().nth(width) else {
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
        ] {
            assert_eq!(wrap(text, 10), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_blanks_is_lost(text in "[a-cä ]{0,60}", width in 1usize..20) {
            let lines = wrap(&text, width);
            proptest::prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            let without_blanks = |text: &str| text.replace(' ', "");
            proptest::prop_assert_eq!(without_blanks(&lines.concat()), without_blanks(&text));
        }
    }
}
