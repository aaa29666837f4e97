//! How changes, states and keys lie in the database.
//!
//! | what | bytes |
//! |---|---|
//! | length, count | 7 bits a byte, the least first; the 8th says that more follow |
//! | text | its length, UTF-8 |
//! | value | a tag, then 8 bytes for a number (least first) or a text |
//! | change | the field as a text, a value |
//! | changes | change after change |
//! | place | the entity's name as a text, the event's key |
//! | state | for each event that still has a say: its key, the length of its changes, changes |
//!
//! Changes are written and read once for every event, which is why they have a form of their
//! own: several times as fast as a general one that stores the same.

use statetrail_event::{Cell, Change, EventId, Finite, OrderKey, State, Time, Value, ValueRef};

/// Bytes of an encoded [`OrderKey`].
const KEY_BYTES: usize = 32;

/// A key whose bytes sort as the keys do.
pub(crate) type KeyBytes = [u8; KEY_BYTES];

/// What stands in a row does not fit; the text says what.
#[derive(Debug)]
pub(crate) struct Unreadable(pub String);

/// Fields of a state that are looked for one by one.
const FEW_FIELDS: usize = 16;

const UNSET: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const NUMBER: u8 = 4;
const TEXT: u8 = 5;

pub(crate) fn encode_key(key: OrderKey) -> KeyBytes {
    let mut bytes = [0; KEY_BYTES];
    // Flipping the sign puts negative times before positive ones.
    bytes[0..8].copy_from_slice(&(key.time.nanos() ^ i64::MIN).to_be_bytes());
    bytes[8..16].copy_from_slice(&key.seq.to_be_bytes());
    bytes[16..32].copy_from_slice(&key.id.0);
    bytes
}

pub(crate) fn decode_key(bytes: &[u8]) -> Result<OrderKey, Unreadable> {
    let mut reader = Reader(bytes);
    match (reader.key(), reader.0) {
        (Some(key), []) => Ok(key),
        _ => Err(Unreadable(format!("a key of {} bytes", bytes.len()))),
    }
}

/// Appends the changes to `out`.
pub(crate) fn encode_changes(changes: &[Change], out: &mut Vec<u8>) {
    for change in changes {
        write_change(&change.field, change.value.as_ref(), out);
    }
}

/// Appends the state to `out`.
pub(crate) fn encode_state(state: &State, out: &mut Vec<u8>) {
    let mut cells: Vec<_> = state.cells().collect();
    cells.sort_by_key(|(_, cell)| cell.by);
    let mut changes = Vec::new();
    for of_event in cells.chunk_by(|(_, a), (_, b)| a.by == b.by) {
        changes.clear();
        for (field, cell) in of_event {
            write_change(field, cell.value.as_ref(), &mut changes);
        }
        out.extend_from_slice(&encode_key(of_event[0].1.by));
        write_length(changes.len(), out);
        out.extend_from_slice(&changes);
    }
}

/// Appends what is known of one field: the key of the event that wrote it, and the value. Of two
/// cells of a field, the one that counts has the greater bytes.
pub(crate) fn encode_cell(by: OrderKey, value: Option<&Value>, out: &mut Vec<u8>) {
    out.extend_from_slice(&encode_key(by));
    write_value(value, out);
}

/// Reads what [`encode_cell`] wrote.
pub(crate) fn decode_cell(bytes: &[u8]) -> Result<Cell, Unreadable> {
    let mut reader = Reader(bytes);
    let value = |value: Option<ValueRef<'_>>| value.map(ValueRef::to_value);
    let cell = reader.key().and_then(|by| Some(Cell { by, value: value(reader.value()?) }));
    match (cell, reader.0) {
        (Some(cell), []) => Ok(cell),
        _ => Err(Unreadable("a field of an entity".into())),
    }
}

/// Appends where an event lies: its entity's name and its key.
pub(crate) fn encode_place(entity: &str, key: OrderKey, out: &mut Vec<u8>) {
    write_text(entity, out);
    out.extend_from_slice(&encode_key(key));
}

/// Hands out what [`encode_place`] wrote, place by place, each with its bytes.
pub(crate) fn each_place<'a>(
    bytes: &'a [u8],
    mut take: impl FnMut(&'a str, OrderKey, &'a [u8]),
) -> Result<(), Unreadable> {
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        let from_place_on = reader.0;
        let place = reader.text().and_then(|entity| Some((entity, reader.key()?)));
        let (entity, key) = place.ok_or_else(|| Unreadable("the place of an event".into()))?;
        take(entity, key, &from_place_on[..from_place_on.len() - reader.0.len()]);
    }
    Ok(())
}

fn write_change(field: &str, value: Option<&Value>, out: &mut Vec<u8>) {
    write_text(field, out);
    write_value(value, out);
}

