//! Writing a batch: one transaction, each touched entity written once.

use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior, params};
use statetrail_event::{EntityName, OrderKey};

use super::batch::{Batch, Content, EntityEvents, Incoming, Line};
use super::buckets::Buckets;
use super::entities::{self, EntityRow, EntityWriter};
use super::failure::Failure;
use super::intern::Interner;
use super::remembered::RememberedEntities;
use super::snapshots;
use super::turns::Turn;
use crate::Appended;
use crate::codec::Unreadable;

/// The one connection that writes, and what it remembers from batch to batch.
pub(super) struct Writer {
    connection: Connection,
    memory: Memory,
    /// SQLite's counter of what other connections changed, as of our last batch. `None` when
    /// nothing that is remembered can be trusted.
    data_version: Option<i64>,
    turn: Turn,
}

#[derive(Default)]
struct Memory {
    interner: Interner,
    entities: RememberedEntities,
    buckets: Buckets,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Writer {
        Writer { connection, memory: Memory::default(), data_version: None, turn: Turn::begin() }
    }

    /// The connection that it writes by.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Stores the batch, or nothing of it.
    pub(super) fn append(&mut self, batch: Batch<'_>) -> Result<Appended, Failure> {
        self.turn.give_way();
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
    batch: Batch<'_>,
) -> Result<Appended, Failure> {
    let mut inserter = Inserter::new(transaction, memory, &batch.content)?;
    let mut touched = Vec::with_capacity(batch.entities.len());
    for entity in batch.entities {
        touched.push(inserter.touch(entity)?);
    }
    // Rows are written in the order of the tree, so that each page is visited once.
    touched.sort_unstable_by_key(|touched| touched.row.number);
    let mut new_count = 0;
    for mut touched in touched {
        new_count += inserter.write(&mut touched)?;
        inserter.memory.entities.put(touched.entity.name, touched.row);
    }
    inserter.memory.buckets.settle(transaction)?;
    let repeated = batch.content.len() - new_count;
    Ok(Appended { new: new_count as u64, repeated: repeated as u64 })
}

/// An entity of the batch with its row.
struct Touched {
    entity: EntityEvents,
    row: EntityRow,
    /// Whether its row was made for this batch and is written as it stands.
    is_new: bool,
}

/// Inserts events and what hangs on them.
struct Inserter<'a> {
    transaction: &'a Transaction<'a>,
    memory: &'a mut Memory,
    content: &'a Content<'a>,
    insert_event: CachedStatement<'a>,
    insert_line: CachedStatement<'a>,
    entity_writer: EntityWriter<'a>,
    /// The numbers of source and rule of each origin of the batch, once it has them.
    origin_numbers: Vec<Option<(i64, Option<i64>)>>,
    /// The row of each line of the batch, once it has one.
    line_numbers: Vec<Option<i64>>,
    next_line_number: i64,
}

impl<'a> Inserter<'a> {
    fn new(
        transaction: &'a Transaction<'a>,
        memory: &'a mut Memory,
        content: &'a Content<'a>,
    ) -> Result<Inserter<'a>, Failure> {
        let next_line_number = transaction.query_row(
            "SELECT coalesce(max(line_no), 0) + 1 FROM lines",
            [],
            |row| row.get(0),
        )?;
        Ok(Inserter {
            transaction,
            memory,
            content,
            insert_event: transaction.prepare_cached(
                "INSERT INTO events
                     (bucket, entity_no, time, seq, id, name, changes, known_at, line_no)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            )?,
            insert_line: transaction.prepare_cached(
                "INSERT INTO lines (line_no, time, seq, source_no, rule_no, offset, line)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
            entity_writer: EntityWriter::new(transaction)?,
            origin_numbers: vec![None; content.origins.len()],
            line_numbers: vec![None; content.lines.len()],
            next_line_number,
        })
    }

    /// The entity's row, which is remembered, new or read. What is not remembered is new mostly,
    /// and trying to insert it tells as much as looking for it would.
    fn touch(&mut self, entity: EntityEvents) -> Result<Touched, Failure> {
        if let Some(row) = self.memory.entities.take(&entity.name) {
            return Ok(Touched { entity, row, is_new: false });
        }
        let number = self.memory.entities.next_number(self.transaction)?;
        let row = self.new_row(number, &entity)?;
        if self.entity_writer.insert(&entity.name, &row)? {
            self.memory.entities.number_taken();
            return Ok(Touched { entity, row, is_new: true });
        }
        match entities::find(self.transaction, &entity.name)? {
            Some(row) => Ok(Touched { entity, row, is_new: false }),
            None => Err(no_row(&entity.name)),
        }
    }

