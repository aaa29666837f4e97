//! Which offsets may be committed: the place where invariant I4 is kept.
//!
//! Every message belongs to a *unit* of work: a batch on its way into the store, or a dead letter
//! on its way into its topic. A partition's messages, in the order in which they were read, are a
//! queue of stretches, each of one unit:
//!
//! ```text
//! partition 3:   [batch 7, up to 120) [dead letter 8, up to 121) [batch 7, up to 140)
//!                ^ done up to here
//! ```
//!
//! The position moves over a stretch only when its unit is done and everything before it is.
//! Offsets here are Kafka's: a position is the offset of the next message to be read.

use std::collections::VecDeque;

use foldhash::{HashMap, HashMapExt};

/// A partition of one of the topics that are read, by the topic's number in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionKey {
    /// The topic's place in the list of topics.
    pub topic: u16,
    /// The partition's number.
    pub partition: i32,
}

/// A piece of work that is done as a whole.
pub type Unit = u64;

/// The progress of every partition that is ours.
#[derive(Debug, Default)]
pub struct Offsets {
    partitions: HashMap<PartitionKey, Partition>,
    /// Units that are not done, with the number of parts that each still waits for.
    open: HashMap<Unit, u32>,
}

#[derive(Debug, Default)]
struct Partition {
    stretches: VecDeque<Stretch>,
    /// Everything before this offset is done. `None` until something is.
    position: Option<i64>,
    /// What Kafka has confirmed.
    committed: Option<i64>,
    /// It is to be given back: what still comes from it is for its next owner.
    leaving: bool,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    unit: Unit,
    next: i64,
}

impl Offsets {
    /// A partition is ours from now on.
    pub fn assign(&mut self, key: PartitionKey) {
        self.partitions.insert(key, Partition::default());
    }

    /// Nothing more is to be read from a partition that is to be given back.
    pub fn leave(&mut self, key: PartitionKey) {
        if let Some(partition) = self.partitions.get_mut(&key) {
            partition.leaving = true;
        }
    }

    /// A partition is no longer ours. Its units may still end; that moves nothing.
    pub fn revoke(&mut self, key: PartitionKey) {
        self.partitions.remove(&key);
    }

    /// The partitions that are ours, those that are leaving included.
    pub fn assigned(&self) -> impl Iterator<Item = PartitionKey> + '_ {
        self.partitions.keys().copied()
    }

    /// A unit begins, as one part.
    pub fn open(&mut self, unit: Unit) {
        self.open.insert(unit, 1);
    }

    /// A unit waits for one part more.
    pub fn add_part(&mut self, unit: Unit) {
        *self.open.entry(unit).or_insert(0) += 1;
    }

    /// Whether messages of that partition are to be taken.
    pub fn takes(&self, key: PartitionKey) -> bool {
        self.partitions.get(&key).is_some_and(|partition| !partition.leaving)
    }

    /// A message was read and belongs to that open unit.
    pub fn read(&mut self, key: PartitionKey, offset: i64, unit: Unit) {
        let Some(partition) = self.partitions.get_mut(&key) else { return };
        match partition.stretches.back_mut() {
            Some(last) if last.unit == unit => last.next = last.next.max(offset + 1),
            _ => partition.stretches.push_back(Stretch { unit, next: offset + 1 }),
        }
    }

    /// A part of a unit is done.
    pub fn finish(&mut self, unit: Unit) {
        let Some(parts) = self.open.get_mut(&unit) else { return };
        *parts -= 1;
        if *parts > 0 {
            return;
        }
        self.open.remove(&unit);
        for partition in self.partitions.values_mut() {
            partition.advance(&self.open);
        }
    }

    /// Positions that Kafka has not confirmed yet.
    pub fn uncommitted(&self) -> Vec<(PartitionKey, i64)> {
        let behind = |(key, partition): (&PartitionKey, &Partition)| {
            partition.uncommitted().map(|position| (*key, position))
        };
        self.partitions.iter().filter_map(behind).collect()
    }

    /// Kafka has confirmed a position.
    pub fn committed(&mut self, key: PartitionKey, position: i64) {
        if let Some(partition) = self.partitions.get_mut(&key) {
            partition.committed = partition.committed.max(Some(position));
        }
    }

    /// Whether everything that was read from a partition is done and committed, or it is not ours.
    pub fn is_settled(&self, key: PartitionKey) -> bool {
        self.partitions.get(&key).is_none_or(Partition::is_settled)
    }

    /// The partitions of which something is not done or not committed, each with the offset up
    /// to which it is committed (if anything is) and the offset behind the last message read.
    pub fn unsettled(&self) -> Vec<(PartitionKey, Option<i64>, i64)> {
        let mut unsettled = Vec::new();
        for (key, partition) in &self.partitions {
            if !partition.is_settled() {
                let read = partition.stretches.back().map(|last| last.next);
                let end = read.or(partition.position).unwrap_or_default();
                unsettled.push((*key, partition.committed, end));
            }
        }
        unsettled.sort_unstable();
        unsettled
    }

    /// Up to where a partition is done, if anything of it is.
    pub fn position(&self, key: PartitionKey) -> Option<i64> {
        self.partitions.get(&key)?.position
    }
}