fn write_value(value: Option<&Value>, out: &mut Vec<u8>) {
    match value {
        None => out.push(UNSET),
        Some(Value::Bool(false)) => out.push(FALSE),
        Some(Value::Bool(true)) => out.push(TRUE),
        Some(Value::Int(number)) => {
            out.push(INT);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Some(Value::Number(number)) => {
            out.push(NUMBER);
            out.extend_from_slice(&number.get().to_le_bytes());
        }
        Some(Value::Text(text)) => {
            out.push(TEXT);
            write_text(text, out);
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    let mut rest = length;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

pub(crate) fn decode_changes(bytes: &[u8]) -> Result<Vec<Change>, Unreadable> {
    let mut changes = Vec::new();
    each_change(bytes, |field, value| {
        let value = value.map(ValueRef::to_value);
        changes.push(Change { field: field.into(), value });
    })?;
    Ok(changes)
}

/// Hands out what [`encode_changes`] wrote, change by change, without copying anything.
pub(crate) fn each_change<'a>(
    bytes: &'a [u8],
    mut take: impl FnMut(&'a str, Option<ValueRef<'a>>),
) -> Result<(), Unreadable> {
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        let (field, value) = reader.change().ok_or_else(unreadable_changes)?;
        take(field, value);
    }
    Ok(())
}

/// Takes the encoded changes of an event into `state`, without a copy of those that have no say.
pub(crate) fn apply_changes(
    bytes: &[u8],
    by: OrderKey,
    state: &mut State,
) -> Result<(), Unreadable> {
    each_change(bytes, |field, value| {
        state.apply_change(by, field, || value.map(ValueRef::to_value));
    })
}

/// Takes an encoded state into `state`.
pub(crate) fn merge_state(bytes: &[u8], state: &mut State) -> Result<(), Unreadable> {
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        let (by, changes) = reader.write().ok_or_else(unreadable_state)?;
        apply_changes(changes, by, state)?;
    }
    Ok(())
}

/// The value of a field in an encoded state, or `None` if it has none.
pub(crate) fn value_in_state<'a>(
    bytes: &'a [u8],
    field: &str,
) -> Result<Option<ValueRef<'a>>, Unreadable> {
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        let (_, changes) = reader.write().ok_or_else(unreadable_state)?;
        let mut reader = Reader(changes);
        while !reader.0.is_empty() {
            let (name, value) = reader.change().ok_or_else(unreadable_changes)?;
            if name == field {
                return Ok(value);
            }
        }
    }
    Ok(None)
}

fn unreadable_changes() -> Unreadable {
    Unreadable("the changes of an event".into())
}

fn unreadable_state() -> Unreadable {
    Unreadable("the state of an entity".into())
}

pub(crate) fn decode_state(bytes: &[u8]) -> Result<State, Unreadable> {
    let mut state = State::new();
    merge_state(bytes, &mut state)?;
    Ok(state)
}

/// The encoded merge of two encoded states.
pub(crate) fn merge_encoded_states(a: &[u8], b: &[u8]) -> Result<Vec<u8>, Unreadable> {
    if let Some(merged) = append_newer(a, b)? {
        return Ok(merged);
    }
    let mut state = decode_state(a)?;
    merge_state(b, &mut state)?;
    let mut merged = Vec::with_capacity(a.len() + b.len());
    encode_state(&state, &mut merged);
    Ok(merged)
}

/// Merges two states by copying what is left of the older one, which is what it comes to when
/// events arrive in their order. `None` if the events of the second state are not all newer, or
/// if it has too many fields to be looked for one by one.
fn append_newer(older: &[u8], newer: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
    let Some(first_newer) = Reader(newer).key() else { return Ok(None) };
    let mut fields = [""; FEW_FIELDS];
    let mut field_count = 0;
    let mut reader = Reader(newer);
    while !reader.0.is_empty() {
        let (_, changes) = reader.write().ok_or_else(unreadable_state)?;
        let mut reader = Reader(changes);
        while !reader.0.is_empty() {
            let (field, _) = reader.change().ok_or_else(unreadable_changes)?;
            let Some(place) = fields.get_mut(field_count) else { return Ok(None) };
            *place = field;
            field_count += 1;
        }
    }
    let fields = &fields[..field_count];
    let mut merged = Vec::with_capacity(older.len() + newer.len());
    let mut kept = Vec::new();
    let mut reader = Reader(older);
    while !reader.0.is_empty() {
        let (by, changes) = reader.write().ok_or_else(unreadable_state)?;
        if by >= first_newer {
            return Ok(None);
        }
        kept.clear();
        let mut reader = Reader(changes);
        while !reader.0.is_empty() {
            let from_change_on = reader.0;
            let (field, _) = reader.change().ok_or_else(unreadable_changes)?;
            if !fields.contains(&field) {
                let change_bytes = from_change_on.len() - reader.0.len();
                kept.extend_from_slice(&from_change_on[..change_bytes]);
            }
        }
        if !kept.is_empty() {
            merged.extend_from_slice(&encode_key(by));
            write_length(kept.len(), &mut merged);
            merged.extend_from_slice(&kept);
        }
    }
    merged.extend_from_slice(newer);
    Ok(Some(merged))
}

