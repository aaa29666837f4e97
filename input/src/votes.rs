//! How something that a log does not say is found from its first lines: each line has a vote.

/// The votes of a log's first lines.
///
/// All lines that are here already vote ahead. Where that are too few, as in a slow pipe, the
/// next ones vote as they come.
#[derive(Clone, Debug)]
pub(crate) struct Votes<T> {
    counts: Vec<(T, usize)>,
    lines: usize,
    lines_max: usize,
    /// Lines to come that have voted already.
    ahead: usize,
}

impl<T: Copy + PartialEq> Votes<T> {
    /// The votes of the lines that are here, each for what it is, of `lines_max` at the most.
    pub(crate) fn ahead(lines: impl Iterator<Item = Option<T>>, lines_max: usize) -> Votes<T> {
        let mut votes = Votes { counts: Vec::new(), lines: 0, lines_max, ahead: 0 };
        for vote in lines.take(lines_max) {
            votes.count(vote);
        }
        votes.ahead = votes.lines;
        votes
    }

    /// The vote of the next line, unless it has voted ahead.
    pub(crate) fn add(&mut self, vote: Option<T>) {
        match self.ahead.checked_sub(1) {
            Some(ahead) => self.ahead = ahead,
            None => self.count(vote),
        }
    }

    fn count(&mut self, vote: Option<T>) {
        self.lines += 1;
        let Some(vote) = vote else { return };
        match self.counts.iter_mut().find(|(known, _)| *known == vote) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((vote, 1)),
        }
    }

    /// Whether enough lines have voted.
    pub(crate) fn is_settled(&self) -> bool {
        self.lines >= self.lines_max
    }

    /// What most lines are so far, of equally many the first.
    pub(crate) fn leader(&self) -> Option<T> {
        let most = self.counts.iter().map(|(_, count)| *count).max()?;
        self.counts.iter().find(|(_, count)| *count == most).map(|(vote, _)| *vote)
    }

    /// The same for a line that is `own`, which decides between equally many.
    pub(crate) fn leader_for(&self, own: Option<T>) -> Option<T> {
        let votes_of = |vote: Option<T>| {
            let known = self.counts.iter().find(|(known, _)| Some(*known) == vote);
            known.map_or(0, |(_, count)| *count)
        };
        let leader = self.leader();
        own.filter(|_| votes_of(own) >= votes_of(leader)).or(leader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_leads_and_a_line_decides_between_equals() {
        let mut votes = Votes::ahead([Some('a'), None].into_iter(), 6);
        assert_eq!(votes.leader(), Some('a'));
        for (vote, leader, leader_for) in [
            (Some('a'), Some('a'), Some('a')), // These two
            (None, Some('a'), Some('a')),      // have voted ahead.
            (Some('b'), Some('a'), Some('b')),
            (None, Some('a'), Some('a')),
            (Some('b'), Some('b'), Some('b')),
        ] {
            assert!(!votes.is_settled());
            votes.add(vote);
            assert_eq!((votes.leader(), votes.leader_for(vote)), (leader, leader_for), "{votes:?}");
        }
        votes.add(Some('c'));
        assert!(votes.is_settled());
        assert_eq!(votes.leader_for(Some('c')), Some('b'));
    }

    #[test]
    fn nobody_leads_without_a_vote() {
        let votes: Votes<char> = Votes::ahead([None].into_iter(), 5);
        assert_eq!((votes.leader(), votes.leader_for(None)), (None, None));
    }
}
