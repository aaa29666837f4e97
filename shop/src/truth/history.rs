//! Every entity's history in memory.

use std::collections::HashMap;
use std::io;

use statetrail_event::{EntityName, Time, Value};

use crate::dice::{Dice, Purpose};
use crate::entity::ShopEntity;
use crate::truth::{Fields, TruthChange, TruthSink};

/// Records the truth while the shop runs.
#[derive(Default)]
pub struct TruthRecorder {
    entities: Vec<ShopEntity>,
    numbers: HashMap<ShopEntity, u32>,
    fields: Vec<&'static str>,
    writes: Vec<Write>,
}

/// The truth about a finished run: one entry per write of a field, in one flat table, so that a
/// million lines take some tens of megabytes.
pub struct Truth {
    /// In the order of their first change.
    entities: Vec<ShopEntity>,
    numbers: HashMap<ShopEntity, u32>,
    fields: Vec<&'static str>,
    /// Ordered by entity, field, time.
    writes: Vec<Write>,
}

struct Write {
    time: Time,
    entity: u32,
    field: u8,
    value: Option<Value>,
}

impl Write {
    fn key(&self) -> (u32, u8, Time) {
        (self.entity, self.field, self.time)
    }
}

impl TruthSink for TruthRecorder {
    fn change(&mut self, change: &TruthChange<'_>) -> io::Result<()> {
        let entity = *self.numbers.entry(change.entity).or_insert_with(|| {
            self.entities.push(change.entity);
            self.entities.len() as u32 - 1
        });
        for (name, value) in change.changes {
            let known = self.fields.iter().position(|field| field == name);
            let field = known.unwrap_or_else(|| {
                self.fields.push(name);
                self.fields.len() - 1
            }) as u8;
            self.writes.push(Write { time: change.time, entity, field, value: value.clone() });
        }
        Ok(())
    }
}

impl TruthRecorder {
    /// The truth, once the run is over.
    pub fn finish(mut self) -> Truth {
        self.writes.sort_unstable_by_key(Write::key);
        Truth {
            entities: self.entities,
            numbers: self.numbers,
            fields: self.fields,
            writes: self.writes,
        }
    }
}

impl Truth {
    /// Every entity that changed at least once, in the order of the first changes.
    pub fn entities(&self) -> impl ExactSizeIterator<Item = EntityName> + '_ {
        self.entities.iter().map(|entity| entity.name())
    }

    /// The entity's state at a moment, changes of that very moment included. Empty before its
    /// first change and for a stranger.
    pub fn state_at(&self, entity: &EntityName, time: Time) -> Fields {
        let known = ShopEntity::from_name(entity).and_then(|entity| self.numbers.get(&entity));
        known.map_or_else(Fields::new, |&number| self.fold(self.writes_of(number), time))
    }

    /// The moments at which the entity changed, in order.
    pub fn times_of(&self, entity: &EntityName) -> Vec<Time> {
        let known = ShopEntity::from_name(entity).and_then(|entity| self.numbers.get(&entity));
        let writes = known.map_or(&[][..], |&number| self.writes_of(number));
        let mut times: Vec<Time> = writes.iter().map(|write| write.time).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// Random moments in the lives of random entities: a third of them at a change, a third one
    /// nanosecond before it, where mistakes show, and a third anywhere around the life.
    pub fn moments(
        &self,
        seed: u64,
        count: usize,
    ) -> impl Iterator<Item = (EntityName, Time)> + '_ {
        let mut dice = Dice::new(seed, Purpose::Moments);
        let count = if self.entities.is_empty() { 0 } else { count };
        (0..count).map(move |_| self.moment(&mut dice))
    }

    fn moment(&self, dice: &mut Dice) -> (EntityName, Time) {
        let number = dice.below(self.entities.len() as u32);
        let writes = self.writes_of(number);
        let some_write = &writes[dice.below(writes.len() as u32) as usize];
        let nanos = match dice.below(3) {
            0 => some_write.time.nanos(),
            1 => some_write.time.nanos() - 1,
            _ => {
                let times = || writes.iter().map(|write| write.time.nanos());
                let first = times().min().unwrap_or_default();
                let last = times().max().unwrap_or_default();
                let margin = (last - first) / 10 + 1_000_000_000;
                dice.between(first - margin, last + margin)
            }
        };
        (self.entities[number as usize].name(), Time::from_nanos(nanos))
    }

    fn writes_of(&self, entity: u32) -> &[Write] {
        let start = self.writes.partition_point(|write| write.entity < entity);
        let end = self.writes.partition_point(|write| write.entity <= entity);
        &self.writes[start..end]
    }

    /// The last write at or before `time` of each field in the writes of one entity.
    fn fold(&self, writes: &[Write], time: Time) -> Fields {
        let mut state = Fields::new();
        let mut rest = writes;
        while let Some(first) = rest.first() {
            let field = first.field;
            let (of_field, others) = rest.split_at(rest.partition_point(|w| w.field == field));
            let known = of_field.partition_point(|write| write.time <= time);
            if let Some(value) = of_field[..known].last().and_then(|write| write.value.as_ref()) {
                state.insert(self.fields[usize::from(field)], value.clone());
            }
            rest = others;
        }
        state
    }
}
