//! `samples`: lines and the events that they must give.

use statetrail_event::{Change, Value};

use crate::diagnostic::{Place, Report};
use crate::file::emit::{Constant, constant};
use crate::file::read::{Keys, items_of, text_of};
use crate::yaml::{Kind, Node};

/// A line of the kind that a rule is for.
pub(crate) struct Sample {
    pub(crate) place: Place,
    pub(crate) line: Box<str>,
    pub(crate) events: Vec<ExpectedEvent>,
}

/// What an event must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectedEvent {
    /// Type and id.
    pub(crate) entity: String,
    pub(crate) event: String,
    /// Ordered by the fields' names.
    pub(crate) changes: Vec<Change>,
}

pub(crate) fn read_all(node: &Node, report: &mut Report<'_>) -> Vec<Sample> {
    let items = items_of(node, "samples", report);
    items.iter().filter_map(|item| read(item, report)).collect()
}

fn read(node: &Node, report: &mut Report<'_>) -> Option<Sample> {
    let keys = Keys::of(node, "a sample", &["line", "events"], report)?;
    let line_node = keys.required("line", report);
    let line = line_node.and_then(|node| text_of(node, "a line", report));
    let events_node = keys.required("events", report)?;
    let items = items_of(events_node, "events", report);
    let events: Vec<_> = items.iter().filter_map(|item| event(item, report)).collect();
    Some(Sample { place: line_node?.place, line: line?.into(), events })
}

fn event(node: &Node, report: &mut Report<'_>) -> Option<ExpectedEvent> {
    let known = ["entity", "event", "set", "unset"];
    let keys = Keys::of(node, "an event", &known, report)?;
    let entity =
        keys.required("entity", report).and_then(|node| text_of(node, "an entity", report));
    let event = keys.required("event", report).and_then(|node| text_of(node, "a name", report));
    let mut changes = keys.get("set").map_or_else(Vec::new, |node| set_changes(node, report));
    for item in keys.get("unset").map_or(&[][..], |node| items_of(node, "unset", report)) {
        changes.extend(text_of(item, "a field's name", report).map(Change::unset));
    }
    changes.sort_by(|a, b| a.field.cmp(&b.field));
    Some(ExpectedEvent { entity: entity?.to_owned(), event: event?.to_owned(), changes })
}

fn set_changes(node: &Node, report: &mut Report<'_>) -> Vec<Change> {
    let Kind::Mapping(members) = &node.kind else {
        report.error(node.place, format!("`set` is a mapping, this is {}", node.kind_name()));
        return Vec::new();
    };
    let mut changes = Vec::new();
    for (key, value) in members {
        let field = text_of(key, "a field's name", report);
        let value = constant(value, report).map(|constant| match constant {
            Constant::Value(value) => value,
            Constant::Text(text) => Value::text(text),
        });
        if let (Some(field), Some(value)) = (field, value) {
            changes.push(Change::set(field, value));
        }
    }
    changes
}
