//! The rows that are written: what stands in each cell, and which write counts.

use std::collections::BTreeMap;

use scylla::_macro_internal::SerializeValue;
use scylla::errors::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;
use statetrail_event::{EntityName, EntityNameError, Event, EventId, OrderKey, Source, Time};

use super::connect::Failure;
use crate::KnownEvent;
use crate::codec::encode_changes;

/// The timestamp with which the later of two writes counts.
pub(super) fn latest_counts(time: Time) -> i64 {
    // The least number means "no timestamp" to Cassandra.
    time.nanos().max(i64::MIN + 1)
}

/// The timestamp with which the earlier of two writes counts.
pub(super) fn earliest_counts(time: Time) -> i64 {
    (!time.nanos()).max(i64::MIN + 1)
}

/// Serializes the values one after the other, in the order of the statement's marks.
macro_rules! in_order {
    ($context:ident, $writer:ident, $($value:expr),+ $(,)?) => {{
        let mut columns = $context.columns().iter();
        $(
            // The statement has as many marks as the row has values, so there is a column.
            if let Some(column) = columns.next() {
                SerializeValue::serialize(&$value, column.typ(), $writer.make_cell_writer())?;
            }
        )+
        Ok(())
    }};
}

/// A row of `events`. Its cells are encoded only when they are serialized, so that nothing is
/// kept of them for the rows of a request.
pub(super) struct EventRow<'a> {
    pub(super) shard: i32,
    pub(super) bucket: i64,
    pub(super) known: &'a KnownEvent,
    pub(super) time_to_live: i32,
}

impl SerializeRow for EventRow<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let KnownEvent { event, known_at } = self.known;
        let mut changes = Vec::with_capacity(64);
        encode_changes(&event.changes, &mut changes);
        let origin = encode_origin(event).map_err(SerializationError::new)?;
        in_order!(
            context,
            writer,
            self.shard,
            self.bucket,
            event.entity.as_str(),
            event.time.nanos(),
            signed(event.seq),
            event.id.0.as_slice(),
            known_at.nanos(),
            event.name.as_str(),
            changes.as_slice(),
            origin.as_slice(),
            event.line.as_deref(),
            earliest_counts(*known_at),
            self.time_to_live,
        )
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// A row of `timeline`.
pub(super) struct PlaceRow<'a> {
    pub(super) shard: i32,
    pub(super) span: i64,
    pub(super) event: &'a Event,
    pub(super) time_to_live: i32,
}

impl SerializeRow for PlaceRow<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let event = self.event;
        in_order!(
            context,
            writer,
            self.shard,
            self.span,
            event.entity.namespace(),
            event.time.nanos(),
            signed(event.seq),
            event.id.0.as_slice(),
            event.entity.subject(),
            event.name.as_str(),
            latest_counts(event.time),
            self.time_to_live,
        )
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// What the events of one moment say of an entity's current state.
pub(super) struct StateRow<'a> {
    pub(super) shard: i32,
    pub(super) entity: &'a str,
    pub(super) time: Time,
    pub(super) cells: BTreeMap<&'a str, Vec<u8>>,
    /// For the index on current states: the fields that are set, with their values as text, and
    /// those that are not. `None` in a store without the index.
    pub(super) indexed: Option<(BTreeMap<&'a str, String>, Vec<&'a str>)>,
    pub(super) time_to_live: i32,
}

impl SerializeRow for StateRow<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let timestamp = latest_counts(self.time);
        let (last, ttl) = (self.time.nanos(), self.time_to_live);
        let (shard, entity) = (self.shard, self.entity);
        match &self.indexed {
            None => in_order!(context, writer, timestamp, ttl, last, self.cells, shard, entity),
            Some((set, unset)) => in_order!(
                context, writer, timestamp, ttl, last, self.cells, set, unset, shard, entity
            ),
        }
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// Notes that an entity has events in a bucket, and when the first one happened.
pub(super) struct BucketRow<'a> {
    pub(super) shard: i32,
    pub(super) entity: &'a str,
    pub(super) bucket: i64,
    pub(super) first: Time,
    pub(super) time_to_live: i32,
}

