//! Answers as JavaScript gets them.

use std::collections::BTreeMap;

use serde::Serialize;
use statetrail_event::{Event, Value};
use statetrail_rules::is_plain_text;

/// What is to be said of a rule file.
#[derive(Debug, PartialEq, Serialize)]
pub struct RulesView {
    /// Faults, in the order of their places.
    pub faults: Vec<FaultView>,
    /// Its rules, in their order; those of the last version that could be used.
    pub rules: Vec<RuleView>,
    /// Whether this text is in force. If not, the last one that could be used is.
    pub in_force: bool,
}

/// A fault in a rule file.
#[derive(Debug, PartialEq, Serialize)]
pub struct FaultView {
    /// `error` or `warning`.
    pub severity: String,
    /// The line, from 1.
    pub line: usize,
    /// Where it begins in the line.
    pub start: usize,
    /// Where it ends in the line.
    pub end: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub expected: Option<String>,
    /// Further lines below.
    pub help: Vec<String>,
}

/// A rule.
#[derive(Debug, PartialEq, Serialize)]
pub struct RuleView {
    /// Its name in its file.
    pub name: String,
    /// The line on which it begins, from 1.
    pub line: usize,
}

/// What rules do with all lines.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct RunView {
    /// How many lines were tried.
    pub lines: usize,
    /// How many lines there are beyond those.
    pub more: usize,
    /// Lines that a rule matched.
    pub matched: usize,
    /// Events of all lines.
    pub events: usize,
    /// Events that could not be made.
    pub failed: u32,
    /// For each line the first rule that matched, and where its captures stand.
    pub marks: Vec<Option<Mark>>,
    /// How many lines each rule matched, in the order of the rules.
    pub by_rule: Vec<u64>,
    /// How many entities the lines tell of.
    pub entities: usize,
    /// Those with most events.
    pub states: Vec<EntityView>,
}

/// The number of a rule, and where its captures stand in the line.
pub type Mark = (usize, Vec<(usize, usize)>);

/// An entity after the last line.
#[derive(Debug, PartialEq, Serialize)]
pub struct EntityView {
    /// Type and id.
    pub name: String,
    /// How many events it has.
    pub events: usize,
    /// The last of them, in the order of their lines.
    pub trail: Vec<StepView>,
    /// Its fields, in the order of their names.
    pub fields: Vec<FieldView>,
}

/// An event of an entity.
#[derive(Debug, PartialEq, Serialize)]
pub struct StepView {
    /// The event's name.
    pub event: String,
    /// The line behind it, from 0.
    pub line: usize,
}

/// A field of an entity's state.
#[derive(Debug, PartialEq, Serialize)]
pub struct FieldView {
    /// Its name.
    pub field: String,
    /// Its value: exactly the number, and a text in quotes if it could be taken for something else.
    pub value: String,
    /// The line that set it, from 0.
    pub line: usize,
}

/// What rules do with one line.
#[derive(Debug, PartialEq, Serialize)]
pub struct LineView {
    /// The line as rules see it.
    pub text: String,
    /// Whether something in it was starred out.
    pub redacted: bool,
    /// The rules that matched.
    pub rules: Vec<MatchView>,
    /// What came of it.
    pub events: Vec<MadeView>,
    /// Events that could not be made.
    pub failed: u32,
    /// The nearest rule, if none matched.
    pub near: Option<NearView>,
}

/// A rule that matched a line.
#[derive(Debug, PartialEq, Serialize)]
pub struct MatchView {
    /// Its name in its file.
    pub rule: String,
    /// What it captured.
    pub captures: Vec<CaptureView>,
}

/// A capture and where it stands.
#[derive(Debug, PartialEq, Serialize)]
pub struct CaptureView {
    /// Its name.
    pub name: String,
    /// Its value; `None` where an optional part was missing or it does not fit its type.
    pub text: Option<String>,
    /// Where it stands in the line, unless it has another form there.
    pub place: Option<(usize, usize)>,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MadeView {
    /// Type and id of the entity.
    pub entity: String,
    /// The event's name.
    pub event: String,
    /// The fields that it sets, with their values written as those of [`FieldView`].
    pub set: BTreeMap<String, String>,
    /// The fields that it unsets.
    pub unset: Vec<String>,
}

/// A rule that almost matches.
#[derive(Debug, PartialEq, Serialize)]
pub struct NearView {
    /// Its name in its file.
    pub rule: String,
    /// The field in which it stops; `None` for the line itself.
    pub field: Option<String>,
    /// Up to where it matches the line; `None` if it stops in a field, something is starred out, or
    /// nothing that it begins with is there.
    pub place: Option<usize>,
    /// Whether nothing that it begins with is in the line.
    pub nowhere: bool,
    /// What would have to come there.
    pub expected: String,
}

/// Lines of one form that no rule matches.
#[derive(Debug, PartialEq, Serialize)]
pub struct FormView {
    /// What they have in common.
    pub text: String,
    /// How many they are.
    pub lines: usize,
    /// The first of them, from 0.
    pub first: usize,
}

/// A rule file that seems worth having.
#[derive(Debug, PartialEq, Serialize)]
pub struct SuggestionView {
    /// The type of its entities.
    pub entity_type: String,
    /// The rule file.
    pub text: String,
    /// How many rules it has.
    pub rules: usize,
    /// How many entities the lines tell of by it.
    pub entities: usize,
    /// How many of the lines it takes.
    pub lines: usize,
}

impl From<&Event> for MadeView {
    fn from(event: &Event) -> MadeView {
        let changes = || event.changes.iter();
        let set =
            changes().filter_map(|it| Some((it.field.to_string(), shown(it.value.as_ref()?))));
        let unset = changes().filter(|it| it.value.is_none()).map(|it| it.field.to_string());
        MadeView {
            entity: event.entity.subject().to_owned(),
            event: event.name.clone(),
            set: set.collect(),
            unset: unset.collect(),
        }
    }
}

/// A value for people who tune types: exactly the number, and a text in quotes if it could be taken for
/// something else. JavaScript's own numbers could show neither `5.0` nor large ones.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) if is_plain_text(text) => text.to_string(),
        // Texts and numbers can be written as JSON.
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
