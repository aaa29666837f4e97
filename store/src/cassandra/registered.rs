//! What this process has noted in the store already, so that it is not noted again with every
//! batch. Forgetting costs a write, nothing else.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::RandomState;
use statetrail_event::Time;

/// Pairs of entity and bucket in each of two generations; about 50 bytes each.
const GENERATION: usize = 32_000;
/// Kinds, buckets and spans are few; this many would mean that they are not.
const MARKS_MAX: usize = 100_000;

/// The kind of a row of `periods`: a bucket of `events`.
pub(super) const BUCKET: &str = "bucket";
/// The kind of a row of `periods`: a span of `timeline`.
pub(super) const SPAN: &str = "span";

/// An entity and one of its buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair(u128);

impl Pair {
    /// `hash` tells the entity from every other.
    pub(super) fn new(hash: u128, bucket: i64) -> Pair {
        // An odd factor spreads the bucket over all bits and maps no two buckets to one.
        let bucket = u128::from(bucket as u64);
        Pair(hash ^ bucket.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }
}

/// What was noted about a pair of entity and bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// The first event happened at that moment or earlier.
    pub(super) first: Time,
    /// Events may come late until then.
    pub(super) late_until: Time,
}

/// What is new among a batch's kinds and periods.
#[derive(Debug, Default)]
pub(super) struct NewMarks {
    pub(super) kinds: BTreeSet<(String, String)>,
    pub(super) periods: BTreeSet<(&'static str, i64)>,
}

/// What was noted.
#[derive(Debug, Default)]
pub(super) struct Registered {
    new: HashMap<u128, Noted, RandomState>,
    old: HashMap<u128, Noted, RandomState>,
    kinds: HashMap<String, HashSet<String, RandomState>, RandomState>,
    /// Pairs of namespace and type in `kinds`.
    kinds_count: usize,
    periods: HashSet<(&'static str, i64), RandomState>,
}

impl Registered {
    pub(super) fn noted(&self, pair: Pair) -> Option<Noted> {
        self.new.get(&pair.0).or_else(|| self.old.get(&pair.0)).copied()
    }

    pub(super) fn remember(&mut self, all: Vec<(Pair, Noted)>) {
        for (pair, noted) in all {
            self.new.insert(pair.0, noted);
            if self.new.len() >= GENERATION {
                // Both keep their room: maps that grow anew leave the heap in pieces.
                std::mem::swap(&mut self.old, &mut self.new);
                self.new.clear();
            }
        }
    }

    /// Those kinds and periods that were not noted yet.
    pub(super) fn new_marks<'a>(
        &mut self,
        marks: impl Iterator<Item = (&'a str, &'a str, i64, i64)>,
    ) -> NewMarks {
        let mut new = NewMarks::default();
        for (namespace, entity_type, bucket, span) in marks {
            let types = self.kinds.get(namespace);
            if !types.is_some_and(|types| types.contains(entity_type)) {
                new.kinds.insert((namespace.to_owned(), entity_type.to_owned()));
            }
            for period in [(BUCKET, bucket), (SPAN, span)] {
                if !self.periods.contains(&period) {
                    new.periods.insert(period);
                }
            }
        }
        new
    }

    pub(super) fn remember_marks(&mut self, new: NewMarks) {
        if self.periods.len() + self.kinds_count > MARKS_MAX {
            self.forget_marks();
        }
        for (namespace, entity_type) in new.kinds {
            let is_new = self.kinds.entry(namespace).or_default().insert(entity_type);
            self.kinds_count += usize::from(is_new);
        }
        self.periods.extend(new.periods);
    }

    fn forget_marks(&mut self) {
        self.periods.clear();
        self.kinds.clear();
        self.kinds_count = 0;
    }

    /// Forgets all, so that it is noted again.
    pub(super) fn forget(&mut self) {
        self.new.clear();
        self.old.clear();
        self.forget_marks();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTED: Noted = Noted { first: Time::from_nanos(10), late_until: Time::MIN };

    #[test]
    fn pairs_are_told_apart() {
        let mut registered = Registered::default();
        registered.remember(vec![(Pair::new(7, 1), NOTED)]);
        assert_eq!(registered.noted(Pair::new(7, 1)), Some(NOTED));
        assert_eq!(registered.noted(Pair::new(7, 2)), None);
        assert_eq!(registered.noted(Pair::new(8, 1)), None);
    }

    #[test]
    fn memory_stays_bounded_and_the_newest_is_known() {
        let mut registered = Registered::default();
        for entity in 0..500_000 {
            registered.remember(vec![(Pair::new(entity, 1), NOTED)]);
        }
        assert!(registered.new.len() + registered.old.len() <= 2 * GENERATION);
        assert_eq!(registered.noted(Pair::new(499_999, 1)), Some(NOTED));
        assert_eq!(registered.noted(Pair::new(0, 1)), None);
    }

    #[test]
    fn marks_stay_bounded_however_many_types_a_namespace_has() {
        let mut registered = Registered::default();
        for number in 0..=MARKS_MAX + 1 {
            let entity_type = format!("type-{number}");
            let new = registered.new_marks([("shop", &*entity_type, 1, 2)].into_iter());
            assert_eq!(new.kinds.len(), 1);
            registered.remember_marks(new);
        }
        let kept: usize = registered.kinds.values().map(HashSet::len).sum();
        assert!(kept <= MARKS_MAX, "{kept} kinds are kept");
        assert_eq!(kept, registered.kinds_count);
    }

    #[test]
    fn marks_are_new_once() {
        let mut registered = Registered::default();
        let marks = [("shop", "order", 1, 2), ("shop", "order", 1, 2), ("shop", "stock", 1, 3)];
        let new = registered.new_marks(marks.into_iter());
        assert_eq!((new.kinds.len(), new.periods.len()), (2, 3));
        registered.remember_marks(new);
        let new = registered.new_marks(marks.into_iter());
        assert!(new.kinds.is_empty() && new.periods.is_empty());
    }
}