/// Reads from the front; `None` where the bytes have another form.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn length(&mut self) -> Option<usize> {
        let mut length = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(length);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }

    fn key(&mut self) -> Option<OrderKey> {
        Some(OrderKey {
            time: Time::from_nanos(i64::from_be_bytes(self.array()?) ^ i64::MIN),
            seq: u64::from_be_bytes(self.array()?),
            id: EventId(self.array()?),
        })
    }

    /// What an event has a say in: its key and its changes.
    fn write(&mut self) -> Option<(OrderKey, &'a [u8])> {
        Some((self.key()?, self.bytes()?))
    }

    fn change(&mut self) -> Option<(&'a str, Option<ValueRef<'a>>)> {
        Some((self.text()?, self.value()?))
    }

    /// The inner `None` stands for an unset field.
    #[allow(clippy::option_option)]
    fn value(&mut self) -> Option<Option<ValueRef<'a>>> {
        Some(match self.byte()? {
            UNSET => None,
            FALSE => Some(ValueRef::Bool(false)),
            TRUE => Some(ValueRef::Bool(true)),
            INT => Some(ValueRef::Int(i64::from_le_bytes(self.array()?))),
            NUMBER => Some(ValueRef::Number(Finite::new(f64::from_le_bytes(self.array()?))?)),
            TEXT => Some(ValueRef::Text(self.text()?.as_bytes())),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let value = prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter_map("finite", |n| Finite::new(n).map(Value::Number)),
            ".{0,200}".prop_map(Value::text),
        ];
        let change = (".{0,140}", proptest::option::of(value))
            .prop_map(|(field, value)| Change { field: field.into(), value });
        proptest::collection::vec(change, 0..6)
    }

    /// Changes whose fields meet those of other events.
    fn few_changes() -> impl Strategy<Value = Vec<Change>> {
        let change = (0..20_u8, proptest::option::of(any::<i64>()));
        proptest::collection::vec(change, 0..24).prop_map(|changes| {
            let mut changes: Vec<Change> = changes
                .into_iter()
                .map(|(field, value)| Change {
                    field: format!("field-{field}").into(),
                    value: value.map(Value::Int),
                })
                .collect();
            changes.sort_by(|a, b| a.field.cmp(&b.field));
            changes.dedup_by(|a, b| a.field == b.field);
            changes
        })
    }

    fn key() -> impl Strategy<Value = OrderKey> {
        let parts = (any::<i64>(), any::<u64>(), any::<[u8; 16]>());
        parts.prop_map(|(nanos, seq, id)| OrderKey {
            time: Time::from_nanos(nanos),
            seq,
            id: EventId(id),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn what_was_written_is_read(writes in proptest::collection::vec((key(), changes()), 0..5)) {
            let mut state = State::new();
            for (key, changes) in &writes {
                let mut bytes = Vec::new();
                encode_changes(changes, &mut bytes);
                prop_assert_eq!(&decode_changes(&bytes).unwrap(), changes);
                prop_assert_eq!(decode_key(&encode_key(*key)).unwrap(), *key);
                state.apply(*key, changes);
            }
            let mut bytes = Vec::new();
            encode_state(&state, &mut bytes);
            for (field, cell) in state.cells() {
                let value = value_in_state(&bytes, field).unwrap();
                prop_assert_eq!(value, cell.value.as_ref().map(Value::as_ref));
            }
            prop_assert_eq!(decode_state(&bytes).unwrap(), state);
        }

        #[test]
        fn encoded_states_merge_as_states_do(
            writes in proptest::collection::vec((key(), few_changes()), 0..6),
            cut in 0_usize..6,
            in_order in any::<bool>(),
        ) {
            let mut writes = writes;
            if in_order {
                writes.sort_by_key(|(key, _)| *key);
            }
            let fold = |writes: &[(OrderKey, Vec<Change>)]| {
                let mut state = State::new();
                for (key, changes) in writes {
                    state.apply(*key, changes);
                }
                state
            };
            let encoded = |writes: &[(OrderKey, Vec<Change>)]| {
                let mut bytes = Vec::new();
                encode_state(&fold(writes), &mut bytes);
                bytes
            };
            let (first, second) = writes.split_at(cut.min(writes.len()));
            let merged = merge_encoded_states(&encoded(first), &encoded(second)).unwrap();
            prop_assert_eq!(merged, encoded(&writes));
        }

        #[test]
        fn encoded_keys_sort_as_keys_do(a in key(), b in key()) {
            prop_assert_eq!(encode_key(a).cmp(&encode_key(b)), a.cmp(&b));
        }

        #[test]
        fn other_bytes_are_refused_or_read_but_never_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..80), cut in 0_usize..80,
        ) {
            let _ = (decode_changes(&bytes), decode_state(&bytes), decode_key(&bytes));
            let _ = value_in_state(&bytes, "status");
            let mut sound = Vec::new();
            encode_changes(&[Change::set("status", "paid"), Change::set("n", 7_i64)], &mut sound);
            sound.truncate(cut);
            let _ = decode_changes(&sound);
        }
    }
}
