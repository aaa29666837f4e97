//! The text of a log line while it is written.

use std::fmt::{self, Write};

use statetrail_event::Time;

/// A line in the making: `write!(line, "...")` appends to it and cannot fail.
#[derive(Default)]
pub(crate) struct LineText {
    text: String,
    /// The time of the line in RFC 3339 with nine digits of fraction.
    stamp: Vec<u8>,
}

impl LineText {
    /// Begins a new line of that time.
    pub(crate) fn begin(&mut self, time: Time) {
        self.text.clear();
        self.stamp.clear();
        time.write_rfc3339(&mut self.stamp);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    pub(crate) fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) {
        self.text.write_fmt(arguments).expect("writing into a String cannot fail");
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends the line's time in milliseconds as ISO 8601 writes it, `2026-11-22T10:00:00.123Z`.
    pub(crate) fn push_iso_time(&mut self) {
        self.push_stamp(0, 23);
        self.text.push('Z');
    }

    /// Appends the line's time as Python's logging writes it, `2026-11-22 10:00:00,123`.
    pub(crate) fn push_python_time(&mut self) {
        self.push_stamp(0, 10);
        self.text.push(' ');
        self.push_stamp(11, 19);
        self.text.push(',');
        self.push_stamp(20, 23);
    }

    fn push_stamp(&mut self, from: usize, to: usize) {
        let part = self.stamp.get(from..to).unwrap_or_default();
        self.text.extend(part.iter().map(|byte| char::from(*byte)));
    }
}

/// An amount of hundredths, such as money, with both digits of the fraction: `12.50`.
#[derive(Clone, Copy)]
pub(crate) struct Hundredths(pub(crate) i64);

impl Hundredths {
    pub(crate) fn number(self) -> f64 {
        self.0 as f64 / 100.0
    }
}

impl fmt::Display for Hundredths {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        write!(formatter, "{sign}{}.{:02}", size / 100, size % 100)
    }
}

/// A text in double quotes, as JSON, Go's `%q` and our Java service write it.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => formatter.write_str("\\\"")?,
                '\\' => formatter.write_str("\\\\")?,
                '\n' => formatter.write_str("\\n")?,
                '\t' => formatter.write_str("\\t")?,
                _ => formatter.write_char(character)?,
            }
        }
        formatter.write_char('"')
    }
}

/// A JSON text in which everything outside ASCII is escaped, as Python's `json.dumps` does it.
pub(crate) struct AsciiJson<'a>(pub(crate) &'a str);

impl fmt::Display for AsciiJson<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => formatter.write_str("\\\"")?,
                '\\' => formatter.write_str("\\\\")?,
                ' '..='~' => formatter.write_char(character)?,
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        write!(formatter, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        formatter.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_readers_expect() {
        let text = "2 m \"Pro\" \\ cable, Zoë 📦";
        for quoted in [Quoted(text).to_string(), AsciiJson(text).to_string()] {
            assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
        assert!(AsciiJson(text).to_string().is_ascii());
    }

    #[test]
    fn hundredths_keep_both_digits_and_the_sign() {
        for (hundredths, text) in [(1250, "12.50"), (5, "0.05"), (-1999, "-19.99"), (-50, "-0.50")]
        {
            assert_eq!(Hundredths(hundredths).to_string(), text);
            assert_eq!(Hundredths(hundredths).number(), text.parse::<f64>().unwrap());
        }
    }

    #[test]
    fn times_are_cut_to_milliseconds() {
        let mut line = LineText::default();
        line.begin(Time::parse_rfc3339("2026-11-22T10:00:00.123456789Z").unwrap());
        line.push_iso_time();
        line.push(" ");
        line.push_python_time();
        assert_eq!(line.as_bytes(), b"2026-11-22T10:00:00.123Z 2026-11-22 10:00:00,123");
    }
}
