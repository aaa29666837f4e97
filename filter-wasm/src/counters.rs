//! What became of the records.

/// What became of the records since the filter was started. Every record counts as exactly one
/// of `matched`, `unmatched`, `out_of_scope`, `failed`, `oversized`, `without_line`, `unreadable` and
/// `passed_by`, or it trapped: none vanishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records.
    pub records: u64,
    /// Records whose line gave at least one event.
    pub matched: u64,
    /// Records whose line matched no rule.
    pub unmatched: u64,
    /// Records from a container for which there is no rule.
    pub out_of_scope: u64,
    /// Records whose line matched a rule and gave no event, because a captured value does not
    /// fit, or whose events could not be put into a reply.
    pub failed: u64,
    /// Records whose line is longer than [`MAX_LINE_BYTES`](crate::MAX_LINE_BYTES).
    pub oversized: u64,
    /// Records without a line.
    pub without_line: u64,
    /// Records that are neither a JSON object nor a MessagePack map, or cut short.
    pub unreadable: u64,
    /// Records that were not looked at, after too many traps.
    pub passed_by: u64,
    /// Events sent.
    pub events: u64,
    /// Events that could not be made, or not be put into a reply, although their line matched.
    pub failed_events: u64,
    /// Calls that trapped. They are counted by the call after them.
    pub traps: u64,
}
