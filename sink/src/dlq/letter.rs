//! A dead letter as it was read.

use std::fmt;
use std::str::FromStr;

use rdkafka::Message;
use rdkafka::message::{Headers, OwnedMessage};

use crate::dead_letter::{HEADER_PREFIX, REPLAYED};

/// Where a letter stands in the dead-letter topic, written `PARTITION:OFFSET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}:{}", self.partition, self.offset))
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        let wrong = || "not of the form PARTITION:OFFSET, such as 0:17".to_owned();
        let (partition, offset) = text.split_once(':').ok_or_else(wrong)?;
        let partition = partition.parse().ok().filter(|number| *number >= 0);
        let offset = offset.parse().ok().filter(|number| *number >= 0);
        match (partition, offset) {
            (Some(partition), Some(offset)) => Ok(Place { partition, offset }),
            _ => Err(wrong()),
        }
    }
}

/// Where a letter's message stood before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// A dead letter.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Where it stands.
    pub place: Place,
    /// Where its message stood, if its headers say so.
    pub origin: Option<Origin>,
    /// Why, in a word; `unknown` if nobody says.
    pub kind: String,
    /// Why, for people.
    pub error: String,
    /// When it was found out, RFC 3339; empty if nobody says.
    pub failed_at: String,
    /// How often it was sent back before.
    pub replayed: u32,
    /// The length of the whole value in bytes, if only its beginning is here.
    pub truncated: Option<u64>,
    /// The key, as text.
    pub key: Option<String>,
    /// The message with all its headers.
    pub message: OwnedMessage,
}

impl Letter {
    /// Understands a message of a dead-letter topic, whoever put it there.
    pub fn of_message(message: OwnedMessage) -> Letter {
        let text = |name: &str| header_text(&message, name);
        let number = |name: &str| text(name).and_then(|text| text.parse().ok());
        let origin = match (
            text("statetrail-topic"),
            number("statetrail-partition"),
            number("statetrail-offset"),
        ) {
            (Some(topic), Some(partition), Some(offset)) => {
                i32::try_from(partition).ok().map(|partition| Origin { topic, partition, offset })
            }
            _ => None,
        };
        Letter {
            place: Place { partition: message.partition(), offset: message.offset() },
            origin,
            kind: text("statetrail-error-kind").unwrap_or_else(|| "unknown".to_owned()),
            error: text("statetrail-error").unwrap_or_default(),
            failed_at: text("statetrail-failed-at").unwrap_or_default(),
            replayed: text(REPLAYED).and_then(|text| text.parse().ok()).unwrap_or(0),
            truncated: text("statetrail-truncated").and_then(|text| text.parse().ok()),
            key: message.key().map(|key| String::from_utf8_lossy(key).into_owned()),
            message,
        }
    }

    /// The value as text, if there is one.
    pub fn value(&self) -> Option<String> {
        self.message.payload().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The headers that the message came with, as text.
    pub fn own_headers(&self) -> Vec<(String, String)> {
        let headers = self.message.headers().map(|it| it.iter()).into_iter().flatten();
        let own = headers.filter(|header| !header.key.starts_with(HEADER_PREFIX));
        own.map(|header| {
            let value = String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned();
            (header.key.to_owned(), value)
        })
        .collect()
    }
}

fn header_text(message: &OwnedMessage, name: &str) -> Option<String> {
    let headers = message.headers()?;
    let header = headers.iter().find(|header| header.key == name)?;
    Some(String::from_utf8_lossy(header.value?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_shown() {
        let place = Place { partition: 3, offset: 17 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "3", "3:", ":1", "-1:2", "1:-2", "a:b", "1:2:3"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
