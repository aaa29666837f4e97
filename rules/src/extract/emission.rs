//! One event of one rule for one line.

use std::borrow::Cow;
use std::sync::Arc;

use statetrail_event::cloudevents::{
    ChangeWriter, Form, Prepared, escaped_bytes_max, write_parts_as,
};
use statetrail_event::{
    Change, EntityName, Event, EventRef, LineIdentity, Source, TimeText, ValueRef, seq_of,
};

use super::Line;
use super::captures::{Captures, convert};
use crate::file::{ConstantParts, Emit, Home, Rule, is_event_name};
use crate::matcher::Span;
use crate::origin::Origin;
use crate::template::{NoValue, Template};

/// An event of a line that is longer is measured before it is written: a field each for many captures
/// of such a line would take memory without end.
const MEASURED_FROM_BYTES: usize = 16 << 10;
/// What the templates of an event may put together at the most, in bytes.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// An event about to be made.
pub(super) struct Emission<'a> {
    pub(super) origin: &'a Origin,
    pub(super) home: Option<&'a Home>,
    pub(super) rule: &'a Rule,
    pub(super) emit: &'a Emit,
    pub(super) captures: Captures<'a>,
    pub(super) line: &'a Line<'a>,
    /// The line without newline, redacted.
    pub(super) bytes: &'a [u8],
    /// The number of the event among those of its line.
    pub(super) index: u8,
    pub(super) scratch: &'a mut EmissionScratch,
}

/// Memory that is kept from event to event.
#[derive(Default)]
pub(super) struct EmissionScratch {
    text: Vec<u8>,
    plan: Vec<Planned>,
    time: TimeText,
}

impl EmissionScratch {
    /// Gives back memory that an exceptionally long line took.
    pub(super) fn shrink(&mut self) {
        self.text = Vec::new();
    }
}

/// A change of which it is known that it can be made.
struct Planned {
    /// Its number in the rule's `emit`.
    change: usize,
    /// Where its text stands, if the template had to be put together.
    text: Span,
    /// The value of a capture that is no text: it is converted once.
    value: Option<ValueRef<'static>>,
}

/// The texts of an event that templates put together, as spans of the scratch text.
struct Rendered {
    entity_type: Span,
    entity_id: Span,
    event: Span,
}

