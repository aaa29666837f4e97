//! The literals that are looked for, to be compared in full where one may stand.

use std::collections::HashMap;
use std::ops::Range;

use super::candidates::{Candidates, Literal};

/// A rule that asks for a literal.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    pub(super) rule: u32,
    /// The step of its pattern that holds the literal.
    pub(super) step: u32,
    /// Where in the step's text the literal begins.
    pub(super) offset: u32,
}

/// Literals by the hash of a window of each.
pub(super) struct Needles {
    needles: Vec<Needle>,
    /// By the upper bits of the hash: the number of the first needle with these bits.
    heads: Vec<u32>,
    /// How many of the hash's bits are upper ones.
    bits: u32,
    /// All texts, and all rules, one needle's after the other's: with a thousand rules, the
    /// fewer places of memory are touched, the better.
    texts: Vec<u8>,
    asking: Vec<Asking>,
}

/// Follows the last needle with the same upper bits.
const NONE: u32 = u32::MAX;

struct Needle {
    window_hash: u64,
    /// Where in the text the window begins.
    window_start: u32,
    text: Range<u32>,
    asking: Range<u32>,
    /// The number of another needle with the same upper bits.
    next: u32,
}

/// Rules by the literal that they ask for, while rules are added.
#[derive(Default)]
pub(super) struct Wanted<'r> {
    pub(super) literals: Vec<(&'r [u8], Vec<Asking>)>,
    numbers: HashMap<&'r [u8], usize>,
}

impl<'r> Wanted<'r> {
    pub(super) fn add(&mut self, text: &'r [u8], asking: Asking) {
        let number = *self.numbers.entry(text).or_insert(self.literals.len());
        match self.literals.get_mut(number) {
            Some((_, others)) => others.push(asking),
            None => self.literals.push((text, vec![asking])),
        }
    }
}

impl Needles {
    /// Keeps the literals, each with a window of so many bytes at the place that `window_starts`
    /// gives. Nothing is sorted: the recursion of a sort takes more of Fluent Bit's stack.
    pub(super) fn new(wanted: &Wanted<'_>, window: usize, window_starts: &[usize]) -> Needles {
        // Twice as many numbers as needles.
        let bits = wanted.literals.len().next_power_of_two().ilog2() + 1;
        let mut kept = Needles {
            needles: Vec::with_capacity(wanted.literals.len()),
            heads: vec![NONE; 1 << bits],
            bits,
            texts: vec![],
            asking: vec![],
        };
        for ((text, asking), start) in wanted.literals.iter().zip(window_starts) {
            let (text_start, asking_start) = (kept.texts.len() as u32, kept.asking.len() as u32);
            kept.texts.extend_from_slice(text);
            kept.asking.extend_from_slice(asking);
            let window_hash = hash(&text[*start..*start + window]);
            let number = kept.needles.len() as u32;
            let head = &mut kept.heads[(window_hash >> (64 - bits)) as usize];
            kept.needles.push(Needle {
                window_hash,
                window_start: *start as u32,
                text: text_start..kept.texts.len() as u32,
                asking: asking_start..kept.asking.len() as u32,
                next: std::mem::replace(head, number),
            });
        }
        kept
    }

    pub(super) fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// Compares the literals whose window may be that of the line, and makes candidates of the
    /// rules that ask for those that stand there.
    pub(super) fn compare(&self, line: &[u8], window: Range<usize>, candidates: &mut Candidates) {
        let window_hash = hash(&line[window.clone()]);
        let mut number = self.heads[(window_hash >> (64 - self.bits)) as usize];
        while let Some(needle) = self.needles.get(number as usize) {
            number = needle.next;
            if needle.window_hash != window_hash {
                continue;
            }
            let Some(start) = window.start.checked_sub(needle.window_start as usize) else {
                continue;
            };
            if line[start..].starts_with(slice(&self.texts, &needle.text)) {
                for asking in slice(&self.asking, &needle.asking) {
                    let place = (start as u32).saturating_sub(asking.offset);
                    candidates.insert(asking.rule, Literal { step: asking.step, place });
                }
            }
        }
    }
}

fn slice<'a, T>(all: &'a [T], range: &Range<u32>) -> &'a [T] {
    &all[range.start as usize..range.end as usize]
}

/// A hash of every byte whose upper bits are the best ones.
fn hash(bytes: &[u8]) -> u64 {
    let word = |word: &[u8; 8]| u64::from_le_bytes(*word);
    // Bytes that stand in two words do no harm, and a window is seldom a multiple of 8.
    let Some(last) = bytes.last_chunk() else {
        return bytes.iter().fold(0, |hash, byte| mixed(hash, u64::from(*byte)));
    };
    bytes.as_chunks().0.iter().map(word).fold(mixed(0, word(last)), mixed)
}

fn mixed(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(25) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
