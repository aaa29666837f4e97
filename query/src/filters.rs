//! What the filters tell about themselves, as the entities `statetrail/filter/NODE`.

use statetrail_store::Kind;

/// The kind of entity that a filter reports as; its id is the node's name.
pub fn filter_kind() -> Kind {
    Kind { namespace: "statetrail".to_owned(), entity_type: "filter".to_owned() }
}

/// What a filter counts of a rule file or of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleCounter {
    /// Lines that were matched.
    Matched,
    /// Events that could not be made of them.
    Failed,
    /// Lines of them in which something was starred out.
    Redacted,
}

impl RuleCounter {
    /// What a field counts, and of what: of a file by its name, of a rule as `FILE/RULE`.
    pub fn of_field(field: &str) -> Option<(RuleCounter, &str)> {
        let counters = [
            ("matched.", RuleCounter::Matched),
            ("failed.", RuleCounter::Failed),
            ("redacted.", RuleCounter::Redacted),
        ];
        counters
            .into_iter()
            .find_map(|(start, counter)| Some((counter, field.strip_prefix(start)?)))
    }
}
