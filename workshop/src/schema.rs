//! The JSON Schema of rule files, for editors.

use serde_json::{Value, json};
use statetrail_rules::capture_types;

/// The schema. It says what the form of a rule file is; what its rules do is told by their samples.
pub fn schema() -> Value {
    let types = capture_types().join(", ");
    let pattern = format!(
        "Text with captures: `<name>`, `<name:type>`, `<_>`; `^` at the start and `$` at the end tie it to \
         the line's. `<<` stands for `<`. Types: {types}."
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "statetrail rule file",
        "description": "Which lines of some namespaces tell of a change, and of what.",
        "type": "object",
        "additionalProperties": false,
        "required": ["namespaces", "rules"],
        "properties": {
            "namespaces": {
                "description": "Whose lines: names of namespaces, or globs with * and ?.",
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
            },
            "containers": {
                "description": "Only lines of these containers: names, or globs with * and ?.",
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
            },
            "redact": {
                "description": "What must never leave the node: patterns, of which every capture is starred \
                                out, and fields of structured lines.",
                "type": "array",
                "items": {"anyOf": [
                    {"type": "string", "description": pattern},
                    field("json", "A field of JSON lines, such as card.number."),
                    field("logfmt", "A field of logfmt lines."),
                ]},
            },
            "rules": {
                "description": "Tried in this order; the first that matches takes the line.",
                "type": "array",
                "items": rule(&pattern),
            },
        },
    })
}

fn field(form: &str, description: &str) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": [form],
        "properties": {form: {"type": "string", "description": description}},
    })
}

fn rule(pattern: &str) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "match", "emit"],
        "properties": {
            "name": {
                "description": "What events name as their rule, behind the file's name.",
                "type": "string",
            },
            "match": matches(pattern),
            "continue": {
                "description": "Whether the next rules are tried, too.",
                "type": "boolean",
                "default": false,
            },
            "emit": {
                "description": "The events of a line; none, if its lines are to be taken and forgotten.",
                "type": "array",
                "items": emit(),
            },
            "samples": {
                "description": "Lines and what they give. `statetrail rules check` runs them.",
                "type": "array",
                "items": sample(),
            },
        },
    })
}

fn matches(pattern: &str) -> Value {
    let fields = |form: &str, description: &str| {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": [form],
            "properties": {form: {
                "description": description,
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"type": ["string", "number", "boolean"], "description": pattern},
            }},
        })
    };
    json!({
        "description": "Which lines.",
        "anyOf": [
            {"type": "string", "description": pattern},
            fields("json", "Fields of a JSON line, by their paths, and patterns of their whole values."),
            fields("logfmt", "Fields of a logfmt line, and patterns of their whole values."),
            field("regex", "A regular expression; its named groups are captures."),
        ],
    })
}

fn emit() -> Value {
    let template = "A text with captures of the match: `<name>`, or `<name:type>` to convert.";
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["entity", "event"],
        "properties": {
            "entity": {"type": "string", "description": format!("type/id. {template}")},
            "event": {"type": "string", "description": format!("What happened. {template}")},
            "set": {
                "description": "Fields and their new values.",
                "type": "object",
                "additionalProperties": {
                    "type": ["string", "number", "boolean"],
                    "description": template,
                },
            },
            "unset": {
                "description": "Fields that have no value any more.",
                "type": "array",
                "items": {"type": "string"},
            },
        },
    })
}

fn sample() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["line", "events"],
        "properties": {
            "line": {"type": "string", "description": "A line as the service writes it."},
            "events": {
                "description": "What it gives.",
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["entity", "event"],
                    "properties": {
                        "entity": {"type": "string", "description": "type/id"},
                        "event": {"type": "string"},
                        "set": {
                            "type": "object",
                            "additionalProperties": {"type": ["string", "number", "boolean"]},
                        },
                        "unset": {"type": "array", "items": {"type": "string"}},
                    },
                },
            },
        },
    })
}
