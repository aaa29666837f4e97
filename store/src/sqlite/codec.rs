//! How changes, states and keys lie in the database.
//!
//! Changes are MessagePack: an array of `[field, value]`, with nil for an unset field. A state is
//! an array of `[key, changes]`, one for each event that still has a say in it, because the
//! fields of one event share its key.

use std::collections::BTreeMap;

use statetrail_event::{Change, EventId, OrderKey, State, Time};

/// Bytes of an encoded [`OrderKey`].
pub(super) const KEY_BYTES: usize = 32;

/// A key whose bytes sort as the keys do.
pub(super) type KeyBytes = [u8; KEY_BYTES];

/// What stands in a row does not fit; the text says what.
#[derive(Debug)]
pub(super) struct Unreadable(pub String);

pub(super) fn encode_key(key: OrderKey) -> KeyBytes {
    let mut bytes = [0; KEY_BYTES];
    // Flipping the sign puts negative times before positive ones.
    bytes[0..8].copy_from_slice(&(key.time.nanos() ^ i64::MIN).to_be_bytes());
    bytes[8..16].copy_from_slice(&key.seq.to_be_bytes());
    bytes[16..32].copy_from_slice(&key.id.0);
    bytes
}

pub(super) fn decode_key(bytes: &[u8]) -> Result<OrderKey, Unreadable> {
    let wrong_length = || Unreadable(format!("a key has {} bytes", bytes.len()));
    let (time, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong_length)?;
    let (seq, id) = rest.split_first_chunk::<8>().ok_or_else(wrong_length)?;
    Ok(OrderKey {
        time: Time::from_nanos(i64::from_be_bytes(*time) ^ i64::MIN),
        seq: u64::from_be_bytes(*seq),
        id: EventId(id.try_into().map_err(|_| wrong_length())?),
    })
}

/// Appends the changes to `out`.
pub(super) fn encode_changes(changes: &[Change], out: &mut Vec<u8>) {
    rmp_serde::encode::write(out, changes)
        .expect("writing texts, numbers and booleans into memory cannot fail");
}

pub(super) fn decode_changes(bytes: &[u8]) -> Result<Vec<Change>, Unreadable> {
    rmp_serde::from_slice(bytes)
        .map_err(|error| Unreadable(format!("the changes of an event: {error}")))
}

/// Appends the state to `out`.
pub(super) fn encode_state(state: &State, out: &mut Vec<u8>) {
    let mut writes: BTreeMap<OrderKey, Vec<(&str, &Option<_>)>> = BTreeMap::new();
    for (field, cell) in state.cells() {
        writes.entry(cell.by).or_default().push((field, &cell.value));
    }
    rmp_serde::encode::write(out, &writes.into_iter().collect::<Vec<_>>())
        .expect("writing texts, numbers and booleans into memory cannot fail");
}

/// Takes an encoded state into `state`.
pub(super) fn merge_state(bytes: &[u8], state: &mut State) -> Result<(), Unreadable> {
    let writes: Vec<(OrderKey, Vec<Change>)> = rmp_serde::from_slice(bytes)
        .map_err(|error| Unreadable(format!("the state of an entity: {error}")))?;
    for (by, changes) in &writes {
        state.apply(*by, changes);
    }
    Ok(())
}

pub(super) fn decode_state(bytes: &[u8]) -> Result<State, Unreadable> {
    let mut state = State::new();
    merge_state(bytes, &mut state)?;
    Ok(state)
}
