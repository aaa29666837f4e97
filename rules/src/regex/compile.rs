//! From the tree of a regular expression to states, with a list of tasks instead of recursion.

use regex_automata::nfa::thompson::{BuildError, Builder, NFA, Transition};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use regex_syntax::hir::{Capture, Class, Hir, HirKind, Repetition};

/// Largest compiled expression, in bytes.
pub(crate) const MAX_BYTES: usize = 256 * 1024;
/// Most copies of what is repeated a given number of times.
const MAX_COPIES: u32 = 1_000;

/// Why an expression cannot be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompileError {
    /// It needs more than [`MAX_BYTES`].
    TooLarge,
    /// It asks for Unicode's classes or word boundaries.
    Unicode,
}

impl From<BuildError> for CompileError {
    fn from(_: BuildError) -> CompileError {
        CompileError::TooLarge
    }
}

/// A part of the expression: what leads on from `end` is not known yet.
#[derive(Clone, Copy)]
struct Part {
    start: StateID,
    end: StateID,
}

/// What is left to be done. Parts that are done wait on a stack of their own.
enum Task<'h> {
    Compile(&'h Hir),
    /// Puts the last so many parts one after the other.
    Join(usize),
    /// Makes the last so many parts alternatives.
    Choose(usize),
    /// Puts the last part into a group that begins with this state.
    Group(StateID, u32),
    /// Makes a repetition of the copies that are the last parts.
    Repeat(&'h Repetition, usize),
}

struct Compiler<'h> {
    builder: Builder,
    tasks: Vec<Task<'h>>,
    parts: Vec<Part>,
    names: Vec<(usize, Box<str>)>,
}

/// A compiled expression.
pub(super) struct Compiled {
    /// States that find the first match.
    pub(super) nfa: NFA,
    /// Numbers and names of the groups that have names.
    pub(super) names: Vec<(usize, Box<str>)>,
}

/// Compiles an expression over bytes.
pub(super) fn compile(hir: &Hir) -> Result<Compiled, CompileError> {
    let looks = hir.properties().look_set();
    if looks.contains_word_unicode() {
        return Err(CompileError::Unicode);
    }
    let mut builder = Builder::new();
    builder.set_size_limit(Some(MAX_BYTES))?;
    builder.start_pattern()?;
    let mut compiler =
        Compiler { builder, tasks: Vec::new(), parts: Vec::new(), names: Vec::new() };
    let start = compiler.builder.add_capture_start(StateID::ZERO, 0, None)?;
    compiler.tasks.extend([Task::Group(start, 0), Task::Compile(hir)]);
    while let Some(task) = compiler.tasks.pop() {
        compiler.step(task)?;
    }
    let whole = compiler.part();
    let mut builder = compiler.builder;
    let matched = builder.add_match()?;
    builder.patch(whole.end, matched)?;
    builder.finish_pattern(whole.start)?;
    // Before the match there may be anything, but as little as possible.
    let anywhere = builder.add_union(vec![whole.start])?;
    let any = Transition { start: 0, end: u8::MAX, next: anywhere };
    let any = builder.add_range(any)?;
    builder.patch(anywhere, any)?;
    let nfa = builder.build(whole.start, anywhere)?;
    Ok(Compiled { nfa, names: compiler.names })
}

impl<'h> Compiler<'h> {
    fn step(&mut self, task: Task<'h>) -> Result<(), CompileError> {
        match task {
            Task::Compile(hir) => self.compile(hir),
            Task::Join(count) => self.join(count),
            Task::Choose(count) => self.choose(count),
            Task::Group(start, number) => self.close_group(start, number),
            Task::Repeat(repetition, copies) => self.repeat(repetition, copies),
        }
    }

    fn compile(&mut self, hir: &'h Hir) -> Result<(), CompileError> {
        match hir.kind() {
            HirKind::Empty => {
                let state = self.builder.add_empty()?;
                self.push(state, state);
            }
            HirKind::Literal(literal) => {
                for byte in &literal.0 {
                    self.range(*byte, *byte)?;
                }
                self.join(literal.0.len())?;
            }
            HirKind::Class(class) => self.class(class)?,
            HirKind::Look(look) => {
                let look = Look::from_repr(look.as_repr()).ok_or(CompileError::Unicode)?;
                let state = self.builder.add_look(StateID::ZERO, look)?;
                self.push(state, state);
            }
            HirKind::Repetition(repetition) => self.open_repetition(repetition)?,
            HirKind::Capture(capture) => self.open_group(capture)?,
            HirKind::Concat(parts) => {
                self.tasks.push(Task::Join(parts.len()));
                self.tasks.extend(parts.iter().rev().map(Task::Compile));
            }
            HirKind::Alternation(parts) => {
                self.tasks.push(Task::Choose(parts.len()));
                self.tasks.extend(parts.iter().rev().map(Task::Compile));
            }
        }
        Ok(())
    }

