//! What a rule's match captured, and the values of it.

use std::ops::Range;

use statetrail_event::ValueRef;

use crate::capture::{CaptureType, number_value, unescaped};
use crate::fields::{Field, FieldKind};
use crate::file::RegexMatch;
use crate::json::unescape_into;
use crate::matcher::{Scratch, Span};
use crate::pattern::Pattern;
use crate::regex::RegexScratch;

/// The captures of a match, kept in memory that every line uses again.
#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Option<Slot>>,
    spans: Vec<Option<Span>>,
    /// Texts that do not stand in the line as they are, because the line escapes them.
    texts: Vec<u8>,
    value: Vec<u8>,
}

/// One capture.
#[derive(Clone, Copy)]
struct Slot {
    span: Span,
    /// Whether the span counts in `texts` instead of in the line.
    in_texts: bool,
    kind: Kind,
}

/// What decides a capture's value.
#[derive(Clone, Copy)]
enum Kind {
    Typed(CaptureType),
    /// A JSON value with the type that it has there.
    JsonNumber,
    JsonBool,
}

/// The captures of a match, for templates.
#[derive(Clone, Copy)]
pub(crate) struct Captures<'a> {
    line: &'a [u8],
    texts: &'a [u8],
    slots: &'a [Option<Slot>],
}

impl Slots {
    pub(super) fn begin(&mut self, captures: usize) {
        self.slots.clear();
        self.slots.resize(captures, None);
        self.texts.clear();
    }

    /// Where a pattern shall put its spans.
    pub(super) fn spans(&mut self, captures: usize) -> &mut [Option<Span>] {
        self.spans.clear();
        self.spans.resize(captures, None);
        &mut self.spans
    }

    pub(super) fn captures<'a>(&'a self, line: &'a [u8]) -> Captures<'a> {
        Captures { line, texts: &self.texts, slots: &self.slots }
    }

    /// Takes the spans that a pattern found in the line itself.
    pub(super) fn take_line(&mut self, pattern: &Pattern, line: &[u8]) -> bool {
        for (slot, kind) in pattern.captures() {
            let Some(Some(span)) = self.spans.get(usize::from(slot)).copied() else { continue };
            let taken = self.of_line(span, kind, line);
            self.put(slot, taken);
        }
        true
    }

    /// A quoted capture counts without its quotes and escapes.
    fn quoted(&mut self, span: Span, line: &[u8]) -> Slot {
        let inner = Span { start: span.start + 1, end: span.end - 1 };
        let text = slice(line, inner);
        let kind = Kind::Typed(CaptureType::Any);
        if memchr::memchr(b'\\', text).is_none() {
            return Slot { span: inner, in_texts: false, kind };
        }
        let plain = unescaped(text).into_owned();
        Slot { span: self.keep(&plain), in_texts: true, kind }
    }

    /// Takes the groups of a regular expression.
    pub(super) fn take_regex(
        &mut self,
        matches: &RegexMatch,
        line: &[u8],
        scratch: &mut RegexScratch,
    ) -> bool {
        if !matches.regex.find(line, scratch) {
            return false;
        }
        for (group, slot) in &matches.groups {
            if let Some(span) = scratch.group(*group) {
                self.put(
                    *slot,
                    Slot { span, in_texts: false, kind: Kind::Typed(CaptureType::Any) },
                );
            }
        }
        true
    }

    /// Takes a whole field with the type that it has in the line.
    pub(super) fn take_whole(&mut self, slot: Option<u8>, field: Field, line: &[u8]) {
        let Some(slot) = slot else { return };
        let (span, in_texts, kind) = match field.kind {
            FieldKind::Escaped => {
                let span = self.unescape(slice(line, field.span));
                (span, true, Kind::Typed(CaptureType::Any))
            }
            FieldKind::Text | FieldKind::Nested => {
                (field.span, false, Kind::Typed(CaptureType::Any))
            }
            FieldKind::Number => (field.span, false, Kind::JsonNumber),
            FieldKind::Bool => (field.span, false, Kind::JsonBool),
        };
        self.put(slot, Slot { span, in_texts, kind });
    }

