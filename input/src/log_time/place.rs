//! Where in its line a time stands.

/// A place that lines of one kind share although the words before it differ in length, such as
/// `INFO` and `ERROR`: how many words stand before it, and how far into its word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    words: usize,
    bytes: usize,
}

impl Place {
    /// The start of a line.
    pub(super) const START: Place = Place { words: 0, bytes: 0 };

    /// The place of a byte of a line.
    pub(super) fn of(start: usize, line: &[u8]) -> Place {
        let before = &line[..start.min(line.len())];
        let word = before.iter().rposition(|byte| *byte == b' ').map_or(0, |blank| blank + 1);
        Place { words: word_starts(&before[..word]).count(), bytes: start - word }
    }

    /// What stands there in another line.
    pub(super) fn text_in(self, line: &[u8]) -> Option<&[u8]> {
        let word = match self.words {
            0 => 0,
            words => word_starts(line).nth(words)?,
        };
        line.get(word + self.bytes..)
    }
}

/// Where the words of a text start.
fn word_starts(text: &[u8]) -> impl Iterator<Item = usize> {
    (0..text.len()).filter(|at| text[*at] != b' ' && (*at == 0 || text[*at - 1] == b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_in_another_line() {
        for (line, start, other, expected) in [
            ("time x", 0, "other y", Some("other y")),
            ("INFO time x", 5, "ERROR other y", Some("other y")),
            ("INFO  [time] x", 7, "WARN [other] y", Some("other] y")),
            ("a b time", 4, "only two", None),
            ("a b time", 4, "", None),
            ("[time", 1, "", None),
        ] {
            let found = Place::of(start, line.as_bytes()).text_in(other.as_bytes());
            assert_eq!(found, expected.map(str::as_bytes), "{line}");
        }
    }
}
