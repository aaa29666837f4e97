//! The state of an entity: a last-writer-wins map that remembers who wrote each field.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Change, OrderKey, Time, Value};

/// What is known of one field: its value and the event that wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The value, or `None` once an event has unset the field. The mark of an unset field is
    /// kept, or an older event that arrives later would bring its value back.
    pub value: Option<Value>,
    /// The event that set or unset the field last.
    pub by: OrderKey,
}

/// The fields of an entity at a moment, each with the event behind it.
///
/// Per field, the write with the greatest [`OrderKey`] wins. That makes [`State::apply`] and
/// [`State::merge`] commutative, associative and idempotent: invariant I1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State {
    cells: BTreeMap<Box<str>, Cell>,
}

impl State {
    /// The state before any event.
    pub fn new() -> State {
        State::default()
    }

    /// Takes in the changes of one event.
    pub fn apply(&mut self, by: OrderKey, changes: &[Change]) {
        for change in changes {
            self.apply_change(by, &change.field, || change.value.clone());
        }
    }

    /// Takes in everything that another fold over events of the same entity knows.
    pub fn merge(&mut self, other: &State) {
        for (field, cell) in &other.cells {
            self.apply_change(cell.by, field, || cell.value.clone());
        }
    }

    /// Takes in what is known of one field.
    pub fn set_cell(&mut self, field: &str, cell: Cell) {
        self.apply_change(cell.by, field, || cell.value);
    }

    /// Forgets every field that was written last before that moment: what is left is the fold
    /// of the events from then on.
    pub fn forget_before(&mut self, moment: Time) {
        self.cells.retain(|_, cell| cell.by.time >= moment);
    }

    /// Takes in one change of an event. Its value is made only if it has a say.
    pub fn apply_change(
        &mut self,
        by: OrderKey,
        field: &str,
        value: impl FnOnce() -> Option<Value>,
    ) {
        match self.cells.get_mut(field) {
            Some(cell) if cell.by >= by => {}
            Some(cell) => *cell = Cell { value: value(), by },
            None => {
                self.cells.insert(field.into(), Cell { value: value(), by });
            }
        }
    }

    /// The value of a field, or `None` if it was never set or is unset.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.cells.get(field)?.value.as_ref()
    }

    /// The fields that have a value, in the order of their names, each with the event that set it.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value, OrderKey)> {
        self.cells
            .iter()
            .filter_map(|(field, cell)| Some((&**field, cell.value.as_ref()?, cell.by)))
    }

    /// Every field that an event ever set or unset, in the order of their names.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &Cell)> {
        self.cells.iter().map(|(field, cell)| (&**field, cell))
    }

    /// Whether both states have the same fields with the same values, whoever wrote them.
    pub fn same_values(&self, other: &State) -> bool {
        let values = |state: &State| -> Vec<(Box<str>, Value)> {
            state.fields().map(|(field, value, _)| (field.into(), value.clone())).collect()
        };
        values(self) == values(other)
    }
}
