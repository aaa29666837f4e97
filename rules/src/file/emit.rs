//! `emit`: the events that a rule makes.

use statetrail_event::{Finite, Value};

use crate::diagnostic::Report;
use crate::file::read::{Keys, items_of, report_pattern, scalar_of, text_of};
use crate::file::{Emit, EmitChange};
use crate::pattern::Names;
use crate::template::Template;
use crate::yaml::{Kind, Node, Plain, Style, resolve_plain};

/// Reads the list of events. An empty list makes the rule drop its lines explicitly.
pub(crate) fn read_all(node: &Node, names: &Names, report: &mut Report<'_>) -> Vec<Emit> {
    let items = items_of(node, "emit", report);
    items.iter().filter_map(|item| read(item, names, report)).collect()
}

fn read(node: &Node, names: &Names, report: &mut Report<'_>) -> Option<Emit> {
    let known = ["entity", "event", "set", "unset"];
    let keys = Keys::of(node, "an event", &known, report)?;
    let entity = keys.required("entity", report).and_then(|node| entity(node, names, report));
    let event = keys.required("event", report).and_then(|node| template(node, names, report));
    let mut changes = Vec::new();
    if let Some(node) = keys.get("set") {
        set_changes(node, names, &mut changes, report);
    }
    if let Some(node) = keys.get("unset") {
        unset_changes(node, &mut changes, report);
    }
    let (entity_type, entity_id) = entity?;
    Some(Emit { entity_type, entity_id, event: event?, changes, constant: None })
}

/// Reads `type/id`. The first slash outside a capture divides them.
fn entity(node: &Node, names: &Names, report: &mut Report<'_>) -> Option<(Template, Template)> {
    let text = text_of(node, "an entity", report)?;
    let Some((entity_type, id)) =
        text.split_once('/').filter(|(a, b)| !a.is_empty() && !b.is_empty())
    else {
        report
            .error(node.place, format!("`{text}` is no entity"))
            .expected("expected type/id, such as order/<order>; the namespace is the line's own");
        return None;
    };
    let read = |text: &str, start: usize, report: &mut Report<'_>| {
        Template::parse(text, names)
            .map_err(|mut fault| {
                fault.start += start;
                fault.end += start;
                report_pattern(node, fault, report);
            })
            .ok()
    };
    let entity_type_template = read(entity_type, 0, report);
    let id_template = read(id, entity_type.len() + 1, report);
    Some((entity_type_template?, id_template?))
}

fn template(node: &Node, names: &Names, report: &mut Report<'_>) -> Option<Template> {
    let text = text_of(node, "an event's name", report)?;
    if text.is_empty() {
        report.error(node.place, "an event's name is empty");
        return None;
    }
    parse_template(node, text, names, report)
}

fn parse_template(
    node: &Node,
    text: &str,
    names: &Names,
    report: &mut Report<'_>,
) -> Option<Template> {
    Template::parse(text, names).map_err(|fault| report_pattern(node, fault, report)).ok()
}

fn set_changes(node: &Node, names: &Names, changes: &mut Vec<EmitChange>, report: &mut Report<'_>) {
    let Kind::Mapping(members) = &node.kind else {
        report.error(node.place, format!("`set` is a mapping, this is {}", node.kind_name()));
        return;
    };
    for (key, value) in members {
        let field = field_name(key, changes, report);
        let value = set_value(value, names, report);
        if let (Some(field), Some(value)) = (field, value) {
            changes.push(EmitChange { field, value: Some(value) });
        }
    }
}

fn unset_changes(node: &Node, changes: &mut Vec<EmitChange>, report: &mut Report<'_>) {
    for item in items_of(node, "unset", report) {
        if let Some(field) = field_name(item, changes, report) {
            changes.push(EmitChange { field, value: None });
        }
    }
}

fn field_name(node: &Node, changes: &[EmitChange], report: &mut Report<'_>) -> Option<Box<str>> {
    let name = text_of(node, "a field's name", report)?;
    if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        report.error(node.place, "a field's name has 1 to 256 bytes and no control characters");
        return None;
    }
    if changes.iter().any(|change| *change.field == *name) {
        report.error(node.place, format!("`{name}` is changed twice by one event"));
    }
    Some(name.into())
}

fn set_value(node: &Node, names: &Names, report: &mut Report<'_>) -> Option<Template> {
    match constant(node, report)? {
        Constant::Value(value) => Some(Template::Constant(value)),
        Constant::Text(text) => parse_template(node, text, names, report),
    }
}

/// A scalar of YAML as a value.
pub(crate) enum Constant<'n> {
    Value(Value),
    /// Text, in which a template may still have captures.
    Text(&'n str),
}

/// Reads a scalar: without quotes it may be a number or a truth value.
pub(crate) fn constant<'n>(node: &'n Node, report: &mut Report<'_>) -> Option<Constant<'n>> {
    let scalar = scalar_of(node, "a value", report)?;
    if scalar.style != Style::Plain {
        return Some(Constant::Text(&scalar.text));
    }
    match resolve_plain(&scalar.text) {
        Plain::Null => {
            report
                .error(node.place, "a field cannot be set to nothing")
                .expected("expected a value; to remove the field, list it under `unset`");
            None
        }
        Plain::Bool(value) => Some(Constant::Value(Value::Bool(value))),
        Plain::Int(value) => Some(Constant::Value(Value::Int(value))),
        Plain::Number(value) => {
            Finite::new(value).map(|value| Constant::Value(Value::Number(value)))
        }
        Plain::Text => Some(Constant::Text(&scalar.text)),
    }
}