impl Emission<'_> {
    /// The event, or `None` if it cannot be made.
    pub(super) fn make_event(&mut self) -> Option<Event> {
        let rendered = self.render().ok()?;
        let text = |span| text_at(&self.scratch.text, span);
        let (namespace, uri, identity) = self.source();
        let entity =
            EntityName::new(namespace, &text(rendered.entity_type), &text(rendered.entity_id))
                .ok()?;
        let seq = seq_of(self.line.position, self.index);
        let mut changes = Vec::with_capacity(self.scratch.plan.len());
        let EmissionScratch { text: texts, plan, .. } = &*self.scratch;
        each_change(self.emit, &self.captures, plan, texts, &mut |field, value| {
            let value = value.map(ValueRef::to_value);
            changes.push(Change { field: field.into(), value });
        });
        let source = match self.origin.namespace() {
            Some(_) => Arc::clone(self.origin.shared_source()),
            None => Arc::new(Source { uri: uri.to_owned(), ..self.origin.source().clone() }),
        };
        Some(Event {
            id: identity.event_id(seq),
            entity,
            name: text(rendered.event).into_owned(),
            time: self.line.time,
            seq,
            changes,
            source,
            offset: self.line.offset,
            rule: Some(Arc::clone(&self.rule.full_name)),
            line: Some(String::from_utf8_lossy(self.bytes).into_owned()),
        })
    }

    /// Appends the event as a CloudEvent, and puts the name of its entity into `key` if that is
    /// wanted. Returns false if it cannot be made, or if `out` would be longer than `end`.
    pub(super) fn write_json(
        &mut self,
        form: Form,
        out: &mut Vec<u8>,
        key: Option<&mut Vec<u8>>,
        end: usize,
    ) -> bool {
        // What can be known before the line is known has been checked and written already.
        match (&self.emit.constant, self.origin.prepared()) {
            (Some(constant), Some(source)) => {
                self.write_prepared(constant, source, form, out, key, end)
            }
            _ => self.write_unprepared(form, out, key, end),
        }
    }

    fn write_prepared(
        &mut self,
        constant: &ConstantParts,
        source: &Prepared,
        form: Form,
        out: &mut Vec<u8>,
        key: Option<&mut Vec<u8>>,
        end: usize,
    ) -> bool {
        self.scratch.text.clear();
        self.scratch.plan.clear();
        let Ok(entity_id) = self.append(&self.emit.entity_id) else { return false };
        if self.plan_changes().is_err() {
            return false;
        }
        let time = *self.scratch.time.of(self.line.time);
        let EmissionScratch { text, plan, .. } = &*self.scratch;
        let entity_id = text_at(text, entity_id);
        if EntityName::check_id(&entity_id).is_err() {
            return false;
        }
        let event = EventRef {
            entity_type: &constant.entity_type,
            entity_id: &entity_id,
            name: &constant.name,
            prepared_time: Some(&time),
            prepared_source: Some(source),
            prepared_rule: Some(&constant.prepared),
            ..self.parts()
        };
        write(form, out, key, end, &event, &mut |writer| {
            each_change(self.emit, &self.captures, plan, text, writer);
        })
    }

    // Rules whose events have names that depend on the line are few, and so are lines of files.
    #[inline(never)]
    fn write_unprepared(
        &mut self,
        form: Form,
        out: &mut Vec<u8>,
        key: Option<&mut Vec<u8>>,
        end: usize,
    ) -> bool {
        let Ok(rendered) = self.render() else { return false };
        let text = |span| text_at(&self.scratch.text, span);
        let entity_type = text(rendered.entity_type);
        let entity_id = text(rendered.entity_id);
        let name = text(rendered.event);
        let parts = self.parts();
        if EntityName::check(parts.namespace, &entity_type, &entity_id).is_err() {
            return false;
        }
        let event =
            EventRef { entity_type: &entity_type, entity_id: &entity_id, name: &name, ..parts };
        let EmissionScratch { text, plan, .. } = &*self.scratch;
        write(form, out, key, end, &event, &mut |writer| {
            each_change(self.emit, &self.captures, plan, text, writer);
        })
    }

    /// Everything but what templates make.
    fn parts(&self) -> EventRef<'_> {
        let (namespace, uri, identity) = self.source();
        let seq = seq_of(self.line.position, self.index);
        let source = self.origin.source();
        EventRef {
            id: identity.event_id(seq),
            namespace,
            time: self.line.time,
            seq,
            source: uri,
            node: source.node.as_deref(),
            file: source.file.as_deref(),
            offset: self.line.offset,
            rule: Some(&self.rule.full_name),
            line: Some(self.bytes),
            ..EventRef::default()
        }
    }

    /// Namespace and URI of the source, and the identity of the line.
    fn source(&self) -> (&str, &str, LineIdentity) {
        let (namespace, uri, hash) = match (self.origin.namespace(), self.home) {
            (Some(namespace), _) => {
                (namespace, self.origin.source().uri.as_str(), self.origin.source_hash())
            }
            (None, Some(home)) => (&*home.namespace, home.source_uri.as_str(), home.source_hash),
            (None, None) => ("", "", 0),
        };
        (namespace, uri, LineIdentity::new(hash, self.line.time, self.bytes))
    }

    /// Puts together what templates ask for, and plans the changes.
    fn render(&mut self) -> Result<Rendered, NoValue> {
        self.scratch.text.clear();
        self.scratch.plan.clear();
        let rendered = Rendered {
            entity_type: self.append(&self.emit.entity_type)?,
            entity_id: self.append(&self.emit.entity_id)?,
            event: self.append(&self.emit.event)?,
        };
        if !is_event_name(&text_at(&self.scratch.text, rendered.event)) {
            return Err(NoValue::Conversion);
        }
        self.plan_changes()?;
        Ok(rendered)
    }

    /// Plans the changes, and puts together what templates ask for.
    fn plan_changes(&mut self) -> Result<(), NoValue> {
        for (number, change) in self.emit.changes.iter().enumerate() {
            let planned = match &change.value {
                Some(template @ Template::Mixed(_)) => {
                    self.append(template).map(|text| (text, None))
                }
                Some(Template::Capture { slot, convert: kind }) => {
                    let value = self.captures.checked(*slot, *kind);
                    value.map(|value| (Span::default(), value.without_text()))
                }
                Some(Template::Constant(_)) | None => Ok((Span::default(), None)),
            };
            match planned {
                Ok((text, value)) => {
                    self.scratch.plan.push(Planned { change: number, text, value });
                }
                // A group of a regular expression that may be missing: nothing is said of the
                // field.
                Err(NoValue::Absent) => {}
                Err(NoValue::Conversion) => return Err(NoValue::Conversion),
            }
        }
        Ok(())
    }

    fn append(&mut self, template: &Template) -> Result<Span, NoValue> {
        let start = self.scratch.text.len() as u32;
        template.render(&self.captures, &mut self.scratch.text)?;
        if self.scratch.text.len() > TEXT_BYTES_MAX {
            return Err(NoValue::Conversion);
        }
        Ok(Span { start, end: self.scratch.text.len() as u32 })
    }
}