impl Partition {
    fn advance(&mut self, open: &HashMap<Unit, u32>) {
        while let Some(first) = self.stretches.front()
            && !open.contains_key(&first.unit)
        {
            self.position = self.position.max(Some(first.next));
            self.stretches.pop_front();
        }
    }

    fn uncommitted(&self) -> Option<i64> {
        self.position.filter(|_| self.position > self.committed)
    }

    fn is_settled(&self) -> bool {
        self.stretches.is_empty() && self.uncommitted().is_none()
    }
}

impl Offsets {
    /// Nothing is assigned and nothing is open.
    pub fn new() -> Offsets {
        Offsets { partitions: HashMap::new(), open: HashMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: PartitionKey = PartitionKey { topic: 0, partition: 3 };
    const OTHER: PartitionKey = PartitionKey { topic: 0, partition: 4 };

    fn ours() -> Offsets {
        let mut offsets = Offsets::new();
        offsets.assign(KEY);
        offsets.assign(OTHER);
        offsets
    }

    #[test]
    fn a_position_waits_for_everything_before_it() {
        let mut offsets = ours();
        for unit in 1..=3 {
            offsets.open(unit);
        }
        offsets.read(KEY, 10, 1);
        offsets.read(KEY, 11, 2);
        offsets.read(KEY, 12, 1);
        offsets.read(OTHER, 7, 3);

        offsets.finish(1);
        assert_eq!(offsets.position(KEY), Some(11));
        offsets.finish(2);
        assert_eq!(offsets.position(KEY), Some(13));
        assert_eq!(offsets.position(OTHER), None);
        assert!(!offsets.is_settled(OTHER));
        offsets.finish(3);
        assert_eq!(offsets.position(OTHER), Some(8));
    }

    #[test]
    fn a_unit_is_done_with_its_last_part() {
        let mut offsets = ours();
        offsets.open(1);
        offsets.read(KEY, 0, 1);
        offsets.add_part(1);
        offsets.finish(1);
        assert_eq!(offsets.position(KEY), None);
        offsets.finish(1);
        assert_eq!(offsets.position(KEY), Some(1));
    }

    #[test]
    fn a_partition_is_settled_when_kafka_says_so() {
        let mut offsets = ours();
        offsets.open(1);
        offsets.read(KEY, 5, 1);
        offsets.finish(1);
        assert_eq!(offsets.uncommitted(), [(KEY, 6)]);
        assert_eq!(offsets.unsettled(), [(KEY, None, 6)]);
        offsets.committed(KEY, 6);
        assert!(offsets.is_settled(KEY) && offsets.unsettled().is_empty());
        offsets.committed(KEY, 2);
        assert!(offsets.uncommitted().is_empty(), "an older answer changes nothing");
    }

    #[test]
    fn what_ends_after_a_partition_has_left_moves_nothing() {
        let mut offsets = ours();
        offsets.open(1);
        offsets.read(KEY, 5, 1);
        offsets.leave(KEY);
        assert!(!offsets.takes(KEY));
        offsets.revoke(KEY);
        offsets.assign(KEY);
        assert!(offsets.takes(KEY));
        offsets.finish(1);
        assert_eq!(offsets.position(KEY), None);
    }

    proptest! {
        /// Whatever the order in which units end, no position is ever above a message of a unit
        /// that has not, and in the end everything is done.
        #[test]
        fn positions_never_overtake(
            reads in prop::collection::vec((0..3i32, 0..8u64), 1..60),
            order in Just((0..8u64).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let mut offsets = Offsets::new();
            let key = |partition| PartitionKey { topic: 0, partition };
            (0..3).for_each(|partition| offsets.assign(key(partition)));
            (0..8).for_each(|unit| offsets.open(unit));
            let mut next = [0; 3];
            let mut messages = Vec::new();
            for (partition, unit) in reads {
                let offset = next[partition as usize];
                next[partition as usize] += 1;
                offsets.read(key(partition), offset, unit);
                messages.push((key(partition), offset, unit));
            }
            let mut ended = Vec::new();
            for unit in order {
                offsets.finish(unit);
                ended.push(unit);
                for (key, offset, unit) in &messages {
                    let is_passed = offsets.position(*key).is_some_and(|it| it > *offset);
                    prop_assert!(!is_passed || ended.contains(unit));
                }
            }
            for (key, offset, _) in &messages {
                prop_assert!(offsets.position(*key).is_some_and(|it| it > *offset));
            }
        }
    }
}
