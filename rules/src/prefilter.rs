//! Which rules may match a line: one pass over the line, whatever the number of rules.
//!
//! Every rule has a literal that its lines must hold. A window of `m` bytes is cut from each,
//! and a window of `m` bytes is slid over the line. The last bytes of the line's window, the
//! block, tell how far the nearest window that could end there is away: most blocks stand in no
//! literal, and the window jumps almost its whole length (the idea of Wu and Manber, 1994).
//! Where the distance is 0, the literals with that window are compared in full.

mod candidates;
mod choice;
mod needles;

use crate::file::{Match, Rule};

pub(crate) use candidates::{Candidates, Literal};
use choice::{choose, choose_windows, count_uses};
use needles::{Asking, Needles, Wanted};

/// Longest window: with more, jumps grow little and the table fills.
const MAX_WINDOW: usize = 24;
/// Slots of the table per block that is put into it, so that most blocks of a line miss.
const SLOTS_PER_BLOCK: usize = 16;
const MIN_TABLE_BITS: u32 = 10;
/// 64 KiB of jumps still lie in a second-level cache.
const MAX_TABLE_BITS: u32 = 16;
/// Blocks that are looked up side by side.
const LOOKAHEAD: usize = 4;

/// Finds the rules that may match.
pub(crate) struct Prefilter {
    rules: usize,
    window: usize,
    block: usize,
    /// How far the window jumps over a block that stands in no literal.
    stride: usize,
    table_bits: u32,
    /// How far the window may jump, by the hash of its last block.
    jumps: Vec<u8>,
    needles: Needles,
    /// Rules of which nothing is known: they are tried on every line.
    always: Vec<u32>,
    /// Whether no literal holds anything for which [`Prefilter::rules_out`] allows an escape.
    never_escaped: bool,
    /// Rules on JSON and logfmt lines: an escape may stand for any character of a value, so a
    /// line with one may match without holding a literal.
    escaped: Vec<u32>,
}

impl Prefilter {
    /// Prepares for rules with the numbers 0 and up.
    pub(crate) fn new(rules: &[&Rule]) -> Prefilter {
        let (mut always, mut escaped) = (vec![], vec![]);
        let mut wanted = Wanted::default();
        let uses = count_uses(rules);
        for (number, rule) in (0..).zip(rules) {
            if let Match::Json(_) | Match::Logfmt(_) = rule.matches {
                escaped.push(number);
            }
            let Some(chosen) = choose(rule, &uses) else {
                always.push(number);
                continue;
            };
            let step = match &rule.matches {
                Match::Text(pattern) => pattern.step_of_literal(chosen.number).unwrap_or(0),
                Match::Json(_) | Match::Logfmt(_) | Match::Regex(_) => 0,
            };
            let (step, offset) = (step as u32, chosen.offset as u32);
            wanted.add(chosen.text, Asking { rule: number, step, offset });
        }
        let texts: Vec<&[u8]> = wanted.literals.iter().map(|(text, _)| *text).collect();
        let shortest = texts.iter().map(|text| text.len()).min().unwrap_or(1);
        let window = shortest.min(MAX_WINDOW);
        let block = match window {
            0 | 1 => 1,
            2 | 3 => 2,
            4..=7 => 3,
            _ => 4,
        };
        let stride = window - block + 1;
        let slots = (texts.len() * stride * SLOTS_PER_BLOCK).max(1);
        let table_bits = slots.next_power_of_two().ilog2().clamp(MIN_TABLE_BITS, MAX_TABLE_BITS);
        let window_starts = choose_windows(&texts, window, block, table_bits);
        let mut jumps = vec![stride as u8; 1 << table_bits];
        for (text, start) in texts.iter().zip(&window_starts) {
            let text = &text[*start..*start + window];
            for (start, bytes) in text.windows(block).enumerate() {
                let jump = &mut jumps[hash(block_of(bytes, block), table_bits)];
                *jump = (window - block - start).min(usize::from(*jump)) as u8;
            }
        }
        let needles = Needles::new(&wanted, window, &window_starts);
        let rules = rules.len();
        let never_escaped = texts.iter().all(|text| text.iter().all(is_never_escaped));
        Prefilter {
            rules,
            window,
            block,
            stride,
            table_bits,
            jumps,
            needles,
            always,
            never_escaped,
            escaped,
        }
    }

    /// Finds the rules that may match the line.
    pub(crate) fn find(&self, line: &[u8], candidates: &mut Candidates) {
        candidates.begin(self.rules);
        for rule in &self.always {
            candidates.insert(*rule, Literal::default());
        }
        if !self.escaped.is_empty() && holds_escaped_literal(line) {
            for rule in &self.escaped {
                candidates.insert(*rule, Literal::default());
            }
        }
        self.find_literals(line, candidates);
    }