/// Appends an event, and puts the name of its entity into `key` if that is wanted. Returns false if
/// `out` would be longer than `end`.
fn write(
    form: Form,
    out: &mut Vec<u8>,
    key: Option<&mut Vec<u8>>,
    end: usize,
    event: &EventRef<'_>,
    changes: &mut dyn FnMut(&mut ChangeWriter<'_>),
) -> bool {
    let line = event.line.unwrap_or_default();
    if line.len() > MEASURED_FROM_BYTES && out.len() + texts_bytes(form, line, changes) > end {
        return false;
    }
    if let Some(key) = key {
        key.clear();
        key.extend_from_slice(event.namespace.as_bytes());
        key.push(b'/');
        key.extend_from_slice(event.entity_type.as_bytes());
        key.push(b'/');
        key.extend_from_slice(event.entity_id.as_bytes());
    }
    write_parts_as(form, out, event, changes);
    out.len() <= end
}

/// The bytes that the line and the texts of changes take when they are written.
// Long lines are few.
#[inline(never)]
fn texts_bytes(form: Form, line: &[u8], changes: &mut dyn FnMut(&mut ChangeWriter<'_>)) -> usize {
    let mut bytes = escaped_bytes_max(form, line);
    changes(&mut |_, value| {
        if let Some(ValueRef::Text(text)) = value {
            bytes = bytes.saturating_add(escaped_bytes_max(form, text));
        }
    });
    bytes
}

fn text_at(text: &[u8], span: Span) -> Cow<'_, str> {
    let text = text.get(span.start as usize..span.end as usize).unwrap_or_default();
    // Most texts are UTF-8, for which less work is enough.
    match std::str::from_utf8(text) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(text),
    }
}

/// Gives every planned change to `writer`.
fn each_change(
    emit: &Emit,
    captures: &Captures<'_>,
    plan: &[Planned],
    text: &[u8],
    writer: &mut ChangeWriter<'_>,
) {
    for planned in plan {
        let change = &emit.changes[planned.change];
        let value = match &change.value {
            None => {
                writer(&change.field, None);
                continue;
            }
            Some(Template::Constant(value)) => Some(value.as_ref()),
            // What is no text but a text when it was planned is one as it stands in the line.
            Some(Template::Capture { slot, .. }) => {
                planned.value.or_else(|| captures.text(*slot).map(ValueRef::Text))
            }
            Some(Template::Mixed(_)) => {
                let span = planned.text.start as usize..planned.text.end as usize;
                text.get(span).map(ValueRef::Text)
            }
        };
        if let Some(value) = value {
            writer(&change.field, Some(value));
        }
    }
}

impl<'a> Captures<'a> {
    /// The value of a capture, converted if a type is given.
    fn checked(
        &self,
        slot: u8,
        kind: Option<crate::capture::CaptureType>,
    ) -> Result<ValueRef<'a>, NoValue> {
        let value = match kind {
            None => self.value(slot).ok_or(NoValue::Absent)?,
            Some(kind) => convert(kind, self.text(slot).ok_or(NoValue::Absent)?),
        };
        value.ok_or(NoValue::Conversion)
    }
}
