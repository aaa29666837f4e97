//! Messages that claim to be CloudEvents.

use serde::de::IgnoredAny;
use statetrail_event::cloudevents::{read, write_batch};

/// Whatever is read as events can be written, and is then read as the same events.
pub fn cloudevents(message: &[u8]) {
    let Ok(mut events) = read(message) else { return };
    // Not as a `Value`, which has no room for a number such as 1e999 in what we do not look at.
    let json = serde_json::from_slice::<IgnoredAny>(message);
    assert!(json.is_ok(), "read, but no JSON: {}", message.escape_ascii());

    let mut written = Vec::new();
    write_batch(&mut written, &events);
    assert!(written.iter().all(|byte| *byte >= b' '), "a control character is written as it is");
    let again = read(&written).unwrap_or_else(|fault| {
        panic!("what was written is refused: {fault}: {}", written.escape_ascii())
    });
    // What is set is written before what is unset.
    for event in &mut events {
        event.changes.sort_by_key(|change| change.value.is_none());
    }
    assert_eq!(again, events);
}
