//! What differs between two states.

use std::collections::BTreeMap;

use statetrail_event::{State, Value};

/// One field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The field.
    pub field: Box<str>,
    /// Its value on the earlier or left side.
    pub from: Option<Value>,
    /// Its value on the later or right side.
    pub to: Option<Value>,
}

/// The fields whose values differ, in the order of their names. Who wrote them does not matter:
/// the states may be those of two moments or of two entities.
pub fn differences(from: &State, to: &State) -> Vec<Difference> {
    let mut values: BTreeMap<&str, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
    for (field, value, _) in from.fields() {
        values.entry(field).or_default().0 = Some(value);
    }
    for (field, value, _) in to.fields() {
        values.entry(field).or_default().1 = Some(value);
    }
    let differing = values.into_iter().filter(|(_, (from, to))| from != to);
    differing
        .map(|(field, (from, to))| Difference {
            field: field.into(),
            from: from.cloned(),
            to: to.cloned(),
        })
        .collect()
}
