//! What became of the lines of an import: every one is counted.

use std::collections::BTreeMap;

use statetrail_input::{LineFailure, Malformed};

/// Counts of lines. `lines = pieces + matched + unmatched + earlier + failed`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Lines of the file.
    pub lines: u64,
    /// Lines that are pieces of a longer one, but for its last piece, which stands for it.
    pub pieces: u64,
    /// Lines that a rule matched.
    pub matched: u64,
    /// Lines that no rule matched.
    pub unmatched: u64,
    /// Lines from before the time since which lines were asked for.
    pub earlier: u64,
    /// Events that a rule asked for and that could not be made.
    pub events_failed: u64,
    /// Lines that could not be used, by the reason.
    pub failed: BTreeMap<LineFailure, FailedLines>,
}

/// Lines that failed for the same reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedLines {
    /// How many.
    pub lines: u64,
    /// The number of the first one, from 1.
    pub first_line: u64,
}

impl LineCounts {
    /// Lines that failed, for whatever reason.
    pub fn failed_lines(&self) -> u64 {
        self.failed.values().map(|failed| failed.lines).sum()
    }

    /// Counts a line that a rule matched; `events_failed` of its events could not be made.
    pub fn matched(&mut self, events_failed: u32) {
        self.lines += 1;
        self.matched += 1;
        self.events_failed += u64::from(events_failed);
    }

    /// Counts a line that no rule matched.
    pub fn unmatched(&mut self) {
        self.lines += 1;
        self.unmatched += 1;
    }

    /// Counts a line from before the time since which lines were asked for.
    pub fn earlier(&mut self) {
        self.lines += 1;
        self.earlier += 1;
    }

    /// Counts a piece of a line whose last piece is still to come.
    pub fn piece(&mut self) {
        self.lines += 1;
        self.pieces += 1;
    }

    /// Counts a line that failed, with its number.
    pub fn fail(&mut self, failure: LineFailure, line: u64) {
        if failure == LineFailure::Malformed(Malformed::LastPieceMissing) {
            // Nothing is left but pieces, which are counted; one of them stands for the line.
            self.pieces -= 1;
        } else {
            self.lines += 1;
        }
        let failed =
            self.failed.entry(failure).or_insert(FailedLines { lines: 0, first_line: line });
        failed.lines += 1;
        // A line that was split is known to fail only at its last piece, or at the end.
        failed.first_line = failed.first_line.min(line);
    }

    /// Takes in the counts of another log.
    pub fn add(&mut self, other: &LineCounts) {
        self.lines += other.lines;
        self.pieces += other.pieces;
        self.matched += other.matched;
        self.unmatched += other.unmatched;
        self.earlier += other.earlier;
        self.events_failed += other.events_failed;
        for (failure, lines) in &other.failed {
            let first = FailedLines { lines: 0, ..*lines };
            self.failed.entry(*failure).or_insert(first).lines += lines.lines;
        }
    }
}
