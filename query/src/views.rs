//! The shapes in which answers appear as JSON. They are described in docs/output.md and are a
//! promise to scripts: fields may be added, never renamed or removed.

use serde::ser::{Serialize, SerializeMap, Serializer};
use statetrail_event::{Change, EntityName, State, Time, Value};
use statetrail_store::KnownEvent;

use crate::Difference;
#[cfg(feature = "openapi")]
pub use crate::view_schemas::{FieldsSchema, ValueSchema};

/// A moment as RFC 3339 in UTC.
pub fn moment(time: Time) -> String {
    time.to_string()
}

/// An entity with its state at a moment.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Entity))]
pub struct EntityView<'a> {
    /// The full name.
    pub entity: &'a str,
    /// The moment.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub as_of: String,
    /// The fields that have a value.
    #[cfg_attr(feature = "openapi", schema(value_type = FieldsSchema))]
    pub state: StateView<'a>,
}

impl<'a> EntityView<'a> {
    /// The view of an entity.
    pub fn new(entity: &'a EntityName, as_of: Time, state: &'a State) -> EntityView<'a> {
        EntityView { entity: entity.as_str(), as_of: moment(as_of), state: StateView(state) }
    }
}

/// The fields of a state that have a value, as one object.
#[derive(Clone, Copy, Debug)]
pub struct StateView<'a>(pub &'a State);

impl Serialize for StateView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.fields().map(|(field, value, _)| (field, value)))
    }
}

/// An event with everything that is known of it.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Event))]
pub struct EventView<'a> {
    /// The entity that changed.
    pub entity: &'a str,
    /// The event's name.
    pub event: &'a str,
    /// When it happened.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub time: String,
    /// When it became known.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub known_at: String,
    /// The fields that it set.
    #[cfg_attr(feature = "openapi", schema(value_type = FieldsSchema))]
    pub set: SetView<'a>,
    /// The fields that it unset.
    pub unset: Vec<&'a str>,
    /// The rule that made it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub rule: Option<&'a str>,
    /// Where its line came from.
    pub source: &'a str,
    /// The node that the line was written on.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub node: Option<&'a str>,
    /// The file that the line was read from.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub file: Option<&'a str>,
    /// Where the line starts in the file, in bytes.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub offset: Option<u64>,
    /// The line.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub line: Option<&'a str>,
    /// The event's id.
    pub id: String,
}

impl<'a> EventView<'a> {
    /// The columns of [`EventView::row`].
    pub const HEADINGS: [&'static str; 13] = [
        "entity", "event", "time", "known_at", "set", "unset", "rule", "source", "node", "file",
        "offset", "line", "id",
    ];

    /// The view of an event.
    pub fn new(known: &'a KnownEvent) -> EventView<'a> {
        let event = &known.event;
        EventView {
            entity: event.entity.as_str(),
            event: &event.name,
            time: moment(event.time),
            known_at: moment(known.known_at),
            set: SetView(&event.changes),
            unset: unset_fields(&event.changes),
            rule: event.rule.as_deref(),
            source: &event.source.uri,
            node: event.source.node.as_deref(),
            file: event.source.file.as_deref(),
            offset: event.offset,
            line: event.line.as_deref(),
            id: event.id.to_string(),
        }
    }

    /// The view as cells; `set` and `unset` are JSON.
    pub fn row(&self) -> [String; 13] {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        [
            self.entity.to_owned(),
            self.event.to_owned(),
            self.time.clone(),
            self.known_at.clone(),
            json_cell(&self.set),
            json_cell(&self.unset),
            text(self.rule),
            self.source.to_owned(),
            text(self.node),
            text(self.file),
            self.offset.map(|offset| offset.to_string()).unwrap_or_default(),
            text(self.line),
            self.id.clone(),
        ]
    }
}

/// The fields that an event set, as one object.
#[derive(Clone, Copy, Debug)]
pub struct SetView<'a>(pub &'a [Change]);

impl Serialize for SetView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for change in self.0 {
            if let Some(value) = &change.value {
                map.serialize_entry(&change.field, value)?;
            }
        }
        map.end()
    }
}

/// The fields that an event unset.
pub fn unset_fields(changes: &[Change]) -> Vec<&str> {
    changes.iter().filter(|change| change.value.is_none()).map(|change| &*change.field).collect()
}

/// One field that differs.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Change))]
pub struct ChangeView<'a> {
    /// The field.
    pub field: &'a str,
    /// Its value on the earlier or left side; `null` if it has none.
    #[cfg_attr(feature = "openapi", schema(required, value_type = Option<ValueSchema>))]
    pub from: Option<&'a Value>,
    /// Its value on the later or right side; `null` if it has none.
    #[cfg_attr(feature = "openapi", schema(required, value_type = Option<ValueSchema>))]
    pub to: Option<&'a Value>,
}

impl<'a> From<&'a Difference> for ChangeView<'a> {
    fn from(change: &'a Difference) -> ChangeView<'a> {
        ChangeView { field: &change.field, from: change.from.as_ref(), to: change.to.as_ref() }
    }
}

/// A value in a cell of comma-separated values: empty if there is none.
pub fn cell(value: Option<&Value>) -> String {
    value.map(Value::to_string).unwrap_or_default()
}

/// Anything in a cell as JSON on one line.
pub fn json_cell(value: &impl Serialize) -> String {
    // Maps with text keys and finite numbers always have a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}
