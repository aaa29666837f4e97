//! YAML text to a tree in which every node knows its place. The tree is built without recursion
//! and with a bound on its depth, because the filter's stack is small.

use std::iter::Peekable;
use std::str::Chars;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use crate::DEPTH_MAX;
use crate::diagnostic::{Place, Report};

/// A piece of a YAML document.
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
}

pub(crate) enum Kind {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Written without quotes: may stand for a number or a truth value.
    Plain,
    SingleQuoted,
    /// Places within the text are not tracked, here and in blocks.
    DoubleQuoted,
    /// `|` or `>`, which add a line feed unless they are told not to.
    Block,
}

impl Node {
    /// What the node is, for messages.
    pub(crate) fn kind_name(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(_) => "a single value",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }

    /// The place of a part of a scalar's text, counted in bytes of the text. Where the
    /// source's escapes make that uncertain, the place of the whole scalar.
    pub(crate) fn place_within(&self, start: usize, end: usize) -> Place {
        let Kind::Scalar(scalar) = &self.kind else { return self.place };
        let (Some(before), Some(part)) = (scalar.text.get(..start), scalar.text.get(start..end))
        else {
            return self.place;
        };
        let quotes = |text: &str| text.matches('\'').count();
        let (lead, doubled) = match scalar.style {
            Style::Plain => (0, 0),
            Style::SingleQuoted => (1, quotes(before)),
            Style::DoubleQuoted | Style::Block => return self.place,
        };
        if scalar.text.is_empty() || scalar.text.contains('\n') {
            return self.place;
        }
        Place {
            line: self.place.line,
            column: self.place.column + lead + doubled + before.chars().count(),
            width: part.chars().count().max(1),
        }
    }
}

/// A mapping or sequence whose end has not been seen yet.
struct Open {
    place: Place,
    children: Vec<Node>,
    mapping: bool,
}

/// Reads one document. Faults go to the report; `None` if there is no tree to go on with.
pub(crate) fn parse(text: &str, report: &mut Report<'_>) -> Option<Node> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(fault) => {
                report.error(place_of(fault.marker(), 1), format!("not YAML: {}", fault.info()));
                return None;
            }
        };
        let place = place_of_span(&span, text);
        let node = match event {
            Event::Scalar(value, style, anchor, tag) => {
                refuse_anchor_and_tag(anchor, tag.is_some(), place, report);
                scalar(value.into_owned(), style, place)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_anchor_and_tag(anchor, tag.is_some(), place, report);
                open.push(Open { place, children: Vec::new(), mapping: false });
                if too_deep(&open, place, report) {
                    return None;
                }
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_anchor_and_tag(anchor, tag.is_some(), place, report);
                open.push(Open { place, children: Vec::new(), mapping: true });
                if too_deep(&open, place, report) {
                    return None;
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(closed) => close(closed),
                None => continue,
            },
            Event::Alias(_) => {
                report.error(place, "aliases are not supported in rule files");
                return None;
            }
            Event::DocumentStart(_) if root.is_some() => {
                report.error(place, "a rule file holds one YAML document, here begins another");
                return None;
            }
            Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::StreamStart
            | Event::StreamEnd
            | Event::Nothing => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => root = Some(node),
        }
    }
    if root.is_none() {
        let place = Place { line: 1, column: 1, width: 1 };
        report.error(place, "the rule file is empty").expected("expected `namespaces` and `rules`");
    }
    root
}

fn scalar(text: String, style: ScalarStyle, place: Place) -> Node {
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    };
    Node { kind: Kind::Scalar(Scalar { text, style }), place }
}

fn close(closed: Open) -> Node {
    if !closed.mapping {
        return Node { kind: Kind::Sequence(closed.children), place: closed.place };
    }
    let mut pairs = Vec::with_capacity(closed.children.len() / 2);
    let mut children = closed.children.into_iter();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        pairs.push((key, value));
    }
    Node { kind: Kind::Mapping(pairs), place: closed.place }
}

fn too_deep(open: &[Open], place: Place, report: &mut Report<'_>) -> bool {
    let too_deep = open.len() > DEPTH_MAX;
    if too_deep {
        report.error(place, format!("nested more than {DEPTH_MAX} levels deep"));
    }
    too_deep
}

fn refuse_anchor_and_tag(anchor: usize, tagged: bool, place: Place, report: &mut Report<'_>) {
    if anchor > 0 {
        report.error(place, "anchors are not supported in rule files");
    }
    if tagged {
        report.error(place, "tags are not supported in rule files");
    }
}

fn place_of(marker: &Marker, width: usize) -> Place {
    Place { line: marker.line(), column: marker.col() + 1, width }
}

fn place_of_span(span: &Span, _text: &str) -> Place {
    let width = if span.start.line() == span.end.line() {
        span.end.col().saturating_sub(span.start.col())
    } else {
        1
    };
    place_of(&span.start, width)
}

/// What a plain scalar stands for, by the core schema of YAML 1.2.
pub(crate) enum Plain {
    Null,
    Bool(bool),
    Int(i64),
    Number(f64),
    Text,
}

/// Tells what the text of a plain scalar stands for.
pub(crate) fn resolve_plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        _ => {}
    }
    let mut characters = text.chars().peekable();
    characters.next_if(|c| matches!(c, '+' | '-'));
    if !characters.peek().is_some_and(|c| c.is_ascii_digit() || *c == '.') {
        return Plain::Text;
    }
    if characters.clone().all(|c| c.is_ascii_digit())
        && let Ok(number) = text.parse()
    {
        return Plain::Int(number);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && is_decimal(characters) => Plain::Number(number),
        _ => Plain::Text,
    }
}

/// Rust reads more forms than YAML has: no words such as `inf`, at least one digit.
fn is_decimal(mut characters: Peekable<Chars<'_>>) -> bool {
    characters.all(|c| matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'))
}
