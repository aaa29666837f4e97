//! Stretches of trails.

use std::ops::Bound;

use statetrail_event::{OrderKey, Time};

/// A stretch of a trail, both ends inclusive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyRange {
    pub(crate) from: OrderKey,
    pub(crate) to: OrderKey,
}

impl KeyRange {
    /// `None` if no key lies between the bounds.
    pub(crate) fn of(from: Bound<OrderKey>, to: Bound<OrderKey>) -> Option<KeyRange> {
        let from = match from {
            Bound::Unbounded => OrderKey::MIN,
            Bound::Included(key) => key,
            Bound::Excluded(key) => key.next()?,
        };
        let to = match to {
            Bound::Unbounded => OrderKey::MAX,
            Bound::Included(key) => key.min(OrderKey::MAX),
            Bound::Excluded(key) => key.previous()?.min(OrderKey::MAX),
        };
        (from <= to).then_some(KeyRange { from, to })
    }

    /// The part of the range from the time `first` to the time `last`, where an entity may have
    /// events, so that no bucket is visited in vain.
    pub(crate) fn within(self, first: Time, last: Time) -> Option<KeyRange> {
        let from = self.from.max(OrderKey::start_of(first));
        let to = self.to.min(OrderKey::end_of(last));
        (from <= to).then_some(KeyRange { from, to })
    }
}
