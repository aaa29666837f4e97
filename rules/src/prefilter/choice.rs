//! Which literal speaks for a rule, and which part of it the search looks at.

use std::collections::HashMap;

use super::{block_of, hash};
use crate::file::Rule;

/// The literal to look for on behalf of a rule.
pub(super) struct Chosen<'r> {
    pub(super) text: &'r [u8],
    /// Its number among the rule's literals.
    pub(super) number: usize,
    /// Where in that literal the text begins.
    pub(super) offset: usize,
}

/// How many rules each literal stands in.
pub(super) fn count_uses<'r>(rules: &[&'r Rule]) -> HashMap<&'r [u8], usize> {
    let mut uses = HashMap::new();
    for literal in rules.iter().flat_map(|rule| &rule.literals) {
        *uses.entry(before_redaction(literal).1).or_insert(0) += 1;
    }
    uses
}

/// The literal that fewest rules share, the longest among those. One to three bytes stand in
/// almost every line, however few rules ask for them.
pub(super) fn choose<'r>(rule: &'r Rule, uses: &HashMap<&[u8], usize>) -> Option<Chosen<'r>> {
    let literals = rule.literals.iter().enumerate().map(|(number, literal)| {
        let (offset, text) = before_redaction(literal);
        Chosen { text, number, offset }
    });
    let literals = literals.filter(|chosen| !chosen.text.is_empty());
    literals.min_by_key(|Chosen { text, .. }| {
        (text.len() < 4, uses.get(text).copied(), usize::MAX - text.len())
    })
}

/// The longest part of a literal that the line holds before it is redacted, too, and where it
/// begins: stars, and quotes beside them or at the ends, may be what redaction puts there.
fn before_redaction(literal: &[u8]) -> (usize, &[u8]) {
    let mut part_start = 0;
    let parts = literal.split(|byte| *byte == b'*').map(|part| {
        let start = part.iter().take_while(|byte| **byte == b'"').count();
        let end = part[start..].iter().rev().take_while(|byte| **byte == b'"').count();
        let offset = part_start + start;
        part_start += part.len() + 1;
        (offset, &part[start..part.len() - end])
    });
    parts.max_by_key(|(_, part)| part.len()).unwrap_or_default()
}

/// Places each literal's window where its last block is rarest among all of them, so that few
/// are compared at once. Blocks of the same hash of so many bits count as the same.
pub(super) fn choose_windows(
    texts: &[&[u8]],
    window: usize,
    block: usize,
    bits: u32,
) -> Vec<usize> {
    let hash_of = |bytes: &[u8]| hash(block_of(bytes, block), bits);
    let mut uses = vec![0u32; 1 << bits];
    for bytes in texts.iter().flat_map(|text| text.windows(block)) {
        uses[hash_of(bytes)] += 1;
    }
    let rarest = |text: &&[u8]| {
        // From the end, so that literals of one ending get windows of one ending.
        let places = (0..=text.len() - window).rev();
        let last_block = |start: usize| &text[start + window - block..start + window];
        places.min_by_key(|start| uses[hash_of(last_block(*start))]).unwrap_or(0)
    };
    texts.iter().map(rarest).collect()
}