    /// Whether it is certain that no rule matches a line of which only the inside of a JSON string is
    /// at hand, whose escapes stand for quotes and ends of lines: literals without those stand in it
    /// as they are. The line itself then holds no backslash, so no rule on fields is a candidate by its
    /// escapes.
    pub(crate) fn rules_out(&self, quoted: &[u8], candidates: &mut Candidates) -> bool {
        if !self.never_escaped || !self.always.is_empty() {
            return false;
        }
        candidates.begin(self.rules);
        self.find_literals(quoted, candidates);
        candidates.is_empty()
    }

    fn find_literals(&self, line: &[u8], candidates: &mut Candidates) {
        if self.needles.is_empty() {
            return;
        }
        match self.block {
            1 => self.scan::<1>(line, candidates),
            2 => self.scan::<2>(line, candidates),
            3 => self.scan::<3>(line, candidates),
            _ => self.scan::<4>(line, candidates),
        }
    }

    /// Slides the window over the line. `at` is where its last block begins.
    fn scan<const BLOCK: usize>(&self, line: &[u8], candidates: &mut Candidates) {
        let Some(last) = line.len().checked_sub(BLOCK) else { return };
        let mut at = self.window - BLOCK;
        // An interpreter does nothing side by side: there, every step counts for itself.
        if cfg!(target_family = "wasm") {
            self.go_through::<BLOCK>(line, at, candidates);
            return;
        }
        while at <= last {
            // Most blocks stand in no literal. Supposing that of the next few, too, lets their
            // look-ups run side by side, where each would have to wait for the jump before it.
            let ahead: [usize; LOOKAHEAD] =
                std::array::from_fn(|number| (at + number * self.stride).min(last));
            let jumps = ahead.map(|at| self.jump(block_of(&line[at..at + BLOCK], BLOCK)));
            at = match jumps.iter().position(|jump| *jump < self.stride) {
                Some(known) => self.look_closely::<BLOCK>(line, ahead[known], candidates),
                None => at + LOOKAHEAD * self.stride,
            };
        }
    }

    /// Goes one jump at a time from where a literal may be near, until it is passed. Returns
    /// where the window's last block then begins.
    fn look_closely<const BLOCK: usize>(
        &self,
        line: &[u8],
        mut at: usize,
        candidates: &mut Candidates,
    ) -> usize {
        while let Some(block) = line.get(at..at + BLOCK) {
            let jump = self.jump(block_of(block, BLOCK));
            if jump == 0 {
                let end = at + BLOCK;
                self.needles.compare(line, end - self.window..end, candidates);
            }
            at += jump.max(1);
            if jump == self.stride {
                break;
            }
        }
        at
    }

    /// Goes one jump at a time to the end of the line.
    fn go_through<const BLOCK: usize>(
        &self,
        line: &[u8],
        mut at: usize,
        candidates: &mut Candidates,
    ) {
        while let Some(block) = line.get(at..at + BLOCK) {
            let jump = self.jump(block_of(block, BLOCK));
            if jump == 0 {
                let end = at + BLOCK;
                self.needles.compare(line, end - self.window..end, candidates);
            }
            at += jump.max(1);
        }
    }

    /// How far the window may jump that ends with such a block.
    fn jump(&self, block: u32) -> usize {
        usize::from(self.jumps[hash(block, self.table_bits)])
    }
}

/// Whether a byte has none of the escapes that [`Prefilter::rules_out`] allows.
fn is_never_escaped(byte: &u8) -> bool {
    !matches!(byte, b'"' | b'\\' | ..b' ')
}

/// The first bytes of a block as a number.
fn block_of(bytes: &[u8], block: usize) -> u32 {
    let byte = |index: usize| u32::from(bytes[index]);
    match block {
        1 => byte(0),
        2 => byte(0) | byte(1) << 8,
        3 => byte(0) | byte(1) << 8 | byte(2) << 16,
        _ => byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24,
    }
}

/// Multiplicative hashing: the high bits of the product depend on every bit of the block.
fn hash(block: u32, bits: u32) -> usize {
    (block.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
}

/// Whether an escape may stand for a character of a literal: one of ASCII as a number, or one
/// that needs no escape. The other escapes stand for characters that no literal holds.
fn holds_escaped_literal(line: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', line).any(|at| match line.get(at + 1) {
        Some(b'u') => line[at..].starts_with(b"\\u00"),
        Some(byte) => !b"\"\\/bfnrt".contains(byte),
        None => false,
    })
}