    /// Matches a field's value and takes what the pattern captures in it.
    pub(super) fn take_field(
        &mut self,
        pattern: &Pattern,
        field: Field,
        line: &[u8],
        scratch: &mut Scratch,
    ) -> bool {
        self.spans.clear();
        self.spans.resize(self.slots.len(), None);
        let text = slice(line, field.span);
        // A value without escapes is matched where it stands.
        let is_escaped = field.kind == FieldKind::Escaped;
        self.value.clear();
        if is_escaped {
            unescape_into(text, &mut self.value);
        }
        let value = if is_escaped { &self.value[..] } else { text };
        if pattern.find(value, 0, &mut self.spans, scratch).is_none() {
            return false;
        }
        for (slot, kind) in pattern.captures() {
            let Some(Some(span)) = self.spans.get(usize::from(slot)).copied() else { continue };
            let taken = if is_escaped {
                self.of_value(span, kind)
            } else {
                let shift = field.span.start;
                let span = Span { start: span.start + shift, end: span.end + shift };
                self.of_line(span, kind, line)
            };
            self.put(slot, taken);
        }
        true
    }

    /// A capture in the line itself.
    fn of_line(&mut self, span: Span, kind: CaptureType, line: &[u8]) -> Slot {
        match kind {
            CaptureType::Quoted => self.quoted(span, line),
            _ => Slot { span, in_texts: false, kind: Kind::Typed(kind) },
        }
    }

    /// A capture in a value that stands in the line with escapes only.
    fn of_value(&mut self, span: Span, kind: CaptureType) -> Slot {
        let start = self.texts.len() as u32;
        let kind = match kind {
            CaptureType::Quoted => {
                let inner = Span { start: span.start + 1, end: span.end - 1 };
                self.texts.extend_from_slice(&unescaped(slice(&self.value, inner)));
                CaptureType::Any
            }
            other => {
                self.texts.extend_from_slice(slice(&self.value, span));
                other
            }
        };
        let span = Span { start, end: self.texts.len() as u32 };
        Slot { span, in_texts: true, kind: Kind::Typed(kind) }
    }

    fn put(&mut self, slot: u8, taken: Slot) {
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = Some(taken);
        }
    }

    fn keep(&mut self, text: &[u8]) -> Span {
        let start = self.texts.len() as u32;
        self.texts.extend_from_slice(text);
        Span { start, end: self.texts.len() as u32 }
    }

    fn unescape(&mut self, text: &[u8]) -> Span {
        let start = self.texts.len() as u32;
        unescape_into(text, &mut self.texts);
        Span { start, end: self.texts.len() as u32 }
    }
}

fn slice(text: &[u8], span: Span) -> &[u8] {
    text.get(span.start as usize..span.end as usize).unwrap_or_default()
}

impl<'a> Captures<'a> {
    fn slot(&self, slot: u8) -> Option<Slot> {
        self.slots.get(usize::from(slot)).copied().flatten()
    }

    /// The captured text, or `None` if the capture took no part in the match.
    pub(crate) fn text(&self, slot: u8) -> Option<&'a [u8]> {
        let slot = self.slot(slot)?;
        Some(slice(if slot.in_texts { self.texts } else { self.line }, slot.span))
    }

    /// Where the captured text stands in the line, if it stands there as it is.
    pub(crate) fn place(&self, slot: u8) -> Option<Range<usize>> {
        let Slot { span, in_texts: false, .. } = self.slot(slot)? else { return None };
        Some(span.start as usize..span.end as usize)
    }

    /// The captured text as a value of its own type. The outer `None`: the capture took no part
    /// in the match; the inner: the text is not of the type.
    pub(crate) fn value(&self, slot: u8) -> Option<Option<ValueRef<'a>>> {
        let text = self.text(slot)?;
        Some(match self.slot(slot)?.kind {
            // What a pattern captured as a number is one.
            Kind::Typed(CaptureType::Number) | Kind::JsonNumber => number_of(text),
            Kind::Typed(kind) => convert(kind, text),
            Kind::JsonBool => Some(ValueRef::Bool(text == b"true")),
        })
    }
}

/// The value of a text of a type, or `None` if it is not of the type.
pub(super) fn convert(kind: CaptureType, text: &[u8]) -> Option<ValueRef<'_>> {
    match kind {
        CaptureType::Word | CaptureType::Any | CaptureType::Rest | CaptureType::Quoted => {
            Some(ValueRef::Text(text))
        }
        CaptureType::Uuid | CaptureType::Ip => {
            (kind.end(text, 0) == Some(text.len())).then_some(ValueRef::Text(text))
        }
        CaptureType::Int | CaptureType::Number | CaptureType::Bool | CaptureType::Duration => {
            kind.convert(text)?.as_ref().without_text()
        }
    }
}

fn number_of(text: &[u8]) -> Option<ValueRef<'static>> {
    number_value(text)?.as_ref().without_text()
}
