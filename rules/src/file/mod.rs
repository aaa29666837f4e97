//! A rule file: its model, and how it is read from YAML.

mod emit;
mod matches;
mod read;
mod sample;

use std::sync::Arc;

use statetrail_event::cloudevents::Prepared;
use statetrail_event::{EntityName, EventRef, LineIdentity, Source};

use crate::diagnostic::Place;
use crate::glob::Glob;
use crate::pattern::{Names, Pattern};
use crate::redact::Redactor;
use crate::regex::Regex;
use crate::template::Template;

pub(crate) use read::{base_name, read};
pub(crate) use sample::{ExpectedEvent, Sample};

/// The rules of some namespaces.
pub(crate) struct RuleFile {
    pub(crate) name: Box<str>,
    pub(crate) text_hash: u64,
    pub(crate) namespaces: Vec<Glob>,
    pub(crate) containers: Vec<Glob>,
    pub(crate) redactors: Vec<Redactor>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) home: Option<Home>,
}

impl RuleFile {
    /// A namespace and a container to which the file applies.
    pub(crate) fn sample_place(&self) -> (String, String) {
        // A glob stands for names; with its stars taken out it is one of them.
        let plain = |glob: Option<&Glob>| {
            glob.map_or_else(String::new, |glob| glob.text().replace('*', "").replace('?', "x"))
        };
        let namespace = plain(self.namespaces.first());
        let namespace = if namespace.is_empty() { "namespace".to_owned() } else { namespace };
        (namespace, plain(self.containers.first()))
    }
}

/// The namespace that events of plain files get: the first one that the file names exactly.
pub(crate) struct Home {
    pub(crate) namespace: Box<str>,
    pub(crate) source_uri: String,
    pub(crate) source_hash: u64,
}

impl Home {
    pub(crate) fn new(namespace: &str) -> Home {
        let source_uri = Source::namespace_uri(namespace);
        let source_hash = LineIdentity::source_hash(&source_uri);
        Home { namespace: namespace.into(), source_uri, source_hash }
    }
}

/// How lines become events.
pub(crate) struct Rule {
    /// File and rule, as events carry it: `shop.yaml/payment-accepted`.
    pub(crate) full_name: Arc<str>,
    pub(crate) place: Place,
    pub(crate) matches: Match,
    pub(crate) names: Names,
    /// Every line that matches holds each of these, but for the escapes of JSON.
    pub(crate) literals: Vec<Box<[u8]>>,
    pub(crate) emits: Vec<Emit>,
    pub(crate) goes_on: bool,
    pub(crate) samples: Vec<Sample>,
}

/// What a rule looks for.
pub(crate) enum Match {
    Text(Pattern),
    Json(Vec<FieldMatch>),
    Logfmt(Vec<FieldMatch>),
    Regex(RegexMatch),
}

/// What a rule looks for in one field.
pub(crate) struct FieldMatch {
    pub(crate) path: Box<str>,
    /// The number of the path in the rule set; given when the file joins one.
    pub(crate) path_number: u32,
    pub(crate) value: FieldPattern,
}

pub(crate) enum FieldPattern {
    /// The value as a whole, with the type that it has in the line.
    Whole(Option<u8>),
    Pattern(Pattern),
}

/// A regular expression and which of its groups are captures.
pub(crate) struct RegexMatch {
    pub(crate) regex: Regex,
    /// Group number and slot.
    pub(crate) groups: Vec<(usize, u8)>,
}

/// One event of a rule.
pub(crate) struct Emit {
    pub(crate) entity_type: Template,
    pub(crate) entity_id: Template,
    pub(crate) event: Template,
    pub(crate) changes: Vec<EmitChange>,
    /// What every such event has in common, if type and name of it are always the same.
    pub(crate) constant: Option<ConstantParts>,
}

/// What all events of an emit have in common.
pub(crate) struct ConstantParts {
    pub(crate) entity_type: Box<str>,
    pub(crate) name: Box<str>,
    /// The rule's part of them as it is written.
    pub(crate) prepared: Prepared,
}

impl Emit {
    /// Writes down what the events have in common, once the rule's name is known.
    pub(crate) fn prepare(&mut self, rule: &str) {
        let Some((entity_type, name)) =
            self.entity_type.constant_text().zip(self.event.constant_text())
        else {
            return;
        };
        let entity_type_is_valid = EntityName::check("n", entity_type, "i").is_ok();
        if !entity_type_is_valid || !is_event_name(name) {
            return;
        }
        let event = EventRef { entity_type, name, rule: Some(rule), ..EventRef::default() };
        self.constant = Some(ConstantParts {
            entity_type: entity_type.into(),
            name: name.into(),
            prepared: Prepared::of_rule(&event),
        });
    }
}

/// Whether an event may have this name.
pub(crate) fn is_event_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 256 && !name.chars().any(char::is_control)
}

/// A field and its new value; `None` unsets it.
pub(crate) struct EmitChange {
    pub(crate) field: Box<str>,
    pub(crate) value: Option<Template>,
}
