//! Who says what: flags before the environment before the file before the defaults. Each layer
//! is collected whole, with every fault in it.

use std::collections::BTreeMap;
use std::path::Path;

use toml_edit::{Document, Item, Value};

use super::definitions::{
    DEFINITIONS, PROPERTIES, VARIABLE_PREFIX, definition, nearest, refused_property,
};

/// What was given for a setting, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The value as text.
    pub text: String,
    /// Where it stands, for messages.
    pub origin: String,
}

impl Given {
    /// The setting and where it stands. Flags and variables say both themselves.
    pub fn name(&self, key: &str) -> String {
        let Given { origin, .. } = self;
        match origin.starts_with("--") || origin.starts_with(VARIABLE_PREFIX) {
            true => origin.clone(),
            false => format!("{origin}: {key}"),
        }
    }
}

/// Everything that was given.
#[derive(Debug, Default)]
pub struct Layers {
    /// By the key of the setting; a later layer replaces an earlier one.
    pub given: BTreeMap<&'static str, Given>,
    /// librdkafka's properties by their names.
    pub properties: BTreeMap<String, Given>,
    /// What is wrong, a line each.
    pub faults: Vec<String>,
    /// A file was named and is not understood: what seems to be missing may stand in it.
    pub lacks_file: bool,
}

impl Layers {
    /// The defaults alone.
    pub fn of_defaults() -> Layers {
        let mut layers = Layers::default();
        for definition in &DEFINITIONS {
            if let Some(default) = definition.default {
                layers.set(definition.key, default, "the default");
            }
        }
        layers
    }

    /// Adds a value.
    pub fn set(&mut self, key: &'static str, text: &str, origin: impl Into<String>) {
        self.given.insert(key, Given { text: text.to_owned(), origin: origin.into() });
    }

    /// Adds a property of librdkafka.
    pub fn set_property(&mut self, name: &str, text: &str, origin: String) {
        if let Some(reason) = refused_property(name) {
            self.faults.push(format!("{origin}: {name} cannot be set: {reason}"));
            return;
        }
        self.properties.insert(name.to_owned(), Given { text: text.to_owned(), origin });
    }

    /// Adds what the file at that path says.
    pub fn read_file(&mut self, path: &Path) {
        let place = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => self.add_file(&place, &text),
            Err(error) => {
                self.lacks_file = true;
                self.faults.push(format!("{place}: the file cannot be read: {error}"));
            }
        }
    }

    /// Adds what a file in TOML says; `place` is its name.
    pub fn add_file(&mut self, place: &str, text: &str) {
        match Document::parse(text) {
            Ok(document) => self.add_table(place, text, "", document.as_item()),
            Err(error) => {
                self.lacks_file = true;
                let line = error.span().map_or(1, |span| line_of(text, span.start));
                let message = error.message().replace('\n', ", ");
                self.faults.push(format!("{place}:{line}: not TOML: {message}"));
            }
        }
    }

    fn add_table(&mut self, place: &str, text: &str, path: &str, item: &Item) {
        let Some(table) = item.as_table_like() else { return };
        for (name, item) in table.iter() {
            let key = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            // A dotted table has no place of its own, but its key has.
            let span = table.key(name).and_then(|key| key.span()).or(item.span());
            let line = span.map_or(1, |span| line_of(text, span.start));
            let origin = format!("{place}:{line}");
            if item.is_table_like() && is_table(&key) {
                self.add_table(place, text, &key, item);
            } else {
                self.add_value(&key, item, origin);
            }
        }
    }

    fn add_value(&mut self, key: &str, item: &Item, origin: String) {
        let property = key.strip_prefix(PROPERTIES).and_then(|rest| rest.strip_prefix('.'));
        let definition = definition(key);
        if property.is_none() && definition.is_none() {
            let known = DEFINITIONS.iter().map(|it| it.key).chain([PROPERTIES]);
            let hint = hint(nearest(key, known));
            self.faults.push(format!("{origin}: unknown setting {key}{hint}"));
            return;
        }
        match item.as_value().and_then(value_text) {
            None => self.faults.push(format!("{origin}: {key} has no value of that kind")),
            Some(text) => match (property, definition) {
                (Some(property), _) => self.set_property(property, &text, origin),
                (None, Some(definition)) => self.set(definition.key, &text, origin),
                (None, None) => {}
            },
        }
    }

    /// Adds what the environment says: every variable with our prefix but those in `others`.
    pub fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
        others: &[&str],
    ) {
        for (name, text) in variables {
            if !name.starts_with(VARIABLE_PREFIX) || others.contains(&&*name) {
                continue;
            }
            match DEFINITIONS.iter().find(|definition| definition.variable() == name) {
                Some(definition) => self.set(definition.key, &text, name),
                None => {
                    let known: Vec<String> = DEFINITIONS.iter().map(|it| it.variable()).collect();
                    let hint = hint(nearest(&name, known.iter().map(String::as_str)));
                    self.faults.push(format!("unknown variable {name}{hint}"));
                }
            }
        }
    }
}

/// Whether settings have keys that begin with that one.
fn is_table(key: &str) -> bool {
    let prefix = format!("{key}.");
    key == PROPERTIES
        || key.starts_with(&format!("{PROPERTIES}."))
        || DEFINITIONS.iter().any(|definition| definition.key.starts_with(&prefix))
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|it| format!(", did you mean {it}?")).unwrap_or_default()
}

/// A value as the other layers would write it.
fn value_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Float(number) => Some(number.value().to_string()),
        Value::Boolean(flag) => Some(flag.value().to_string()),
        Value::Array(array) => {
            let texts: Option<Vec<&str>> = array.iter().map(Value::as_str).collect();
            Some(texts?.join(","))
        }
        Value::Datetime(_) | Value::InlineTable(_) => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
