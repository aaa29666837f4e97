//! Which rules may match a line: one pass over the line, whatever the number of rules.
//!
//! Every rule has a literal that its lines must hold. A window of `m` bytes is cut from each,
//! and a window of `m` bytes is slid over the line. The last bytes of the line's window, the
//! block, tell how far the nearest window that could end there is away: most blocks stand in no
//! literal, and the window jumps almost its whole length (the idea of Wu and Manber, 1994).
//! Where the distance is 0, the literals with that last block are compared in full.

use std::collections::HashMap;
use std::ops::Range;

use xxhash_rust::xxh64::xxh64;

use crate::file::{Match, Rule};

/// Longest window: with more, jumps grow little and the table fills.
const MAX_WINDOW: usize = 24;
/// Slots of the table per block that is put into it, so that most blocks of a line miss.
const SLOTS_PER_BLOCK: usize = 16;
const MIN_TABLE_BITS: u32 = 10;
/// 64 KiB of jumps still lie in a second-level cache.
const MAX_TABLE_BITS: u32 = 16;

/// Finds the rules that may match.
pub(crate) struct Prefilter {
    window: usize,
    block: usize,
    table_bits: u32,
    /// How far the window may jump, by the hash of its last block.
    jumps: Vec<u8>,
    /// By the same hash: the number of the bucket of needles whose windows end with such a block.
    bucket_numbers: Vec<u16>,
    /// Ranges of `needles`.
    buckets: Vec<Range<usize>>,
    /// Ordered by bucket, and within it by the hash of the window: many needles can have the
    /// same last block, as when all rules end in the same words.
    needles: Vec<Needle>,
    /// Rules of which nothing is known: they are tried on every line.
    always: Vec<u64>,
    /// Rules on JSON and logfmt lines: an escape may stand for any character of a value, so a
    /// line with one may match without holding a literal.
    escaped: Vec<u64>,
}

/// A literal with the rules that ask for it.
struct Needle {
    text: Box<[u8]>,
    /// Where in the text its window begins.
    window_start: usize,
    /// Of the window's last block.
    block_hash: u32,
    /// Of the whole window.
    window_hash: u64,
    rules: Vec<u32>,
}

/// The rules that may match a line, by number.
#[derive(Default)]
pub(crate) struct Candidates {
    words: Vec<u64>,
}

impl Candidates {
    fn begin(&mut self, always: &[u64]) {
        self.words.clear();
        self.words.extend_from_slice(always);
    }

    fn insert(&mut self, rule: u32) {
        if let Some(word) = self.words.get_mut(rule as usize / 64) {
            *word |= 1 << (rule % 64);
        }
    }

    fn insert_all(&mut self, rules: &[u64]) {
        for (word, more) in self.words.iter_mut().zip(rules) {
            *word |= more;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Takes out the lowest rule.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        for (index, word) in self.words.iter_mut().enumerate() {
            if *word != 0 {
                let bit = word.trailing_zeros();
                *word &= *word - 1;
                return Some(index as u32 * 64 + bit);
            }
        }
        None
    }
}

impl Prefilter {
    /// Prepares for rules with the numbers 0 and up.
    pub(crate) fn new(rules: &[&Rule]) -> Prefilter {
        let words = rules.len().div_ceil(64);
        let (mut always, mut escaped) = (vec![0; words], vec![0; words]);
        let mut needles: Vec<Needle> = Vec::new();
        let mut known: HashMap<&[u8], usize> = HashMap::new();
        let uses = count_uses(rules);
        for (number, rule) in rules.iter().enumerate() {
            let bit = 1 << (number % 64);
            if let Match::Json(_) | Match::Logfmt(_) = rule.matches {
                escaped[number / 64] |= bit;
            }
            let Some(text) = choose(rule, &uses) else {
                always[number / 64] |= bit;
                continue;
            };
            let index = *known.entry(text).or_insert_with(|| {
                needles.push(Needle {
                    text: text.into(),
                    window_start: 0,
                    block_hash: 0,
                    window_hash: 0,
                    rules: vec![],
                });
                needles.len() - 1
            });
            needles[index].rules.push(number as u32);
        }
        Prefilter::of_needles(needles, always, escaped)
    }

