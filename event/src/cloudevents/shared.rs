//! Sources and rules that many events have in common, each kept once.

use std::sync::Arc;

use xxhash_rust::xxh64::xxh64;

use crate::Source;

/// What was read of late. Each value has one slot, given by its hash, so the memory is bounded
/// and nothing has to be thrown out by age; two values with the same slot merely take turns.
#[derive(Debug)]
pub(super) struct Shared {
    sources: Vec<Option<Arc<Source>>>,
    rules: Vec<Option<Arc<str>>>,
}

impl Shared {
    /// Remembers at most that many sources and rules.
    pub(super) fn with_slots(slots: usize) -> Shared {
        Shared { sources: vec![None; slots], rules: vec![None; slots] }
    }

    /// The source with these parts.
    pub(super) fn source(
        &mut self,
        uri: &str,
        node: Option<&str>,
        file: Option<&str>,
    ) -> Arc<Source> {
        let hash = xxh64(file.unwrap_or_default().as_bytes(), xxh64(uri.as_bytes(), 0));
        let is_same = |source: &Source| {
            source.uri == uri && source.node.as_deref() == node && source.file.as_deref() == file
        };
        let make = || {
            Arc::new(Source {
                uri: uri.to_owned(),
                node: node.map(str::to_owned),
                file: file.map(str::to_owned),
            })
        };
        remembered(&mut self.sources, hash, is_same, make)
    }

    /// The rule with that name.
    pub(super) fn rule(&mut self, name: &str) -> Arc<str> {
        let hash = xxh64(name.as_bytes(), 0);
        remembered(&mut self.rules, hash, |rule| rule == name, || Arc::from(name))
    }
}

fn remembered<T: ?Sized>(
    slots: &mut [Option<Arc<T>>],
    hash: u64,
    is_same: impl FnOnce(&T) -> bool,
    make: impl FnOnce() -> Arc<T>,
) -> Arc<T> {
    // The remainder is below the length, which fits into usize.
    let index = (hash % slots.len().max(1) as u64) as usize;
    let Some(slot) = slots.get_mut(index) else { return make() };
    match slot {
        Some(value) if is_same(value) => Arc::clone(value),
        _ => Arc::clone(slot.insert(make())),
    }
}
