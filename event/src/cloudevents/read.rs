//! JSON to events, from our own filter and from any other producer.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::shared::Shared;
use crate::{Change, EntityName, EntityNameError, Event, EventId, MAX_SEQ, Time, TimeError, Value};

/// Longest event name and field name, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// Sources and rules, each, that a [`Reader`] remembers: pods that log at the same time, at about
/// 200 bytes each.
const SHARED_SLOTS: usize = 1024;

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
    /// In binary mode: an attribute that every event needs is not there.
    #[error("the attribute {0:?} is missing")]
    Missing(&'static str),
    /// In binary mode: an attribute that holds a number holds something else.
    #[error("the attribute {0:?} is not a whole number from 0 to {MAX_SEQ}")]
    Number(&'static str),
    /// The data has another form than JSON.
    #[error("the data is {0:?}, statetrail reads application/json")]
    ContentType(String),
}

impl ReadError {
    /// A word for the cause that never changes, for counting and sorting.
    pub fn kind(&self) -> &'static str {
        match self {
            ReadError::Form(_) | ReadError::Missing(_) | ReadError::Number(_) => "form",
            ReadError::Version(_) => "version",
            ReadError::Time { .. } => "time",
            ReadError::Entity(_) => "entity",
            ReadError::NoNamespace => "namespace",
            ReadError::NoChanges | ReadError::ContentType(_) => "data",
            ReadError::Name { .. } => "name",
            ReadError::FieldTwice(_) => "field-twice",
        }
    }
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
    #[serde(borrow)]
    rule: Option<Cow<'a, str>>,
    #[serde(borrow)]
    node: Option<Cow<'a, str>>,
    #[serde(borrow)]
    file: Option<Cow<'a, str>>,
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

/// Reads one event or a batch. Whoever reads many keeps a [`Reader`].
///
/// # Errors
/// When any event in it is not what the module's documentation describes: a message is taken
/// whole or not at all.
pub fn read(json: &[u8]) -> Result<Vec<Event>, ReadError> {
    let mut events = Vec::new();
    Reader { shared: Shared::with_slots(1) }.read(json, &mut events)?;
    Ok(events)
}

/// Reads one message after another, and lets their events share what most of them have in
/// common: sources and rules. It remembers a bounded number of them.
#[derive(Debug)]
pub struct Reader {
    shared: Shared,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader { shared: Shared::with_slots(SHARED_SLOTS) }
    }
}

impl Reader {
    /// Appends the events of one message in structured mode: one event or a batch.
    ///
    /// # Errors
    /// As [`read`]; nothing is appended then.
    pub fn read(&mut self, json: &[u8], events: &mut Vec<Event>) -> Result<(), ReadError> {
        let is_batch = json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        if !is_batch {
            let wire: Wire<'_> = serde_json::from_slice(json)?;
            events.push(wire.into_event(&mut self.shared)?);
            return Ok(());
        }
        let batch: Vec<Wire<'_>> = serde_json::from_slice(json)?;
        let before = events.len();
        for wire in batch {
            match wire.into_event(&mut self.shared) {
                Ok(event) => events.push(event),
                Err(error) => {
                    events.truncate(before);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Appends the event of one message in binary mode: its attributes by their names, and its
    /// data, which is JSON or not there. Attributes that statetrail does not know are skipped.
    ///
    /// # Errors
    /// As [`read`]; nothing is appended then.
    pub fn read_binary<'a>(
        &mut self,
        attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
        data: Option<&[u8]>,
        events: &mut Vec<Event>,
    ) -> Result<(), ReadError> {
        let wire = Wire::of_attributes(attributes, data)?;
        events.push(wire.into_event(&mut self.shared)?);
        Ok(())
    }
}

impl<'a> Wire<'a> {
    fn of_attributes(
        attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
        data: Option<&[u8]>,
    ) -> Result<Wire<'a>, ReadError> {
        let [mut specversion, mut id, mut source, mut event_type, mut subject, mut time] =
            [None; 6];
        let [mut namespace, mut rule, mut node, mut file, mut seq, mut offset] = [None; 6];
        for (name, value) in attributes {
            let slot = match name {
                "specversion" => &mut specversion,
                "id" => &mut id,
                "source" => &mut source,
                "type" => &mut event_type,
                "subject" => &mut subject,
                "time" => &mut time,
                "namespace" => &mut namespace,
                "rule" => &mut rule,
                "node" => &mut node,
                "file" => &mut file,
                "seq" => &mut seq,
                "offset" => &mut offset,
                "datacontenttype" if data.is_some() && !is_json(value) => {
                    return Err(ReadError::ContentType(value.chars().take(80).collect()));
                }
                _ => continue,
            };
            *slot = Some(value);
        }
        let needed =
            |name, value: Option<&'a str>| value.map(Cow::Borrowed).ok_or(ReadError::Missing(name));
        Ok(Wire {
            specversion: needed("specversion", specversion)?,
            id: needed("id", id)?,
            source: needed("source", source)?,
            event_type: needed("type", event_type)?,
            subject: needed("subject", subject)?,
            time: needed("time", time)?,
            namespace: namespace.map(Cow::Borrowed),
            seq: number("seq", seq)?,
            rule: rule.map(Cow::Borrowed),
            node: node.map(Cow::Borrowed),
            file: file.map(Cow::Borrowed),
            offset: number("offset", offset)?,
            data: data.map(serde_json::from_slice).transpose()?,
        })
    }
}

/// Whether a media type stands for JSON, whatever its parameters are.
fn is_json(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    name == "application/json" || name == "text/json" || name.ends_with("+json")
}

fn number(name: &'static str, text: Option<&str>) -> Result<Option<u64>, ReadError> {
    let Some(text) = text else { return Ok(None) };
    let number = text.parse().ok().filter(|number| *number <= MAX_SEQ);
    number.map(Some).ok_or(ReadError::Number(name))
}

impl Wire<'_> {
    fn into_event(self, shared: &mut Shared) -> Result<Event, ReadError> {
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
            source: shared.source(&self.source, self.node.as_deref(), self.file.as_deref()),
            offset: self.offset,
            rule: self.rule.map(|rule| shared.rule(&rule)),
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
    struct NumberVisitor;
    impl Visitor<'_> for NumberVisitor {
        type Value = Option<u64>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a whole number from 0 to {MAX_SEQ}")
        }

        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Option<u64>, E> {
            let outside = || E::invalid_value(serde::de::Unexpected::Unsigned(number), &self);
            (number <= MAX_SEQ).then_some(Some(number)).ok_or_else(outside)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Option<u64>, E> {
            let number = text.parse().ok().filter(|number| *number <= MAX_SEQ);
            let outside = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
            number.map(Some).ok_or_else(outside)
        }

        fn visit_unit<E>(self) -> Result<Option<u64>, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(NumberVisitor)
}
