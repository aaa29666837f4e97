//! Templates of lines by the method of Drain (He, Zhu, Zheng and Lyu, 2017): lines of as many words that
//! begin alike are compared word by word, and where they differ their template has a gap.
//!
//! Our own, because it has to run in a browser: what there is reads a clock, and brings tables of all of
//! Unicode along.

use std::collections::HashMap;

/// Share of the words that lines of one template have in common.
const ALIKE: f64 = 0.75;
/// Words at the beginning that never differ within a template.
const PREFIX: usize = 2;
/// Templates that begin alike and are told apart; of more, those that have not come for long are
/// forgotten, or free text would cost more with every line.
const ALIKE_MAX: usize = 200;

/// Templates as far as lines have been seen.
#[derive(Default)]
pub(crate) struct Drain {
    leaves: HashMap<(usize, Vec<String>), Vec<Cluster>>,
    clusters: usize,
    lines: u64,
}

struct Cluster {
    number: usize,
    /// `None` where its lines differ.
    words: Vec<Option<String>>,
    /// The line that came last.
    used: u64,
}

impl Cluster {
    fn likeness(&self, words: &[&str]) -> f64 {
        let pairs = self.words.iter().zip(words);
        let alike = pairs.filter(|(own, word)| own.as_ref().is_none_or(|own| own == *word)).count();
        alike as f64 / words.len() as f64
    }

    fn take(&mut self, words: &[&str]) {
        for (own, word) in self.words.iter_mut().zip(words) {
            if own.as_ref().is_some_and(|own| own != word) {
                *own = None;
            }
        }
    }
}

impl Drain {
    /// The number of the template of a line, which counts from 0; `None` for a line without a word.
    pub(crate) fn add(&mut self, line: &str) -> Option<usize> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let prefix = words.first().map(|_| words.iter().take(PREFIX))?;
        let key = (words.len(), prefix.map(|word| (*word).to_owned()).collect());
        let leaf = self.leaves.entry(key).or_default();
        self.lines += 1;
        let likeness = leaf.iter().map(|cluster| cluster.likeness(&words));
        // Of templates that are as near, the first one.
        let best = likeness.enumerate().rev().max_by(|one, other| one.1.total_cmp(&other.1));
        if let Some((place, likeness)) = best
            && likeness >= ALIKE
        {
            let cluster = &mut leaf[place];
            cluster.take(&words);
            cluster.used = self.lines;
            return Some(cluster.number);
        }
        if leaf.len() == ALIKE_MAX
            && let Some(oldest) = (0..leaf.len()).min_by_key(|place| leaf[*place].used)
        {
            leaf.swap_remove(oldest);
        }
        let words = words.iter().map(|word| Some((*word).to_owned())).collect();
        let number = self.clusters;
        leaf.push(Cluster { number, words, used: self.lines });
        self.clusters += 1;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(lines: &[&str]) -> Vec<Option<usize>> {
        let mut drain = Drain::default();
        lines.iter().map(|line| drain.add(line)).collect()
    }

    #[test]
    fn lines_that_share_most_words_are_one() {
        let lines = [
            "job a ends with code 1 at noon",
            "job a ends with code 2 at night",
            "job a ends  with code 3 at night",
            "job b ends with code 1 at noon",
            "job a ends with code 1",
            "",
            "job a is gone with them on foot",
        ];
        let expected = [Some(0), Some(0), Some(0), Some(1), Some(2), None, Some(3)];
        assert_eq!(numbers(&lines), expected);
    }

    #[test]
    fn free_text_is_forgotten_and_what_comes_back_is_kept() {
        let mut drain = Drain::default();
        let kept = drain.add("in time we meet again");
        for number in 0..ALIKE_MAX * 3 {
            let line = format!("in time {number} {number}x {number}y");
            assert_ne!(drain.add(&line), kept);
            assert_eq!(drain.add("in time we meet again"), kept);
        }
        let leaf = drain.leaves.values().next().map(Vec::len);
        assert_eq!((drain.leaves.len(), leaf), (1, Some(ALIKE_MAX)));
    }
}