impl SerializeRow for BucketRow<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        in_order!(
            context,
            writer,
            earliest_counts(self.first),
            self.time_to_live,
            self.first.nanos(),
            [self.bucket].as_slice(),
            self.shard,
            self.entity,
        )
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// What goes into a row of `entities`.
pub(super) enum EntityUpdate<'a> {
    State(StateRow<'a>),
    Bucket(BucketRow<'a>),
}

impl SerializeRow for EntityUpdate<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        match self {
            EntityUpdate::State(row) => row.serialize(context, writer),
            EntityUpdate::Bucket(row) => row.serialize(context, writer),
        }
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// Notes until when events may come late into a bucket of an entity.
pub(super) struct LateRow<'a> {
    pub(super) shard: i32,
    pub(super) entity: &'a str,
    pub(super) bucket: i64,
    pub(super) until: Time,
    pub(super) time_to_live: i32,
}

impl SerializeRow for LateRow<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        in_order!(
            context,
            writer,
            latest_counts(self.until),
            self.time_to_live,
            self.bucket,
            self.until.nanos(),
            self.shard,
            self.entity,
        )
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// Stores refuse greater ones before they come here.
pub(super) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// The parts of an event that say where it came from: source, node, file, offset, rule.
type Origin<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<u64>, Option<&'a str>);

/// The cell `origin`, as MessagePack.
fn encode_origin(event: &Event) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let source = &event.source;
    let origin: Origin<'_> = (
        &source.uri,
        source.node.as_deref(),
        source.file.as_deref(),
        event.offset,
        event.rule.as_deref(),
    );
    rmp_serde::to_vec(&origin)
}

/// The columns of an event, in the order of the statements that read them.
pub(super) type EventColumns<'r> =
    (i64, i64, &'r [u8], i64, &'r str, Option<&'r [u8]>, &'r [u8], Option<&'r str>);

/// Makes the event of its columns.
pub(super) fn read_event(
    entity: EntityName,
    columns: EventColumns<'_>,
) -> Result<KnownEvent, Failure> {
    let (time, seq, id, known_at, name, changes, origin, line) = columns;
    let key = read_key(time, seq, id)?;
    let (uri, node, file, offset, rule): Origin<'_> = rmp_serde::from_slice(origin)
        .map_err(|error| Failure::Damaged(format!("the origin of event {}: {error}", key.id)))?;
    let event = Event {
        id: key.id,
        entity,
        name: name.to_owned(),
        time: key.time,
        seq: key.seq,
        changes: crate::codec::decode_changes(changes.unwrap_or_default())?,
        source: Source {
            uri: uri.to_owned(),
            node: node.map(str::to_owned),
            file: file.map(str::to_owned),
        }
        .into(),
        offset,
        rule: rule.map(Into::into),
        line: line.map(str::to_owned),
    };
    Ok(KnownEvent { event, known_at: Time::from_nanos(known_at) })
}

/// Makes an entity's name of its column.
pub(super) fn read_name(text: &str) -> Result<EntityName, Failure> {
    text.parse().map_err(|error: EntityNameError| Failure::Damaged(error.to_string()))
}

/// Makes the key of its columns.
pub(super) fn read_key(time: i64, seq: i64, id: &[u8]) -> Result<OrderKey, Failure> {
    let id = <[u8; 16]>::try_from(id)
        .map_err(|_| Failure::Damaged(format!("an event's id of {} bytes", id.len())))?;
    let seq = u64::try_from(seq).map_err(|_| Failure::Damaged(format!("a seq of {seq}")))?;
    Ok(OrderKey { time: Time::from_nanos(time), seq, id: EventId(id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_decide_as_they_should() {
        let times = [i64::MIN, -1, 0, 1_790_000_000_000_000_000, i64::MAX].map(Time::from_nanos);
        assert!(times.map(latest_counts).is_sorted());
        assert!(times.map(earliest_counts).iter().rev().is_sorted());
        let all = times.map(latest_counts).into_iter().chain(times.map(earliest_counts));
        assert!(!all.into_iter().any(|timestamp| timestamp == i64::MIN));
    }
}
