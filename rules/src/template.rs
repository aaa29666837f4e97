//! Templates: what an event's name, entity and fields are made of.

use statetrail_event::{Value, ValueRef};

use crate::capture::CaptureType;
use crate::extract::Captures;
use crate::pattern::{Names, PatternError, Piece, pieces};

/// A text that may hold captures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    /// Always the same value.
    Constant(Value),
    /// One capture and nothing else: it keeps its type, or is converted to another.
    Capture { slot: u8, convert: Option<CaptureType> },
    /// Text and captures, joined to a text.
    Mixed(Box<[Part]>),
}

/// A part of a mixed template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Text(Box<str>),
    Capture { slot: u8, convert: Option<CaptureType> },
}

/// Why a template gave no value for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoValue {
    /// A part of a regular expression that may be missing was missing.
    Absent,
    /// The captured text is not of the type that the template asks for.
    Conversion,
}

impl Template {
    /// Reads a template over the captures of its rule.
    pub(crate) fn parse(text: &str, names: &Names) -> Result<Template, PatternError> {
        let mut parts = Vec::new();
        for piece in pieces(text)? {
            parts.push(match piece {
                Piece::Literal(literal) => Part::Text(literal.into()),
                Piece::Capture { name, kind, start, end } => {
                    let slot = names.slot(name).ok_or_else(|| unknown(name, names, start, end))?;
                    Part::Capture { slot, convert: kind }
                }
            });
        }
        Ok(match parts.as_slice() {
            [] => Template::Constant(Value::from("")),
            [Part::Text(text)] => Template::Constant(Value::Text(text.clone())),
            // Without its quotes and escapes a text must be put together.
            [Part::Capture { convert: Some(CaptureType::Quoted), .. }] => {
                Template::Mixed(parts.into())
            }
            [Part::Capture { slot, convert }] => {
                Template::Capture { slot: *slot, convert: *convert }
            }
            _ => Template::Mixed(parts.into()),
        })
    }

    /// The text, if it is always the same one.
    pub(crate) fn constant_text(&self) -> Option<&str> {
        match self {
            Template::Constant(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Appends the template's text to `out`.
    pub(crate) fn render(&self, captures: &Captures<'_>, out: &mut Vec<u8>) -> Result<(), NoValue> {
        match self {
            Template::Constant(value) => push_value(out, value.as_ref()),
            Template::Capture { slot, convert } => render_capture(captures, *slot, *convert, out)?,
            Template::Mixed(parts) => {
                for part in parts {
                    match part {
                        Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                        Part::Capture { slot, convert } => {
                            render_capture(captures, *slot, *convert, out)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn render_capture(
    captures: &Captures<'_>,
    slot: u8,
    convert: Option<CaptureType>,
    out: &mut Vec<u8>,
) -> Result<(), NoValue> {
    match convert {
        None => out.extend_from_slice(captures.text(slot).ok_or(NoValue::Absent)?),
        Some(kind) => {
            let text = captures.text(slot).ok_or(NoValue::Absent)?;
            let value = kind.convert(text).ok_or(NoValue::Conversion)?;
            push_value(out, value.as_ref());
        }
    }
    Ok(())
}

/// Appends a value as plain text.
fn push_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Text(text) => out.extend_from_slice(text),
        other => out.extend_from_slice(other.to_value().to_string().as_bytes()),
    }
}

fn unknown(name: &str, names: &Names, start: usize, end: usize) -> PatternError {
    let known: Vec<&str> = names.iter().collect();
    let expected = if known.is_empty() {
        "the match captures nothing".to_owned()
    } else {
        format!("expected one of {}", known.join(", "))
    };
    PatternError {
        start,
        end,
        message: format!("`<{name}>` is not captured by this rule's match"),
        expected: Some(expected),
        nearest: Some((name.to_owned(), known.into_iter().map(str::to_owned).collect())),
    }
}