    /// The row of an entity of which there is nothing but what is in the batch.
    fn new_row(&self, number: i64, entity: &EntityEvents) -> Result<EntityRow, Failure> {
        let mut events: Vec<&Incoming<'_>> = self.content.events_of(entity).iter().collect();
        events.dedup_by_key(|incoming| incoming.key);
        let mut row = EntityRow::new(number);
        row.take_in(&events, self.content.state_of(entity))?;
        row.tail_events = row.events;
        Ok(row)
    }

    /// Writes an entity's events, which come in their order, and brings its row and its
    /// snapshots up to date. Returns how many events are new.
    fn write(&mut self, touched: &mut Touched) -> Result<usize, Failure> {
        let Touched { entity, row, is_new } = touched;
        let content = self.content;
        let events = content.events_of(entity);
        let mut new = Vec::with_capacity(events.len());
        for incoming in events {
            if self.insert(row.number, incoming)? {
                new.push(incoming);
            }
        }
        if *is_new {
            if snapshots::close_long_tail(self.transaction, row)? {
                self.entity_writer.update(row)?;
            }
        } else if !new.is_empty() {
            row.take_in(&new, content.state_of(entity))?;
            snapshots::maintain(self.transaction, row, &new)?;
            self.entity_writer.update(row)?;
        }
        Ok(new.len())
    }

    /// Inserts an event with its line, and returns whether it is new.
    fn insert(&mut self, entity_number: i64, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        let key = incoming.key;
        let bucket = self.memory.buckets.number_at(key.time);
        let line_number = self.line_numbers[incoming.line];
        let inserted = self.insert_event.execute(params![
            bucket,
            entity_number,
            key.time.nanos(),
            key.seq,
            key.id.0,
            self.content.name_of(incoming),
            self.content.changes_of(incoming),
            incoming.known_at.nanos(),
            line_number.unwrap_or(self.next_line_number),
        ])?;
        if inserted == 0 {
            self.lower_known_at(bucket, entity_number, incoming)?;
            return Ok(false);
        }
        self.memory.buckets.count(bucket, key.time);
        if line_number.is_none() {
            self.insert_line(key, &self.content.lines[incoming.line])?;
            self.line_numbers[incoming.line] = Some(self.next_line_number);
            self.next_line_number += 1;
        }
        Ok(true)
    }

    /// Inserts a line whose first event that is new has this key.
    fn insert_line(&mut self, first: OrderKey, line: &Line) -> Result<(), Failure> {
        let (source, rule) = match self.origin_numbers[line.origin] {
            Some(numbers) => numbers,
            None => self.number_origin(line.origin)?,
        };
        self.insert_line.execute(params![
            self.next_line_number,
            first.time.nanos(),
            first.seq,
            source,
            rule,
            line.offset,
            self.content.text_of(line)
        ])?;
        Ok(())
    }

    fn number_origin(&mut self, index: usize) -> Result<(i64, Option<i64>), Failure> {
        let origin = self.content.origins[index];
        let interner = &mut self.memory.interner;
        let source = interner.source(self.transaction, origin.source)?;
        let rule = origin.rule.map(|rule| interner.rule(self.transaction, rule)).transpose()?;
        self.origin_numbers[index] = Some((source, rule));
        Ok((source, rule))
    }

    /// Of several copies the earliest known-at counts.
    fn lower_known_at(
        &self,
        bucket: i64,
        entity_number: i64,
        incoming: &Incoming<'_>,
    ) -> Result<(), Failure> {
        let key = incoming.key;
        self.transaction
            .prepare_cached(
                "UPDATE events SET known_at = ?6
                 WHERE bucket = ?1 AND entity_no = ?2 AND time = ?3 AND seq = ?4 AND id = ?5
                     AND known_at > ?6",
            )?
            .execute(params![
                bucket,
                entity_number,
                key.time.nanos(),
                key.seq,
                key.id.0,
                incoming.known_at.nanos(),
            ])?;
        Ok(())
    }
}

/// A row cannot be inserted because it is there, and it is not there.
fn no_row(name: &EntityName) -> Failure {
    Unreadable(format!("the directory, which has no row for {name} and takes none")).into()
}
