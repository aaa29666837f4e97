//! Events, their identity and their order.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh64::xxh64;

use crate::cloudevents::Prepared;
use crate::{EntityName, Time, Value};

/// The identity of an event: 16 bytes, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(pub [u8; 16]);

/// The order of events within a trail: by time, then by [`seq`](Event::seq), then by id. Two
/// different events never have the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderKey {
    /// When it happened.
    pub time: Time,
    /// The order among events of one source with the same time.
    pub seq: u64,
    /// The last resort: any fixed order will do.
    pub id: EventId,
}

/// One change of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The field's name.
    pub field: Box<str>,
    /// The new value, or `None` to unset the field.
    pub value: Option<Value>,
}

/// Where the line behind an event came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Source {
    /// The CloudEvents `source`: `/namespace/pod/container` for a container's log,
    /// `/namespace` for a plain file, any URI reference for somebody else's events.
    pub uri: String,
    /// The node that the pod ran on.
    pub node: Option<String>,
    /// The file that the line was read from.
    pub file: Option<String>,
}

/// One observed change of one entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The identity; see [`LineIdentity`].
    pub id: EventId,
    /// The entity that changed.
    pub entity: EntityName,
    /// The event's name within the entity's type, such as `paid`.
    pub name: String,
    /// When it happened, by the line's own time.
    pub time: Time,
    /// The order among events of one source with the same time; see [`seq_of`].
    pub seq: u64,
    /// What changed; no field twice. May be empty: an event that changes nothing is still part
    /// of the trail.
    pub changes: Vec<Change>,
    /// Where the line came from; many events share it.
    pub source: Arc<Source>,
    /// Byte offset of the line's start in its file.
    pub offset: Option<u64>,
    /// The rule that made the event, as `file/rule`.
    pub rule: Option<Arc<str>>,
    /// The raw line, redacted.
    pub line: Option<String>,
}

/// An [`Event`] in borrowed parts, without its changes: what the CloudEvents writer needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventRef<'a> {
    /// See [`Event::id`].
    pub id: EventId,
    /// The namespace of the entity.
    pub namespace: &'a str,
    /// The type of the entity.
    pub entity_type: &'a str,
    /// The id of the entity.
    pub entity_id: &'a str,
    /// See [`Event::name`].
    pub name: &'a str,
    /// See [`Event::time`].
    pub time: Time,
    /// See [`Event::seq`].
    pub seq: u64,
    /// See [`Source::uri`].
    pub source: &'a str,
    /// See [`Source::node`].
    pub node: Option<&'a str>,
    /// See [`Source::file`].
    pub file: Option<&'a str>,
    /// See [`Event::offset`].
    pub offset: Option<u64>,
    /// See [`Event::rule`].
    pub rule: Option<&'a str>,
    /// See [`Event::line`]; bytes that are not UTF-8 are written as U+FFFD.
    pub line: Option<&'a [u8]>,
    /// The time as it is written, if that is known already.
    pub prepared_time: Option<&'a [u8; Time::RFC3339_BYTES]>,
    /// `source`, `namespace`, `node` and `file` as they are written, if that is known already.
    pub prepared_source: Option<&'a Prepared>,
    /// `rule`, `entity_type` and `name` as they are written, if that is known already.
    pub prepared_rule: Option<&'a Prepared>,
}

/// Greatest [`Event::seq`] and [`Event::offset`]: stores hold both as signed 64-bit numbers.
pub const MAX_SEQ: u64 = i64::MAX as u64;

/// Bits of [`Event::seq`] that number the events of one line.
pub const SEQ_INDEX_BITS: u32 = 8;

/// The `seq` of the `index`-th event of a line.
///
/// `position` orders lines that share their time: the line's number among the lines of that
/// moment ([`Positions`](crate::Positions)), or 0 where the time comes from a container runtime,
/// which writes nanoseconds.
pub fn seq_of(position: u64, index: u8) -> u64 {
    ((position << SEQ_INDEX_BITS) | u64::from(index)) & MAX_SEQ
}

