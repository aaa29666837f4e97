//! The rows that are written: what stands in each cell, and which write counts.

use std::collections::BTreeMap;

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

/// How a row goes into its statement: its values are serialized in the order of the marks.
macro_rules! serialized {
    ($row:ident, |$self:ident, $context:ident, $writer:ident| $values:expr) => {
        impl SerializeRow for $row<'_> {
            fn serialize(
                &self,
                $context: &RowSerializationContext<'_>,
                $writer: &mut RowWriter<'_>,
            ) -> Result<(), SerializationError> {
                let $self = self;
                $values
            }

            fn is_empty(&self) -> bool {
                false
            }
        }
    };
}

/// A row of `events`. Its cells are encoded only when they are serialized, so that nothing is
/// kept of them for the rows of a request.
pub(super) struct EventRow<'a> {
    pub(super) shard: i32,
    pub(super) bucket: i64,
    pub(super) known: &'a KnownEvent,
    pub(super) time_to_live: i32,
}

serialized!(EventRow, |row, context, writer| {
    let KnownEvent { event, known_at } = row.known;
    let mut changes = Vec::with_capacity(64);
    encode_changes(&event.changes, &mut changes);
    let origin = encode_origin(event).map_err(SerializationError::new)?;
    (
        row.shard,
        row.bucket,
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
        row.time_to_live,
    )
        .serialize(context, writer)
});

/// A row of `timeline`.
pub(super) struct PlaceRow<'a> {
    pub(super) shard: i32,
    pub(super) span: i64,
    pub(super) event: &'a Event,
    pub(super) time_to_live: i32,
}

serialized!(PlaceRow, |row, context, writer| {
    let event = row.event;
    (
        row.shard,
        row.span,
        event.entity.namespace(),
        event.time.nanos(),
        signed(event.seq),
        event.id.0.as_slice(),
        event.entity.subject(),
        event.name.as_str(),
        latest_counts(event.time),
        row.time_to_live,
    )
        .serialize(context, writer)
});

/// What the events of one moment say of an entity's current state.
pub(super) struct StateRow<'a> {
    pub(super) shard: i32,
    pub(super) entity: &'a str,
    pub(super) time: Time,
    pub(super) cells: BTreeMap<&'a str, Vec<u8>>,
    /// For the index on current states: the fields that are set, with their values as text, and
    /// those that are not. `None` in a store without the index.
    pub(super) indexed: Option<(BTreeMap<&'a str, String>, Vec<&'a str>)>,
}

serialized!(StateRow, |row, context, writer| {
    let timestamp = latest_counts(row.time);
    let (last, shard, entity) = (row.time.nanos(), row.shard, row.entity);
    match &row.indexed {
        None => (timestamp, last, &row.cells, shard, entity).serialize(context, writer),
        Some((set, unset)) => {
            (timestamp, last, &row.cells, set, unset, shard, entity).serialize(context, writer)
        }
    }
});

/// Notes that an entity has events in a bucket, and when the first one happened.
pub(super) struct BucketRow<'a> {
    pub(super) shard: i32,
    pub(super) entity: &'a str,
    pub(super) bucket: i64,
    pub(super) first: Time,
    pub(super) time_to_live: i32,
}

serialized!(BucketRow, |row, context, writer| {
    (
        earliest_counts(row.first),
        row.time_to_live,
        row.first.nanos(),
        [row.bucket].as_slice(),
        row.shard,
        row.entity,
    )
        .serialize(context, writer)
});

/// What goes into a row of `entities`.
pub(super) enum EntityUpdate<'a> {
    State(StateRow<'a>),
    Bucket(BucketRow<'a>),
}

serialized!(EntityUpdate, |row, context, writer| {
    match row {
        EntityUpdate::State(row) => row.serialize(context, writer),
        EntityUpdate::Bucket(row) => row.serialize(context, writer),
    }
});

/// Notes until when events may come late into a bucket of an entity.
pub(super) struct LateRow<'a> {
    pub(super) shard: i32,
    pub(super) entity: &'a str,
    pub(super) bucket: i64,
    pub(super) until: Time,
    pub(super) time_to_live: i32,
}

serialized!(LateRow, |row, context, writer| {
    (
        latest_counts(row.until),
        row.time_to_live,
        row.bucket,
        row.until.nanos(),
        row.shard,
        row.entity,
    )
        .serialize(context, writer)
});

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
