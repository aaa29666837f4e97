//! What another set of rules makes of the same lines.

use statetrail_event::{Change, Event};

use crate::trial::Trial;

/// An event that one of two sets of rules makes of a line, or both make differently.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// Only the new rules make it.
    Appears(Event),
    /// Only the old rules make it.
    Vanishes(Event),
    /// Both make it, with other changes.
    Changes {
        /// By the old rules.
        from: Event,
        /// By the new rules.
        to: Event,
    },
}

/// How events of a line are different with other rules. Names of rules do not matter, as files may be
/// renamed; nor does the order of an entity's fields.
pub fn compare(old: &mut Trial, new: &mut Trial, line: &[u8]) -> Vec<Difference> {
    let (before, _) = old.events(line);
    let (mut after, _) = new.events(line);
    let mut differences = Vec::new();
    for event in before {
        let is_same = |other: &Event| (&other.entity, &other.name) == (&event.entity, &event.name);
        match after.iter().position(is_same) {
            Some(at) => {
                let other = after.remove(at);
                if changes_of(&event) != changes_of(&other) {
                    differences.push(Difference::Changes { from: event, to: other });
                }
            }
            None => differences.push(Difference::Vanishes(event)),
        }
    }
    differences.extend(after.into_iter().map(Difference::Appears));
    differences
}

fn changes_of(event: &Event) -> Vec<&Change> {
    let mut changes: Vec<&Change> = event.changes.iter().collect();
    changes.sort_by(|one, other| one.field.cmp(&other.field));
    changes
}

#[cfg(test)]
mod tests {
    use statetrail_rules::{RuleSet, RuleText};

    use super::*;

    fn trial(emit: &str) -> Trial {
        let text = format!(
            "namespaces: [shop]\nrules:\n  - name: r\n    match: 'order <id> is <what>'\n    emit: {emit}\n"
        );
        let (rules, faults) = RuleSet::parse(&[RuleText { name: "shop.yaml".to_owned(), text }]);
        assert!(faults.is_empty(), "{faults:?}");
        Trial::new(rules, Some("shop"))
    }

    #[test]
    fn differences_are_told_by_entity_and_event() {
        let one = "[{entity: order/<id>, event: a, set: {x: 1, y: <what>}}, {entity: order/<id>, event: b}]";
        let other = "[{entity: order/<id>, event: c}, {entity: order/<id>, event: a, set: {y: <what>, x: 2}}]";
        let line = b"order o-1 is new";
        let found = compare(&mut trial(one), &mut trial(other), line);
        let shown: Vec<String> = found
            .iter()
            .map(|difference| match difference {
                Difference::Appears(event) => format!("+{}", event.name),
                Difference::Vanishes(event) => format!("-{}", event.name),
                Difference::Changes { from, to } => format!("{}~{}", from.name, to.name),
            })
            .collect();
        assert_eq!(shown, ["a~a", "-b", "+c"]);
        assert_eq!(compare(&mut trial(one), &mut trial(one), line), []);
    }
}