    fn push(&mut self, start: StateID, end: StateID) {
        self.parts.push(Part { start, end });
    }

    /// The last part.
    fn part(&mut self) -> Part {
        self.parts.pop().expect("every task leaves the part that the next one takes")
    }

    /// The last so many parts, in the order in which they were made.
    fn take_parts(&mut self, count: usize) -> Vec<Part> {
        self.parts.split_off(self.parts.len() - count)
    }

    fn range(&mut self, start: u8, end: u8) -> Result<(), CompileError> {
        let state = self.builder.add_range(Transition { start, end, next: StateID::ZERO })?;
        self.push(state, state);
        Ok(())
    }

    fn class(&mut self, class: &Class) -> Result<(), CompileError> {
        let bytes = match class {
            Class::Bytes(bytes) => bytes.clone(),
            Class::Unicode(unicode) => unicode.to_byte_class().ok_or(CompileError::Unicode)?,
        };
        match bytes.ranges() {
            [] => {
                let state = self.builder.add_fail()?;
                self.push(state, state);
            }
            [range] => self.range(range.start(), range.end())?,
            ranges => {
                let next = self.builder.add_empty()?;
                let transition = |range: &regex_syntax::hir::ClassBytesRange| Transition {
                    start: range.start(),
                    end: range.end(),
                    next,
                };
                let start = self.builder.add_sparse(ranges.iter().map(transition).collect())?;
                self.push(start, next);
            }
        }
        Ok(())
    }

    fn join(&mut self, count: usize) -> Result<(), CompileError> {
        let parts = self.take_parts(count);
        for pair in parts.windows(2) {
            self.builder.patch(pair[0].end, pair[1].start)?;
        }
        match (parts.first(), parts.last()) {
            (Some(first), Some(last)) => self.push(first.start, last.end),
            _ => {
                let state = self.builder.add_empty()?;
                self.push(state, state);
            }
        }
        Ok(())
    }

    fn choose(&mut self, count: usize) -> Result<(), CompileError> {
        let parts = self.take_parts(count);
        let end = self.builder.add_empty()?;
        let start = self.builder.add_union(parts.iter().map(|part| part.start).collect())?;
        for part in parts {
            self.builder.patch(part.end, end)?;
        }
        self.push(start, end);
        Ok(())
    }

    fn open_group(&mut self, capture: &'h Capture) -> Result<(), CompileError> {
        let name = capture.name.as_deref();
        // A group that is repeated a given number of times is compiled as often.
        let number = capture.index as usize;
        if let Some(name) = name
            && self.names.iter().all(|(known, _)| *known != number)
        {
            self.names.push((number, name.into()));
        }
        let name = name.map(Into::into);
        let start = self.builder.add_capture_start(StateID::ZERO, capture.index, name)?;
        self.tasks.push(Task::Group(start, capture.index));
        self.tasks.push(Task::Compile(&capture.sub));
        Ok(())
    }

    fn close_group(&mut self, start: StateID, number: u32) -> Result<(), CompileError> {
        let inside = self.part();
        let end = self.builder.add_capture_end(StateID::ZERO, number)?;
        self.builder.patch(start, inside.start)?;
        self.builder.patch(inside.end, end)?;
        self.push(start, end);
        Ok(())
    }

    fn open_repetition(&mut self, repetition: &'h Repetition) -> Result<(), CompileError> {
        let copies = repetition.max.unwrap_or(repetition.min.max(1));
        if copies > MAX_COPIES {
            return Err(CompileError::TooLarge);
        }
        let copies = copies as usize;
        self.tasks.push(Task::Repeat(repetition, copies));
        self.tasks.extend(std::iter::repeat_with(|| Task::Compile(&repetition.sub)).take(copies));
        Ok(())
    }

    fn repeat(&mut self, repetition: &Repetition, copies: usize) -> Result<(), CompileError> {
        let parts = self.take_parts(copies);
        let Repetition { min, max, greedy, ref sub } = *repetition;
        let end = self.builder.add_empty()?;
        let start = self.builder.add_empty()?;
        let mut last = start;
        for (index, part) in parts.iter().enumerate() {
            let is_required = index < min as usize;
            let next = if is_required { part.start } else { self.choice(greedy, part.start, end)? };
            self.builder.patch(last, next)?;
            last = part.end;
            if index + 1 == copies && max.is_none() {
                // What matches nothing must still be gone through once, so it is not enough to
                // go back to the choice before it.
                let back = if is_required || sub.properties().minimum_len() == Some(0) {
                    self.choice(greedy, part.start, end)?
                } else {
                    next
                };
                self.builder.patch(last, back)?;
                self.push(start, end);
                return Ok(());
            }
        }
        self.builder.patch(last, end)?;
        self.push(start, end);
        Ok(())
    }

