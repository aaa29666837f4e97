//! What the filters tell about themselves, as the entities `statetrail/filter/NODE`.

use statetrail_event::{State, Time, Value};
use statetrail_store::Kind;

/// The kind of entity that a filter reports as; its id is the node's name.
pub fn filter_kind() -> Kind {
    Kind { namespace: "statetrail".to_owned(), entity_type: "filter".to_owned() }
}

/// The field in which a filter tells what is wrong with its rule files.
pub const RULES_ERROR: &str = "rules_error";

/// The fields of a filter's state, without those that it set before it was started last: what it counted
/// then holds no more.
pub fn fields_since_start(state: &State) -> impl Iterator<Item = (&str, &Value)> {
    let started = match state.get("started") {
        Some(Value::Text(text)) => Time::parse_rfc3339(text).ok(),
        _ => None,
    };
    let fields = state.fields();
    let fields = fields.filter(move |(.., by)| started.is_none_or(|started| by.time >= started));
    fields.map(|(field, value, _)| (field, value))
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

#[cfg(test)]
mod tests {
    use statetrail_event::{Change, EventId, OrderKey};

    use super::*;

    #[test]
    fn what_an_earlier_life_told_does_not_count() {
        let mut state = State::new();
        let mut tell = |second: i64, changes: &[Change]| {
            let time = Time::from_seconds(second, 5).expect("it is a time");
            state.apply(OrderKey { time, seq: 0, id: EventId([0; 16]) }, changes);
            time
        };
        tell(1, &[Change::set("matched.old.yaml", 7), Change::set("lines", 9)]);
        let started = Time::from_seconds(2, 5).expect("it is a time").to_string();
        tell(2, &[Change::set("started", &*started), Change::set("lines", 0)]);
        tell(3, &[Change::set("matched.a.yaml", 1)]);
        let fields: Vec<&str> = fields_since_start(&state).map(|(field, _)| field).collect();
        assert_eq!(fields, ["lines", "matched.a.yaml", "started"]);
    }
}