    fn of_needles(mut needles: Vec<Needle>, always: Vec<u64>, escaped: Vec<u64>) -> Prefilter {
        let shortest = needles.iter().map(|needle| needle.text.len()).min().unwrap_or(1);
        let window = shortest.min(MAX_WINDOW);
        let block = match window {
            0 | 1 => 1,
            2 | 3 => 2,
            4..=7 => 3,
            _ => 4,
        };
        let longest_jump = window - block + 1;
        let slots = (needles.len() * longest_jump * SLOTS_PER_BLOCK).max(1);
        let table_bits = slots.next_power_of_two().ilog2().clamp(MIN_TABLE_BITS, MAX_TABLE_BITS);
        choose_windows(&mut needles, window, block);
        let mut jumps = vec![longest_jump as u8; 1 << table_bits];
        for needle in &mut needles {
            let text = &needle.text[needle.window_start..needle.window_start + window];
            for (start, bytes) in text.windows(block).enumerate() {
                let hash = hash(block_of(bytes, block), table_bits);
                let jump = &mut jumps[hash as usize];
                *jump = (window - block - start).min(usize::from(*jump)) as u8;
                needle.block_hash = hash;
            }
            needle.window_hash = xxh64(text, 0);
        }
        needles.sort_by_key(|needle| (needle.block_hash, needle.window_hash));
        let mut bucket_numbers = vec![0; 1 << table_bits];
        let mut buckets: Vec<Range<usize>> = Vec::new();
        for (index, needle) in needles.iter().enumerate() {
            match buckets.last_mut() {
                Some(last) if needles[last.start].block_hash == needle.block_hash => {
                    last.end = index + 1;
                }
                // There are at most as many buckets as hashes of 16 bits.
                _ => {
                    bucket_numbers[needle.block_hash as usize] = buckets.len() as u16;
                    buckets.push(index..index + 1);
                }
            }
        }
        Prefilter {
            window,
            block,
            table_bits,
            jumps,
            bucket_numbers,
            buckets,
            needles,
            always,
            escaped,
        }
    }

    /// Finds the rules that may match the line.
    pub(crate) fn find(&self, line: &[u8], candidates: &mut Candidates) {
        candidates.begin(&self.always);
        if self.escaped.iter().any(|rules| *rules != 0) && holds_escaped_literal(line) {
            candidates.insert_all(&self.escaped);
        }
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

    fn scan<const BLOCK: usize>(&self, line: &[u8], candidates: &mut Candidates) {
        let mut at = self.window - BLOCK;
        while let Some(bytes) = line.get(at..at + BLOCK) {
            let hash = hash(block_of(bytes, BLOCK), self.table_bits);
            let jump = self.jumps[hash as usize];
            if jump > 0 {
                at += usize::from(jump);
                continue;
            }
            self.compare(line, at + BLOCK - self.window, hash, candidates);
            at += 1;
        }
    }

    /// Compares the literals whose window may begin at `window_start` of the line.
    fn compare(&self, line: &[u8], window_start: usize, hash: u32, candidates: &mut Candidates) {
        let bucket = usize::from(self.bucket_numbers[hash as usize]);
        let Some(needles) =
            self.buckets.get(bucket).and_then(|range| self.needles.get(range.clone()))
        else {
            return;
        };
        let window_hash = xxh64(&line[window_start..window_start + self.window], 0);
        let first = needles.partition_point(|needle| needle.window_hash < window_hash);
        for needle in needles[first..].iter().take_while(|n| n.window_hash == window_hash) {
            let Some(start) = window_start.checked_sub(needle.window_start) else { continue };
            if line[start..].starts_with(&needle.text) {
                for rule in &needle.rules {
                    candidates.insert(*rule);
                }
            }
        }
    }
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
fn hash(block: u32, bits: u32) -> u32 {
    block.wrapping_mul(0x9e37_79b1) >> (32 - bits)
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

/// How many rules each literal stands in.
fn count_uses<'r>(rules: &[&'r Rule]) -> HashMap<&'r [u8], usize> {
    let mut uses = HashMap::new();
    for literal in rules.iter().flat_map(|rule| &rule.literals) {
        *uses.entry(before_redaction(literal)).or_insert(0) += 1;
    }
    uses
}

/// The literal to look for on behalf of a rule: the one that fewest rules share, the longest
/// among those. One to three bytes stand in almost every line, however few rules ask for them.
fn choose<'r>(rule: &'r Rule, uses: &HashMap<&[u8], usize>) -> Option<&'r [u8]> {
    let literals = rule.literals.iter().map(|literal| before_redaction(literal));
    let literals = literals.filter(|text| !text.is_empty());
    literals.min_by_key(|text| (text.len() < 4, uses.get(text).copied(), usize::MAX - text.len()))
}

/// The longest part of a literal that the line holds before it is redacted, too: stars, and
/// quotes beside them or at the ends, may be what redaction puts there.
fn before_redaction(literal: &[u8]) -> &[u8] {
    let parts = literal.split(|byte| *byte == b'*').map(|part| {
        let start = part.iter().take_while(|byte| **byte == b'"').count();
        let end = part[start..].iter().rev().take_while(|byte| **byte == b'"').count();
        &part[start..part.len() - end]
    });
    parts.max_by_key(|part| part.len()).unwrap_or_default()
}

/// Places each needle's window where its last block is rarest among all needles, so that few
/// needles are compared at once.
fn choose_windows(needles: &mut [Needle], window: usize, block: usize) {
    let mut uses: HashMap<u32, u32> = HashMap::new();
    for needle in needles.iter() {
        for bytes in needle.text.windows(block) {
            *uses.entry(block_of(bytes, block)).or_insert(0) += 1;
        }
    }
    for needle in needles {
        let rarest = (0..=needle.text.len() - window).min_by_key(|start| {
            let end = start + window;
            uses.get(&block_of(&needle.text[end - block..end], block)).copied()
        });
        needle.window_start = rarest.unwrap_or(0);
    }
}
