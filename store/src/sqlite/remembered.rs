//! What the writer remembers from batch to batch, so that it need not ask the database again.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::Connection;
use statetrail_event::EntityName;

use super::entities::EntityRow;

/// Entities of a generation. Two generations of usual rows take about 30 MB.
const GENERATION: usize = 10_000;

type Rows = HashMap<EntityName, EntityRow, RandomState>;

/// The rows of the entities that had events lately: those of two generations, of which the
/// older one is forgotten when the younger one is full.
#[derive(Default)]
pub(super) struct RememberedEntities {
    young: Rows,
    old: Rows,
    next_number: Option<i64>,
}

impl RememberedEntities {
    /// Takes out the row of that entity, if it is remembered.
    pub(super) fn take(&mut self, name: &EntityName) -> Option<EntityRow> {
        self.young.remove(name).or_else(|| self.old.remove(name))
    }

    /// The number of the next new entity, which [`number_taken`](Self::number_taken) gives away.
    pub(super) fn next_number(&mut self, connection: &Connection) -> rusqlite::Result<i64> {
        if let Some(number) = self.next_number {
            return Ok(number);
        }
        let sql = "SELECT coalesce(max(entity_no), 0) + 1 FROM entities";
        let number = connection.query_row(sql, [], |row| row.get(0))?;
        self.next_number = Some(number);
        Ok(number)
    }

    /// An entity has the number now.
    pub(super) fn number_taken(&mut self) {
        self.next_number = self.next_number.map(|number| number + 1);
    }

    /// Remembers a row as it stands in the database now.
    pub(super) fn put(&mut self, name: EntityName, row: EntityRow) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, row);
    }
}
