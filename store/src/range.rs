//! What no store can hold.

use statetrail_event::{Event, MAX_SEQ};

use crate::StoreError;

/// Refuses an event with a number that a signed column cannot hold.
pub(crate) fn check_range(event: &Event) -> Result<(), StoreError> {
    let part = if event.seq > MAX_SEQ {
        "seq"
    } else if event.offset.is_some_and(|offset| offset > MAX_SEQ) {
        "offset"
    } else {
        return Ok(());
    };
    Err(StoreError::OutOfRange { id: event.id.to_string(), part, limit: MAX_SEQ })
}