    /// A choice between going into a part and going past it.
    fn choice(
        &mut self,
        greedy: bool,
        into: StateID,
        past: StateID,
    ) -> Result<StateID, CompileError> {
        let order = if greedy { vec![into, past] } else { vec![past, into] };
        Ok(self.builder.add_union(order)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::RegexBuilder;

    use crate::regex::{Regex, RegexScratch};

    /// Checks that the same groups are found as by the `regex` crate.
    fn check(pattern: &str, line: &[u8]) {
        let Ok(theirs) = RegexBuilder::new(pattern).unicode(false).build() else { return };
        let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        let hir = parser.parse(pattern).expect("the regex crate takes it");
        let ours = Regex::new(&hir).expect("it is small");
        let mut scratch = RegexScratch::default();
        let expected = theirs.captures(line);
        assert_eq!(ours.find(line, &mut scratch), expected.is_some(), "{pattern} {line:?}");
        let Some(expected) = expected else { return };
        for number in 0..expected.len() {
            let found = scratch.group(number).map(|span| (span.start as usize, span.end as usize));
            let expected = expected.get(number).map(|group| (group.start(), group.end()));
            assert_eq!(found, expected, "group {number} of {pattern} in {line:?}");
        }
        let names: Vec<(usize, &str)> =
            theirs.capture_names().enumerate().filter_map(|(n, name)| Some((n, name?))).collect();
        assert_eq!(ours.names().collect::<Vec<_>>(), names, "{pattern}");
    }

    #[test]
    fn agrees_with_the_regex_crate_on_what_is_easily_wrong() {
        let patterns = [
            "",
            "a",
            "abc",
            ".",
            "[^a]",
            "[a-cx]",
            "a|b|",
            "|a",
            "(a)|(b)",
            "(?:a|ab)(?:c|bcd)",
            "a*",
            "a*?",
            "a+",
            "a+?",
            "a?",
            "a??",
            "(a*)*",
            "(a*)+",
            "(a*?)*?",
            "(a|b)*",
            "(a|)*b",
            "(?:a?)*?b",
            "a{0}",
            "a{3}",
            "a{2,}",
            "a{2,}?",
            "a{1,3}",
            "a{1,3}?",
            "(a{1,2}){2}",
            "(?:(a)|b){2}",
            "(?:(a)|b)*",
            "(?P<x>a+)(?P<y>b*)",
            "(?:)*",
            "(?:){2,}",
            "^a",
            "a$",
            "^$",
            r"\ba",
            r"a\b",
            r"\B",
            "(?m)^b",
            "(?i)AB",
            "(?s).b",
            r"\d+\.\d*",
            r"(\w+)\s(\w+)",
            "[[:alpha:]]+",
            "a(?:b(?:c(?:d)?)?)?",
            "[^\\x00-\\xff]",
        ];
        let lines: [&[u8]; 12] = [
            b"",
            b"a",
            b"b",
            b"ab",
            b"aaa",
            b"abab",
            b"abcd",
            b"xx a\nb",
            b"12.5 AB",
            b"caab",
            b"\xff\x00a",
            b"aaaa bbbb",
        ];
        for pattern in patterns {
            for line in lines {
                check(pattern, line);
            }
        }
    }

    #[test]
    fn long_lines_are_searched_too() {
        let line = [b"x".repeat(1_000_000), b"ab-12 end".to_vec()].concat();
        check("(?P<a>[a-z]+)-(?P<n>[0-9]{1,40}) end", &line);
        check("(?P<a>[a-z]+)-(?P<n>[0-9]{1,40}) END", &line);
    }

    proptest! {
        #[test]
        fn agrees_with_the_regex_crate_on_random_expressions(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "b", ".", "(", ")", "(?:", "|", "*", "+", "?", "*?", "+?", "??", "{2}",
                    "{0,2}", "{1,}", "{2,}?", "[ab]", "[^a]", "^", "$", "\\b", "(?P<n>",
                ]),
                1..14,
            ),
            line in "[ab c]{0,12}",
        ) {
            check(&parts.concat(), line.as_bytes());
        }
    }
}
