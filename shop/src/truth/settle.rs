//! Brings changes into the order of their logged times, as far as clocks can differ.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;

use statetrail_event::{Time, Value};

use crate::entity::ShopEntity;
use crate::truth::{Fields, TruthChange, TruthSink};

type Changes = Vec<(&'static str, Option<Value>)>;

/// Holds changes back until no earlier one can come.
pub(crate) struct Settle<'a> {
    sink: &'a mut dyn TruthSink,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// The states of entities that may still change.
    states: HashMap<ShopEntity, Fields>,
    pushed: u64,
}

struct Waiting {
    time: Time,
    /// Keeps entries of the same time in the order in which they came.
    order: u64,
    entity: ShopEntity,
    /// `None` once the entity will not change any more.
    changes: Option<Changes>,
}

impl<'a> Settle<'a> {
    pub(crate) fn new(sink: &'a mut dyn TruthSink) -> Settle<'a> {
        Settle { sink, waiting: BinaryHeap::new(), states: HashMap::new(), pushed: 0 }
    }

    pub(crate) fn push(&mut self, time: Time, entity: ShopEntity, changes: Changes) {
        self.wait(time, entity, Some(changes));
    }

    /// Forgets the entity's state after `time`.
    pub(crate) fn retire(&mut self, time: Time, entity: ShopEntity) {
        self.wait(time, entity, None);
    }

    fn wait(&mut self, time: Time, entity: ShopEntity, changes: Option<Changes>) {
        self.pushed += 1;
        self.waiting.push(Reverse(Waiting { time, order: self.pushed, entity, changes }));
    }

    /// Hands on every change before `time`: nothing pushed later may have an earlier time.
    pub(crate) fn release_before(&mut self, time: Time) -> io::Result<()> {
        while self.waiting.peek().is_some_and(|Reverse(first)| first.time < time) {
            if let Some(Reverse(first)) = self.waiting.pop() {
                self.hand_on(first)?;
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, waiting: Waiting) -> io::Result<()> {
        let Waiting { time, entity, changes, .. } = waiting;
        let Some(changes) = changes else {
            self.states.remove(&entity);
            return Ok(());
        };
        let state = self.states.entry(entity).or_default();
        for (field, value) in &changes {
            match value {
                Some(value) => state.insert(*field, value.clone()),
                None => state.remove(field),
            };
        }
        self.sink.change(&TruthChange { time, entity, changes: &changes, state })
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Waiting) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Waiting) -> std::cmp::Ordering {
        (self.time, self.order).cmp(&(other.time, other.order))
    }
}