/// What makes a line the same line wherever and however often it is read: its source, its time,
/// its position among lines of the same time, and its content (invariant I2).
///
/// The id of an event is two XXH64 hashes, with the seeds 1 and 2, over four little-endian
/// 64-bit words: XXH64 (seed 0) of the source's URI, the time in nanoseconds, the seq, and XXH64
/// (seed 0) of the redacted line.
#[derive(Clone, Copy, Debug)]
pub struct LineIdentity {
    source_hash: u64,
    line_hash: u64,
    time: Time,
}

impl LineIdentity {
    /// The hash of a source's URI, worth keeping for the source's next line.
    pub fn source_hash(uri: &str) -> u64 {
        xxh64(uri.as_bytes(), 0)
    }

    /// The identity of a line of the source with that hash.
    pub fn new(source_hash: u64, time: Time, line: &[u8]) -> LineIdentity {
        LineIdentity { source_hash, line_hash: xxh64(line, 0), time }
    }

    /// The id of the line's event with that seq.
    pub fn event_id(&self, seq: u64) -> EventId {
        let mut words = [0; 32];
        words[0..8].copy_from_slice(&self.source_hash.to_le_bytes());
        words[8..16].copy_from_slice(&self.time.nanos().to_le_bytes());
        words[16..24].copy_from_slice(&seq.to_le_bytes());
        words[24..32].copy_from_slice(&self.line_hash.to_le_bytes());
        EventId::of_words(&words)
    }
}

impl EventId {
    /// The id of an event that another producer named: our own form is taken as it is, any
    /// other is hashed together with its source, because CloudEvents promises no more than
    /// that source and id together are unique.
    pub fn from_foreign(source: &str, id: &str) -> EventId {
        id.parse().unwrap_or_else(|_| {
            let mut words = [0; 16];
            words[0..8].copy_from_slice(&LineIdentity::source_hash(source).to_le_bytes());
            words[8..16].copy_from_slice(&xxh64(id.as_bytes(), 0).to_le_bytes());
            EventId::of_words(&words)
        })
    }

    fn of_words(words: &[u8]) -> EventId {
        let mut id = [0; 16];
        id[0..8].copy_from_slice(&xxh64(words, 1).to_be_bytes());
        id[8..16].copy_from_slice(&xxh64(words, 2).to_be_bytes());
        EventId(id)
    }

    /// The 32 hexadecimal digits.
    pub fn hex(self) -> [u8; 32] {
        let mut hex = [0; 32];
        for (pair, byte) in hex.as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = HEX[usize::from(byte)];
        }
        hex
    }
}

/// The two hexadecimal digits of every byte.
static HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [[0; 2]; 256];
    let mut byte = 0;
    while byte < hex.len() {
        hex[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    hex
};

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&String::from_utf8_lossy(&self.hex()))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A text that is not an event's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event's id has 32 lower-case hexadecimal digits")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<EventId, EventIdError> {
        if text.len() != 32 {
            return Err(EventIdError);
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
        }
        Ok(EventId(id))
    }
}

fn hex_value(digit: u8) -> Result<u8, EventIdError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(EventIdError),
    }
}

impl Change {
    /// `set field = value`.
    pub fn set(field: impl Into<Box<str>>, value: impl Into<Value>) -> Change {
        Change { field: field.into(), value: Some(value.into()) }
    }

    /// `unset field`.
    pub fn unset(field: impl Into<Box<str>>) -> Change {
        Change { field: field.into(), value: None }
    }
}

impl Source {
    /// The URI of a container's log. Each part is percent-encoded where a URI needs it.
    pub fn container_uri(namespace: &str, pod: &str, container: &str) -> String {
        let mut uri = Source::namespace_uri(namespace);
        for part in [pod, container] {
            uri.push('/');
            push_encoded(&mut uri, part);
        }
        uri
    }

    /// The URI of everything else in a namespace, such as a plain file.
    pub fn namespace_uri(namespace: &str) -> String {
        let mut uri = String::from("/");
        push_encoded(&mut uri, namespace);
        uri
    }

    /// The pod, when the URI is that of a container's log.
    pub fn pod(&self) -> Option<&str> {
        self.container_parts().map(|(pod, _)| pod)
    }

    /// The container, when the URI is that of a container's log.
    pub fn container(&self) -> Option<&str> {
        self.container_parts().map(|(_, container)| container)
    }

