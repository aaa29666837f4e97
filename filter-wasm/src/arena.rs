//! Memory for the arguments of a call: given out from front to back, all of it free again at
//! the next call. That is cheaper than an allocator, and nothing can be lost when a call traps.

/// The unit that memory is given out in; also its alignment.
type Unit = u128;
const UNIT_BYTES: usize = size_of::<Unit>();
/// Enough for the tag and an ordinary record.
const FIRST_CHUNK_UNITS: usize = 16 * 1024 / UNIT_BYTES;

/// The memory for arguments.
pub(crate) struct Arena {
    /// Memory is given out from the last one, which is the largest; those before it hold
    /// arguments of the same call that came before it was needed.
    chunks: Vec<Vec<Unit>>,
    used: usize,
    start_again: bool,
}

impl Arena {
    /// An arena that has no memory yet.
    pub(crate) const fn new() -> Arena {
        Arena { chunks: Vec::new(), used: 0, start_again: false }
    }

    /// Marks everything as free from the next [`allocate`](Arena::allocate) on. To be called
    /// when a call begins: its arguments are all there by then, and they are in use until it
    /// has been answered, which is before the next call's first argument.
    pub(crate) fn call_begins(&mut self) {
        self.start_again = true;
    }

    /// Memory of at least `bytes` bytes, or `None` if there is none left.
    pub(crate) fn allocate(&mut self, bytes: usize) -> Option<&mut [Unit]> {
        if self.start_again {
            self.start_again = false;
            self.used = 0;
            let small = self.chunks.len().saturating_sub(1);
            self.chunks.drain(..small);
        }
        let units = bytes.div_ceil(UNIT_BYTES).max(1);
        let size = self.chunks.last().map_or(0, Vec::len);
        if size - self.used < units {
            // What came before it gets room in it too, when the same comes again.
            let wanted = units.checked_add(size)?.max(FIRST_CHUNK_UNITS);
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(wanted).ok()?;
            chunk.resize(wanted, 0);
            self.chunks.push(chunk);
            self.used = 0;
        }
        let start = self.used;
        self.used += units;
        self.chunks.last_mut()?.get_mut(start..start + units)
    }

    /// Whether the arena has given out the memory at this address.
    pub(crate) fn holds(&self, address: usize) -> bool {
        self.chunks.iter().any(|chunk| {
            let start = chunk.as_ptr().addr();
            (start..start + chunk.len() * UNIT_BYTES).contains(&address)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Arguments of one call never overlap, whatever their sizes, and stay as they are.
        #[test]
        fn arguments_of_a_call_are_apart(
            calls in prop::collection::vec(prop::collection::vec(0usize..100_000, 1..5), 1..20)
        ) {
            let mut arena = Arena::new();
            for sizes in calls {
                let mut given = Vec::new();
                for size in sizes {
                    let memory = arena.allocate(size).expect("there is memory");
                    prop_assert!(size_of_val(memory) >= size);
                    let start = memory.as_ptr().addr();
                    given.push((start, start + size_of_val(memory)));
                }
                for (start, _) in &given {
                    prop_assert!(arena.holds(*start));
                }
                given.sort_unstable();
                prop_assert!(given.windows(2).all(|pair| pair[0].1 <= pair[1].0));
                arena.call_begins();
            }
        }
    }

    #[test]
    fn memory_is_used_again_by_the_next_call() {
        let mut arena = Arena::new();
        let call = |arena: &mut Arena| {
            let tag = arena.allocate(100).expect("there is memory").as_ptr().addr();
            let record = arena.allocate(1_000_000).expect("there is memory").as_ptr().addr();
            arena.call_begins();
            (tag, record)
        };
        call(&mut arena);
        let second = call(&mut arena);
        assert_eq!(second, call(&mut arena));
        assert!(arena.holds(second.0) && arena.holds(second.1));
        assert_eq!(arena.chunks.len(), 1);
    }

    #[test]
    fn memory_that_is_not_there_is_refused() {
        assert!(Arena::new().allocate(usize::MAX / 2).is_none());
    }
}
