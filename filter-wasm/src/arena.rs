//! Memory for the arguments of a call: given out from front to back, all of it free again at
//! the next call. That is cheaper than an allocator, and nothing can be lost when a call traps.

/// The unit that memory is given out in; also its alignment.
type Unit = u128;
const UNIT_BYTES: usize = size_of::<Unit>();
/// Enough for the tag and an ordinary record.
const FIRST_CHUNK_BYTES: usize = 16 * 1024;

/// The memory for arguments.
pub(crate) struct Arena {
    /// Memory is given out from the last one, which is the largest; those before it hold
    /// arguments of the same call that came before it was needed.
    chunks: Vec<Vec<Unit>>,
    /// Addresses in the last one: where it begins, what is free from, and where it ends. Two
    /// pieces are asked for and given back for every record, so that takes few steps.
    start: usize,
    free: usize,
    end: usize,
    start_again: bool,
}

impl Arena {
    /// An arena that has no memory yet.
    pub(crate) const fn new() -> Arena {
        Arena { chunks: Vec::new(), start: 0, free: 0, end: 0, start_again: false }
    }

    /// Marks everything as free from the next [`allocate`](Arena::allocate) on. To be called
    /// when a call begins: its arguments are all there by then, and they are in use until it
    /// has been answered, which is before the next call's first argument.
    pub(crate) fn call_begins(&mut self) {
        self.start_again = true;
    }

    /// The address of at least `bytes` bytes, or `None` if there is no memory left.
    pub(crate) fn allocate(&mut self, bytes: usize) -> Option<usize> {
        if self.start_again {
            self.start_again = false;
            self.free = self.start;
            if self.chunks.len() > 1 {
                self.drop_small_chunks();
            }
        }
        let bytes = bytes.checked_add(UNIT_BYTES)? & !(UNIT_BYTES - 1);
        if bytes > self.end - self.free {
            self.grow(bytes)?;
        }
        let address = self.free;
        self.free += bytes;
        Some(address)
    }

    #[cold]
    #[inline(never)]
    fn drop_small_chunks(&mut self) {
        let small = self.chunks.len().saturating_sub(1);
        self.chunks.drain(..small);
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, bytes: usize) -> Option<()> {
        // What came before it gets room in it too, when the same comes again.
        let wanted = bytes.checked_add(self.end - self.start)?.max(FIRST_CHUNK_BYTES);
        let mut chunk: Vec<Unit> = Vec::new();
        chunk.try_reserve_exact(wanted / UNIT_BYTES).ok()?;
        chunk.resize(wanted / UNIT_BYTES, 0);
        self.start = chunk.as_mut_ptr().expose_provenance();
        self.free = self.start;
        self.end = self.start + wanted;
        self.chunks.push(chunk);
        Some(())
    }

    /// Whether the arena has given out the memory at this address.
    pub(crate) fn holds(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address) || self.held_before(address)
    }

    #[cold]
    #[inline(never)]
    fn held_before(&self, address: usize) -> bool {
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
                    let start = arena.allocate(size).expect("there is memory");
                    prop_assert!(start.is_multiple_of(UNIT_BYTES));
                    prop_assert!(arena.holds(start) && arena.holds(start + size.max(1) - 1));
                    given.push((start, start + size.max(1)));
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
            let tag = arena.allocate(100).expect("there is memory");
            let record = arena.allocate(1_000_000).expect("there is memory");
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