    /// The names that the URI of a log is made of, as they were before they were encoded: the
    /// namespace, and pod and container if it is a container's. `None` if neither
    /// [`Source::container_uri`] nor [`Source::namespace_uri`] makes such a URI.
    pub fn log_names(&self) -> Option<Vec<String>> {
        let parts = self.uri.strip_prefix('/')?.split('/');
        let names: Vec<String> = parts.map(decoded).collect::<Option<_>>()?;
        let has_names = names.iter().all(|name| !name.is_empty());
        let uri = match names.as_slice() {
            [namespace] => Source::namespace_uri(namespace),
            [namespace, pod, container] => Source::container_uri(namespace, pod, container),
            _ => return None,
        };
        // Another producer may have encoded them otherwise; its lines would get other ids.
        (has_names && uri == self.uri).then_some(names)
    }

    fn container_parts(&self) -> Option<(&str, &str)> {
        let mut parts = self.uri.strip_prefix('/')?.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(_), Some(pod), Some(container), None) => Some((pod, container)),
            _ => None,
        }
    }
}

/// Appends `part`, with `%XX` for every byte that RFC 3986 does not list as unreserved.
fn push_encoded(uri: &mut String, part: &str) {
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// What [`push_encoded`] made the part of; `None` if it made no such part.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                (high * 16 + low) as u8
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

impl Event {
    /// The event's place in the order of its trail.
    pub fn key(&self) -> OrderKey {
        OrderKey { time: self.time, seq: self.seq, id: self.id }
    }

    /// The event in borrowed parts.
    pub fn as_ref(&self) -> EventRef<'_> {
        EventRef {
            id: self.id,
            namespace: self.entity.namespace(),
            entity_type: self.entity.entity_type(),
            entity_id: self.entity.id(),
            name: &self.name,
            time: self.time,
            seq: self.seq,
            source: &self.source.uri,
            node: self.source.node.as_deref(),
            file: self.source.file.as_deref(),
            offset: self.offset,
            rule: self.rule.as_deref(),
            line: self.line.as_ref().map(|line| line.as_bytes()),
            prepared_time: None,
            prepared_source: None,
            prepared_rule: None,
        }
    }
}

impl OrderKey {
    /// The least key of all.
    pub const MIN: OrderKey = OrderKey { time: Time::MIN, seq: 0, id: EventId([0; 16]) };
    /// The greatest key of all.
    pub const MAX: OrderKey = OrderKey { time: Time::MAX, seq: MAX_SEQ, id: EventId([0xff; 16]) };

    /// The key right after this one, or `None` after the greatest.
    pub fn next(self) -> Option<OrderKey> {
        let id = u128::from_be_bytes(self.id.0);
        if let Some(id) = id.checked_add(1) {
            return Some(OrderKey { id: EventId(id.to_be_bytes()), ..self });
        }
        let id = OrderKey::MIN.id;
        if self.seq < MAX_SEQ {
            return Some(OrderKey { seq: self.seq + 1, id, ..self });
        }
        let time = Time::from_nanos(self.time.nanos().checked_add(1)?);
        Some(OrderKey { time, seq: 0, id })
    }

    /// The key right before this one, or `None` before the least.
    pub fn previous(self) -> Option<OrderKey> {
        let id = u128::from_be_bytes(self.id.0);
        if let Some(id) = id.checked_sub(1) {
            return Some(OrderKey { id: EventId(id.to_be_bytes()), ..self });
        }
        let id = OrderKey::MAX.id;
        if let Some(seq) = self.seq.checked_sub(1) {
            return Some(OrderKey { seq, id, ..self });
        }
        let time = Time::from_nanos(self.time.nanos().checked_sub(1)?);
        Some(OrderKey { time, seq: MAX_SEQ, id })
    }

    /// Less than every key of that time: where a range of a trail begins.
    pub fn start_of(time: Time) -> OrderKey {
        OrderKey { time, seq: 0, id: EventId([0; 16]) }
    }

    /// At least every key of that time: where a range of a trail ends, inclusive.
    pub fn end_of(time: Time) -> OrderKey {
        OrderKey { time, seq: MAX_SEQ, id: EventId([0xff; 16]) }
    }
}
