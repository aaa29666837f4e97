//! The rules that may match a line.

/// The rules that may match a line, by number, with the place of the literal that speaks for
/// each. Nothing is cleared from line to line but what the last line left behind.
#[derive(Default)]
pub(crate) struct Candidates {
    /// A bit for each rule.
    words: Vec<u64>,
    /// A bit for each of `words` that is not 0, so that a thousand rules need not be gone
    /// through to find one.
    summary: Vec<u64>,
    /// By rule; counts where the rule's bit is set.
    literals: Vec<Literal>,
}

/// A literal in the line. Before it there is none of its kind.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// The step of the rule's pattern that it belongs to.
    pub(crate) step: u32,
    /// Where it begins; 0 if that is not known.
    pub(crate) place: u32,
}

impl Candidates {
    /// Makes room for so many rules, of which none is a candidate yet.
    pub(super) fn begin(&mut self, rules: usize) {
        for index in 0..self.summary.len() {
            while self.summary[index] != 0 {
                let word = index * 64 + take_lowest(&mut self.summary[index]);
                self.words[word] = 0;
            }
        }
        if self.literals.len() < rules {
            self.literals.resize(rules, Literal::default());
            self.words.resize(rules.div_ceil(64), 0);
            self.summary.resize(self.words.len().div_ceil(64), 0);
        }
    }

    /// Of a rule that is a candidate already, the literal found first counts.
    pub(super) fn insert(&mut self, rule: u32, literal: Literal) {
        let rule = rule as usize;
        let Some(place) = self.literals.get_mut(rule) else { return };
        let (word, bit) = (rule / 64, 1 << (rule % 64));
        if self.words[word] & bit == 0 {
            self.words[word] |= bit;
            self.summary[word / 64] |= 1 << (word % 64);
            *place = literal;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.summary.iter().all(|words| *words == 0)
    }

    /// Takes out the lowest rule.
    pub(crate) fn pop(&mut self) -> Option<(u32, Literal)> {
        let index = self.summary.iter().position(|words| *words != 0)?;
        let number = index * 64 + self.summary[index].trailing_zeros() as usize;
        let word = &mut self.words[number];
        let rule = number * 64 + take_lowest(word);
        if *word == 0 {
            take_lowest(&mut self.summary[index]);
        }
        Some((rule as u32, self.literals[rule]))
    }
}

/// Clears the lowest bit that is set and returns its number.
fn take_lowest(bits: &mut u64) -> usize {
    let lowest = bits.trailing_zeros();
    *bits &= bits.wrapping_sub(1);
    lowest as usize
}
