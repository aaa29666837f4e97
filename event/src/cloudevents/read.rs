//! JSON to events, from our own filter and from any other producer.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::{
    Change, EntityName, EntityNameError, Event, EventId, MAX_SEQ, Source, Time, TimeError, Value,
};

/// Longest event name and field name, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Why a message cannot become events.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not JSON, or not a CloudEvent in the form that the module's documentation gives.
    #[error("not a CloudEvent that statetrail can store: {0}")]
    Form(#[from] serde_json::Error),
    /// It has another version.
    #[error("specversion is {0:?}, statetrail reads 1.0")]
    Version(String),
    /// The time cannot be read.
    #[error("time {text:?}: {cause}")]
    Time {
        /// What stands there.
        text: String,
        /// What is wrong with it.
        cause: TimeError,
    },
    /// Namespace and subject do not name an entity.
    #[error("{0}")]
    Entity(#[from] EntityNameError),
    /// There is neither a `namespace` extension nor a source that begins with one.
    #[error(
        "no namespace: neither the extension `namespace` nor a source of the form /namespace/..."
    )]
    NoNamespace,
    /// `data` is there, but holds nothing that statetrail knows.
    #[error("data has none of set, unset and line")]
    NoChanges,
    /// A name of an event or field is empty, too long or holds a control character.
    #[error(
        "{kind} {name:?} is empty, longer than {MAX_NAME_BYTES} bytes or holds a control character"
    )]
    Name {
        /// `type` or `field`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A field stands twice among `set` and `unset`.
    #[error("field {0:?} stands twice in one event")]
    FieldTwice(String),
}

#[derive(Deserialize)]
#[serde(expecting = "a CloudEvent as an object")]
struct Wire<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "unsigned")]
    seq: Option<u64>,
    rule: Option<String>,
    node: Option<String>,
    file: Option<String>,
    #[serde(default, deserialize_with = "unsigned")]
    offset: Option<u64>,
    data: Option<WireData>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with set, unset or line")]
struct WireData {
    set: Option<SetChanges>,
    unset: Option<Vec<Box<str>>>,
    line: Option<String>,
}

/// Reads one event or a batch.
///
/// # Errors
/// When any event in it is not what the module's documentation describes: a message is taken
/// whole or not at all.
pub fn read(json: &[u8]) -> Result<Vec<Event>, ReadError> {
    let is_batch = json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_batch {
        let batch: Vec<Wire<'_>> = serde_json::from_slice(json)?;
        return batch.into_iter().map(Wire::into_event).collect();
    }
    let wire: Wire<'_> = serde_json::from_slice(json)?;
    Ok(vec![wire.into_event()?])
}

impl Wire<'_> {
    fn into_event(self) -> Result<Event, ReadError> {
        if self.specversion != "1.0" {
            return Err(ReadError::Version(self.specversion.into_owned()));
        }
        let namespace = match &self.namespace {
            Some(namespace) => namespace,
            None => namespace_of_source(&self.source).ok_or(ReadError::NoNamespace)?,
        };
        let (entity_type, entity_id) = self
            .subject
            .split_once('/')
            .ok_or_else(|| EntityNameError::Form(format!("{namespace}/{}", self.subject)))?;
        let entity = EntityName::new(namespace, entity_type, entity_id)?;
        let name = event_name(&self.event_type, entity_type);
        check_name("type", name)?;
        let time = Time::parse_rfc3339(&self.time)
            .map_err(|cause| ReadError::Time { text: self.time.clone().into_owned(), cause })?;
        let (changes, line) = match self.data {
            Some(data) => data.into_changes()?,
            None => (Vec::new(), None),
        };
        Ok(Event {
            id: EventId::from_foreign(&self.source, &self.id),
            name: name.to_owned(),
            entity,
            time,
            seq: self.seq.unwrap_or(0),
            changes,
            source: Arc::new(Source {
                uri: self.source.into_owned(),
                node: self.node,
                file: self.file,
            }),
            offset: self.offset,
            rule: self.rule.map(Into::into),
            line,
        })
    }
}

impl WireData {
    fn into_changes(self) -> Result<(Vec<Change>, Option<String>), ReadError> {
        if self.set.is_none() && self.unset.is_none() && self.line.is_none() {
            return Err(ReadError::NoChanges);
        }
        let mut changes = self.set.map_or_else(Vec::new, |set| set.0);
        changes.extend(self.unset.into_iter().flatten().map(Change::unset));
        for change in &changes {
            check_name("field", &change.field)?;
        }
        let mut fields: Vec<&str> = changes.iter().map(|change| &*change.field).collect();
        fields.sort_unstable();
        if let Some(twice) = fields.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ReadError::FieldTwice(twice[0].to_owned()));
        }
        Ok((changes, self.line))
    }
}

/// The event's name: the type without the entity's type before it.
fn event_name<'a>(event_type: &'a str, entity_type: &str) -> &'a str {
    let name = event_type.strip_prefix(entity_type).and_then(|rest| rest.strip_prefix('.'));
    name.unwrap_or(event_type)
}

fn namespace_of_source(source: &str) -> Option<&str> {
    let first = source.strip_prefix('/')?.split('/').next()?;
    (!first.is_empty()).then_some(first)
}

fn check_name(kind: &'static str, name: &str) -> Result<(), ReadError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(ReadError::Name { kind, name: name.chars().take(80).collect() });
    }
    Ok(())
}

/// The members of `set` in the order in which they stand.
struct SetChanges(Vec<Change>);

impl<'de> Deserialize<'de> for SetChanges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SetChanges, D::Error> {
        struct SetVisitor;
        impl<'de> Visitor<'de> for SetVisitor {
            type Value = SetChanges;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of fields and their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SetChanges, A::Error> {
                let mut changes = Vec::new();
                while let Some((field, value)) = map.next_entry::<Box<str>, Value>()? {
                    changes.push(Change { field, value: Some(value) });
                }
                Ok(SetChanges(changes))
            }
        }
        deserializer.deserialize_map(SetVisitor)
    }
}

/// A whole number, written as JSON number or as digits in a string.
fn unsigned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "not a whole number from 0 to 9223372036854775807")]
    enum NumberOrText<'a> {
        Number(u64),
        #[serde(borrow)]
        Text(Cow<'a, str>),
    }
    let number = match Option::<NumberOrText<'de>>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(NumberOrText::Number(number)) => Some(number),
        Some(NumberOrText::Text(text)) => text.parse().ok(),
    };
    match number {
        Some(number) if number <= MAX_SEQ => Ok(Some(number)),
        _ => Err(D::Error::custom(format_args!("not a whole number from 0 to {MAX_SEQ}"))),
    }
}
