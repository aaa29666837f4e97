//! Writing a batch: one transaction, each touched entity written once.

use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior, params};
use statetrail_event::{EntityName, Event};

use super::batch::{Batch, Incoming};
use super::buckets::Buckets;
use super::entities::{EntityRow, EntityWriter};
use super::failure::Failure;
use super::intern::Interner;
use super::remembered::RememberedEntities;
use super::snapshots;
use crate::{Appended, KnownEvent};

/// The one connection that writes, and what it remembers from batch to batch.
pub(super) struct Writer {
    connection: Connection,
    memory: Memory,
    /// SQLite's counter of what other connections changed, as of our last batch. `None` when
    /// nothing that is remembered can be trusted.
    data_version: Option<i64>,
}

#[derive(Default)]
struct Memory {
    interner: Interner,
    entities: RememberedEntities,
    buckets: Buckets,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Writer {
        Writer { connection, memory: Memory::default(), data_version: None }
    }

    /// The connection that it writes by.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Stores the batch, or nothing of it.
    pub(super) fn append(&mut self, batch: &Batch<'_>) -> Result<Appended, Failure> {
        let trusted = self.data_version.take();
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let data_version =
            transaction.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if trusted != Some(data_version) {
            self.memory = Memory { buckets: Buckets::read(&transaction)?, ..Memory::default() };
        }
        let appended = append_all(&transaction, &mut self.memory, batch)?;
        transaction.commit()?;
        self.data_version = Some(data_version);
        Ok(appended)
    }
}

fn append_all(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &Batch<'_>,
) -> Result<Appended, Failure> {
    let mut touched = Vec::with_capacity(batch.entities.len());
    for entity in &batch.entities {
        touched.push((memory.entities.take(transaction, entity.name)?, entity));
    }
    // Rows are written in the order of the tree, so that each page is visited once.
    touched.sort_by_key(|(row, _)| row.number);
    let mut inserter = Inserter::new(transaction, memory, batch)?;
    let mut new_count = 0;
    for (mut row, entity) in touched {
        let new = inserter.insert_all(row.number, batch.events_of(entity))?;
        if !new.is_empty() {
            inserter.update_entity(entity.name, &mut row, &new)?;
        }
        new_count += new.len();
        inserter.memory.entities.put(entity.name, row);
    }
    inserter.memory.buckets.settle(transaction)?;
    Ok(Appended { new: new_count as u64, repeated: (batch.len() - new_count) as u64 })
}

/// Inserts events and what hangs on them.
struct Inserter<'a> {
    transaction: &'a Transaction<'a>,
    memory: &'a mut Memory,
    batch: &'a Batch<'a>,
    insert_event: CachedStatement<'a>,
    insert_line: CachedStatement<'a>,
    entity_writer: EntityWriter<'a>,
    /// The row of each line of the batch, once it has one.
    line_numbers: Vec<Option<i64>>,
    next_line_number: i64,
}

impl<'a> Inserter<'a> {
    fn new(
        transaction: &'a Transaction<'a>,
        memory: &'a mut Memory,
        batch: &'a Batch<'a>,
    ) -> Result<Inserter<'a>, Failure> {
        let next_line_number = transaction.query_row(
            "SELECT coalesce(max(line_no), 0) + 1 FROM lines",
            [],
            |row| row.get(0),
        )?;
        Ok(Inserter {
            transaction,
            memory,
            batch,
            insert_event: transaction.prepare_cached(
                "INSERT INTO events
                     (bucket, entity_no, time, seq, id, name, changes, known_at, line_no)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            )?,
            insert_line: transaction.prepare_cached(
                "INSERT INTO lines (line_no, source_no, rule_no, offset, line)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            entity_writer: EntityWriter::new(transaction)?,
            line_numbers: vec![None; batch.line_count],
            next_line_number,
        })
    }

    /// Inserts an entity's events, which come in their order, and returns the new ones.
    fn insert_all<'b>(
        &mut self,
        entity_number: i64,
        events: &[Incoming<'b>],
    ) -> Result<Vec<&'b KnownEvent>, Failure> {
        let mut new = Vec::with_capacity(events.len());
        for incoming in events {
            if self.insert(entity_number, incoming)? {
                new.push(incoming.known);
            }
        }
        Ok(new)
    }

    /// Inserts an event with its line, and returns whether it is new.
    fn insert(&mut self, entity_number: i64, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        let event = &incoming.known.event;
        let known_at = incoming.known.known_at.nanos();
        let bucket = self.memory.buckets.number_at(event.time);
        let line_number = self.line_numbers[incoming.line];
        let inserted = self.insert_event.execute(params![
            bucket,
            entity_number,
            event.time.nanos(),
            event.seq,
            event.id.0,
            event.name,
            self.batch.changes_of(incoming),
            known_at,
            line_number.unwrap_or(self.next_line_number),
        ])?;
        if inserted == 0 {
            self.lower_known_at(bucket, entity_number, event, known_at)?;
            return Ok(false);
        }
        self.memory.buckets.count(bucket, event.time);
        if line_number.is_none() {
            self.insert_line(event)?;
            self.line_numbers[incoming.line] = Some(self.next_line_number);
            self.next_line_number += 1;
        }
        Ok(true)
    }

    fn insert_line(&mut self, event: &Event) -> Result<(), Failure> {
        let interner = &mut self.memory.interner;
        let source = interner.source(self.transaction, &event.source)?;
        let rule =
            event.rule.as_ref().map(|rule| interner.rule(self.transaction, rule)).transpose()?;
        self.insert_line.execute(params![
            self.next_line_number,
            source,
            rule,
            event.offset,
            event.line
        ])?;
        Ok(())
    }

    /// Of several copies the earliest known-at counts.
    fn lower_known_at(
        &self,
        bucket: i64,
        entity_number: i64,
        event: &Event,
        known_at: i64,
    ) -> Result<(), Failure> {
        self.transaction
            .prepare_cached(
                "UPDATE events SET known_at = ?6
                 WHERE bucket = ?1 AND entity_no = ?2 AND time = ?3 AND seq = ?4 AND id = ?5
                     AND known_at > ?6",
            )?
            .execute(params![
                bucket,
                entity_number,
                event.time.nanos(),
                event.seq,
                event.id.0,
                known_at,
            ])?;
        Ok(())
    }

    /// Brings an entity's row and snapshots up to date after new events.
    fn update_entity(
        &mut self,
        name: &EntityName,
        row: &mut EntityRow,
        new: &[&KnownEvent],
    ) -> Result<(), Failure> {
        let is_stored = row.events > 0;
        row.take_in(new);
        snapshots::maintain(self.transaction, row, new)?;
        if is_stored {
            self.entity_writer.update(row)?;
        } else {
            self.entity_writer.insert(name, row)?;
        }
        Ok(())
    }
}
