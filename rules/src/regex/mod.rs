//! Regular expressions, for what patterns cannot say.
//!
//! The search is regex-automata's, in time linear in the line. What is ours is the way there:
//! [`compile()`] works without recursion, because the filter in Fluent Bit has 8 KiB of stack,
//! of which the `regex` crate's compiler takes more than there is.

mod compile;

use regex_automata::Input;
use regex_automata::nfa::thompson::backtrack::{self, BoundedBacktracker};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::util::primitives::NonMaxUsize;
use regex_syntax::hir::Hir;

use crate::matcher::Span;
use compile::{Compiled, compile};

pub(crate) use compile::{CompileError, MAX_BYTES};

/// A compiled regular expression.
pub(crate) struct Regex {
    /// The faster one, for lines that are not too long for its memory.
    backtracker: BoundedBacktracker,
    pike: PikeVM,
    names: Vec<(usize, Box<str>)>,
}

/// Memory of the search that is kept from line to line.
#[derive(Default)]
pub(crate) struct RegexScratch {
    backtrack: Option<backtrack::Cache>,
    pike: Option<pikevm::Cache>,
    /// Where each group begins and ends.
    ends: Vec<Option<NonMaxUsize>>,
}

impl Regex {
    /// Compiles an expression over bytes.
    pub(crate) fn new(hir: &Hir) -> Result<Regex, CompileError> {
        let Compiled { nfa, names } = compile(hir)?;
        let too_large = |_| CompileError::TooLarge;
        Ok(Regex {
            backtracker: BoundedBacktracker::new_from_nfa(nfa.clone()).map_err(too_large)?,
            pike: PikeVM::new_from_nfa(nfa).map_err(too_large)?,
            names,
        })
    }

    /// The groups that have names, with their numbers.
    pub(crate) fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.names.iter().map(|(number, name)| (*number, &**name))
    }

    /// Finds the first match. If there is one, `scratch` knows its groups.
    pub(crate) fn find(&self, line: &[u8], scratch: &mut RegexScratch) -> bool {
        let input = Input::new(line);
        let ends = &mut scratch.ends;
        ends.clear();
        ends.resize(self.pike.get_nfa().group_info().slot_len(), None);
        if line.len() <= self.backtracker.max_haystack_len() {
            let cache =
                scratch.backtrack.get_or_insert_with(|| backtrack::Cache::new(&self.backtracker));
            cache.reset(&self.backtracker);
            let found = self.backtracker.try_search_slots(cache, &input, ends);
            return matches!(found, Ok(Some(_)));
        }
        let cache = scratch.pike.get_or_insert_with(|| pikevm::Cache::new(&self.pike));
        cache.reset(&self.pike);
        self.pike.search_slots(cache, &input, ends).is_some()
    }
}

impl RegexScratch {
    /// Where the group of the last match stands, if it took part in it.
    pub(crate) fn group(&self, number: usize) -> Option<Span> {
        let end = |index: usize| self.ends.get(index).copied().flatten();
        let (start, end) = (end(number * 2)?, end(number * 2 + 1)?);
        Some(Span { start: start.get() as u32, end: end.get() as u32 })
    }
}
