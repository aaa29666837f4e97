//! What the writer remembers from batch to batch, so that it need not ask the database again.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::Connection;
use statetrail_event::EntityName;

use super::entities::{self, EntityRow};
use super::failure::Failure;

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
    /// Takes out the row of that entity, which is remembered, read or new.
    pub(super) fn take(
        &mut self,
        connection: &Connection,
        name: &EntityName,
    ) -> Result<EntityRow, Failure> {
        if let Some(row) = self.young.remove(name).or_else(|| self.old.remove(name)) {
            return Ok(row);
        }
        match entities::find(connection, name)? {
            Some(row) => Ok(row),
            None => Ok(EntityRow::new(self.take_number(connection)?)),
        }
    }

    /// The number of the next new entity.
    fn take_number(&mut self, connection: &Connection) -> Result<i64, Failure> {
        let number = match self.next_number {
            Some(number) => number,
            None => {
                let sql = "SELECT coalesce(max(entity_no), 0) + 1 FROM entities";
                connection.query_row(sql, [], |row| row.get(0))?
            }
        };
        self.next_number = Some(number + 1);
        Ok(number)
    }

    /// Remembers a row as it stands in the database now.
    pub(super) fn put(&mut self, name: &EntityName, row: EntityRow) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name.clone(), row);
    }
}
