//! Events in the order in which they arrived in a store, and the places to go on from.

use std::fmt;
use std::str::FromStr;

use crate::KnownEvent;

/// Longer cursors are refused: they have to fit into a header of HTTP.
const CURSOR_BYTES_MAX: usize = 6_000;

/// A place in the order of arrival, as a text that only the store that gave it understands.
///
/// It is of ASCII letters, digits, `.`, `-` and `_` alone, so it can stand in a URL, in a header
/// or in a file's name as it is. It stays good when the reader and the store are started again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArrivalCursor(String);

/// Why a text is no [`ArrivalCursor`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a place to go on from is a short text of letters, digits, '.', '-' and '_', as it was given \
     with an event"
)]
pub struct ArrivalCursorError;

impl FromStr for ArrivalCursor {
    type Err = ArrivalCursorError;

    fn from_str(text: &str) -> Result<ArrivalCursor, ArrivalCursorError> {
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if (1..=CURSOR_BYTES_MAX).contains(&text.len()) && text.bytes().all(sound) {
            Ok(ArrivalCursor(text.to_owned()))
        } else {
            Err(ArrivalCursorError)
        }
    }
}

impl fmt::Display for ArrivalCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl ArrivalCursor {
    /// A cursor that a store makes; the text has to be of the form that is read again.
    pub(crate) fn of(text: String) -> ArrivalCursor {
        ArrivalCursor(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An event that arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    /// The event.
    pub known: KnownEvent,
    /// The place right after it.
    pub cursor: ArrivalCursor,
}

/// Events that arrived one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrivals {
    /// The events, the one that arrived first in front.
    pub events: Vec<Arrived>,
    /// Where to go on, also if there are no events.
    pub next: ArrivalCursor,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_shown_as_it_was_read() {
        for text in ["s17", "s17.2", "c1tq2x9.k3-17_4", "0"] {
            assert_eq!(text.parse::<ArrivalCursor>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_could_not_stand_in_a_header_is_refused() {
        let long = "s".repeat(CURSOR_BYTES_MAX + 1);
        for wrong in ["", " ", "s 1", "s1\n", "s/1", "s%201", "ß", "s\u{0}", long.as_str()] {
            assert_eq!(wrong.parse::<ArrivalCursor>(), Err(ArrivalCursorError), "{wrong:?}");
        }
    }
}
