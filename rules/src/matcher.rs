//! A pattern over a text, in time linear in the text's length.
//!
//! An open capture ends at an occurrence of the literal after it: at the first one for which
//! the rest of the pattern matches too. When the rest fails, the next occurrence is tried. That
//! stays linear, because a step that has failed from one place, having tried every occurrence
//! in its run, fails from every later place in the same run: `Scratch::dead` remembers the
//! place and the run's end, so a step does not go over a text again, whatever is tried. (Only
//! a quotation within a quotation leads to an earlier place than was tried before.)

use std::ops::Range;

use crate::capture::CaptureType;
use crate::pattern::{Pattern, Step};

/// Where a capture stands in the text; `end` is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// An open capture for which another end can still be tried.
struct Choice {
    step: usize,
    start: usize,
    /// Where to look for the next occurrence of the literal.
    search_from: usize,
}

/// Memory of the matcher that is kept from match to match.
#[derive(Default)]
pub(crate) struct Scratch {
    choices: Vec<Choice>,
    /// For each step, places from which it is known to fail.
    dead: Vec<Range<usize>>,
}

/// Finds `needle` in `text` at or after `from`. Captures are short, so looking for the first
/// byte beats preparing anything.
pub(crate) fn find(text: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let first = *needle.first()?;
    let mut start = from;
    loop {
        let found = start + memchr::memchr(first, text.get(start..)?)?;
        if text[found..].starts_with(needle) {
            return Some(found);
        }
        start = found + 1;
    }
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Where the word begins that ends at `end`.
fn start_of_word(text: &[u8], end: usize) -> usize {
    let before = text.get(..end).unwrap_or_default();
    before.iter().rposition(|byte| is_space(*byte)).map_or(0, |space| space + 1)
}

impl Pattern {
    /// Finds the first match at or after `from` and puts what each named capture took into its
    /// slot of `spans`. Returns where the match begins and ends.
    pub(crate) fn find(
        &self,
        text: &[u8],
        from: usize,
        spans: &mut [Option<Span>],
        scratch: &mut Scratch,
    ) -> Option<(usize, usize)> {
        scratch.dead.clear();
        scratch.dead.resize(self.steps.len(), 0..0);
        if self.at_start {
            let end = self.match_at(text, 0, spans, scratch)?;
            return Some((0, end));
        }
        let mut start = from;
        loop {
            start = self.next_start(text, start, from)?;
            if let Some(end) = self.match_at(text, start, spans, scratch) {
                return Some((start, end));
            }
            start += 1;
        }
    }

    /// A place before which no match begins, if the literal of a step stands nowhere before
    /// `place`: the steps up to there are passed backwards, each as far as it can reach.
    pub(crate) fn earliest_start(&self, text: &[u8], step: usize, place: usize) -> usize {
        let Some(before) = self.steps.get(..=step) else { return 0 };
        let mut at =
            place + before.last().and_then(|step| self.literal(step)).map_or(0, <[u8]>::len);
        for step in before.iter().rev() {
            at = match step {
                Step::Literal(literal) => at.saturating_sub(self.text(*literal).len()),
                Step::Until { kind: CaptureType::Word, literal, .. } => {
                    start_of_word(text, at.saturating_sub(self.text(*literal).len()))
                }
                Step::Until { .. } | Step::Closed { .. } | Step::Last { .. } => return 0,
            };
        }
        at
    }

    /// The first place at or after `at` where a match may begin.
    fn next_start(&self, text: &[u8], at: usize, from: usize) -> Option<usize> {
        let is_start_of_word = |place: usize| place == 0 || is_space(text[place - 1]);
        let is_start_of_token =
            |place: usize| place == 0 || !text[place - 1].is_ascii_alphanumeric();
        match self.steps.first()? {
            Step::Literal(literal) => find(text, self.text(*literal), at),
            Step::Closed { .. } => (at..text.len()).find(|place| is_start_of_token(*place)),
            Step::Until { kind: CaptureType::Word, .. }
            | Step::Last { kind: CaptureType::Word, .. } => {
                (at..text.len()).find(|place| is_start_of_word(*place) && !is_space(text[*place]))
            }
            // A capture of anything takes everything from the start.
            Step::Until { .. } | Step::Last { .. } => (at == from).then_some(from),
        }
    }

    /// Matches from exactly `start` and returns the end of the match.
    fn match_at(
        &self,
        text: &[u8],
        start: usize,
        spans: &mut [Option<Span>],
        scratch: &mut Scratch,
    ) -> Option<usize> {
        scratch.choices.clear();
        let mut step = 0;
        let mut at = start;
        loop {
            let next = match self.steps.get(step) {
                None if self.at_end && at != text.len() => None,
                None => return Some(at),
                Some(Step::Literal(literal)) => {
                    let literal = self.text(*literal);
                    text[at..].starts_with(literal).then(|| at + literal.len())
                }
                Some(Step::Closed { kind, slot }) => {
                    self.closed(text, at, step, *kind).inspect(|end| put(spans, *slot, at, *end))
                }
                Some(Step::Until { .. } | Step::Last { .. })
                    if scratch.dead[step].contains(&at) =>
                {
                    None
                }
                Some(Step::Last { kind, slot }) => match self.last(text, at, *kind) {
                    Some(end) if self.at_end && end != text.len() => {
                        scratch.dead[step] = at..end;
                        None
                    }
                    last => last.inspect(|end| put(spans, *slot, at, *end)),
                },
                Some(Step::Until { kind, .. }) => {
                    let least = usize::from(*kind == CaptureType::Word);
                    scratch.choices.push(Choice { step, start: at, search_from: at + least });
                    None
                }
            };
            (step, at) = match next {
                Some(next) => (step + 1, next),
                None => self.next_choice(text, spans, scratch)?,
            };
        }
    }

    /// Ends the latest open capture at the next occurrence of its literal; gives up captures
    /// that have none left. Returns the step and place to go on from.
    fn next_choice(
        &self,
        text: &[u8],
        spans: &mut [Option<Span>],
        scratch: &mut Scratch,
    ) -> Option<(usize, usize)> {
        while let Some(choice) = scratch.choices.last_mut() {
            let Some(Step::Until { kind, slot, literal }) = self.steps.get(choice.step) else {
                return None;
            };
            let literal = self.text(*literal);
            match occurrence(text, choice.start, choice.search_from, *kind, literal) {
                Ok(found) => {
                    choice.search_from = found + 1;
                    put(spans, *slot, choice.start, found);
                    return Some((choice.step + 1, found + literal.len()));
                }
                Err(run_end) => {
                    scratch.dead[choice.step] = choice.start..run_end;
                    scratch.choices.pop();
                }
            }
        }
        None
    }

    fn closed(&self, text: &[u8], at: usize, step: usize, kind: CaptureType) -> Option<usize> {
        let end = kind.end(text, at)?;
        let ends_pattern = step + 1 == self.steps.len();
        (!ends_pattern || is_end_of_token(text, end)).then_some(end)
    }

    fn last(&self, text: &[u8], at: usize, kind: CaptureType) -> Option<usize> {
        if kind != CaptureType::Word {
            return Some(text.len());
        }
        let length = text[at..].iter().take_while(|byte| !is_space(**byte)).count();
        (length > 0).then_some(at + length)
    }
}

/// Whether a value may end here: `12` does not end inside `12.5` or `12abc`.
fn is_end_of_token(text: &[u8], end: usize) -> bool {
    match text.get(end) {
        None => true,
        Some(b'.') => !text.get(end + 1).is_some_and(u8::is_ascii_digit),
        Some(byte) => !byte.is_ascii_alphanumeric(),
    }
}

fn put(spans: &mut [Option<Span>], slot: Option<u8>, start: usize, end: usize) {
    if let Some(span) = slot.and_then(|slot| spans.get_mut(usize::from(slot))) {
        *span = Some(Span { start: start as u32, end: end as u32 });
    }
}

/// The next occurrence of the literal at which a capture that began at `start` may end, or
/// where the run of bytes that it may take ends.
fn occurrence(
    text: &[u8],
    start: usize,
    search_from: usize,
    kind: CaptureType,
    literal: &[u8],
) -> Result<usize, usize> {
    if kind == CaptureType::Any {
        return find(text, literal, search_from).ok_or(text.len());
    }
    let Some(first) = literal.first() else { return Err(text.len()) };
    // Everything before the place has been looked at by earlier calls, but for its neighbour:
    // the first byte of the word, or of the occurrence that did not do.
    if search_from > start && text.get(search_from - 1).is_none_or(|byte| is_space(*byte)) {
        return Err(search_from - 1);
    }
    let mut at = search_from;
    while let Some(byte) = text.get(at) {
        // The white space that ends the word may itself begin the literal.
        if byte == first && text[at..].starts_with(literal) {
            return Ok(at);
        }
        if is_space(*byte) {
            return Err(at);
        }
        at += 1;
    }
    Err(text.len())
}

#[cfg(test)]
mod tests;
