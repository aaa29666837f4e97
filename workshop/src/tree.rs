//! The text of a rule file as a tree in which every part knows its lines.

use saphyr_parser::{Event, Parser, ScalarStyle};
use statetrail_rules::{DEPTH_MAX, is_plain_text};

/// Why a text cannot be formatted: it is no YAML that a rule file may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// The lines that it stands on.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The column, from 0, from which on a comment below its last line is within it; none is within
    /// what is no block.
    pub(crate) column: Option<usize>,
}

pub(crate) enum Kind {
    Scalar { text: String, plain: bool },
    Seq(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

pub(crate) fn error(line: usize, column: usize, message: &str) -> FormatError {
    FormatError { line, column, message: message.to_owned() }
}

struct Open {
    start: usize,
    column: Option<usize>,
    is_map: bool,
    children: Vec<Node>,
}

/// The document, and where its scalars stand, in characters.
pub(crate) fn parse(text: &str) -> Result<(Node, Vec<std::ops::Range<usize>>), FormatError> {
    let mut open: Vec<Open> = Vec::new();
    let (mut root, mut scalars) = (None, Vec::new());
    let characters: Vec<char> = text.chars().collect();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|fault| {
            error(
                fault.marker().line(),
                fault.marker().col() + 1,
                &format!("not YAML: {}", fault.info()),
            )
        })?;
        let refused = |what: &str| Err(error(span.start.line(), span.start.col() + 1, what));
        let node = match event {
            Event::Scalar(value, style, anchor, tag) => {
                if anchor > 0 || tag.is_some() {
                    return refused("anchors and tags are not supported in rule files");
                }
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                // Between quotes it would look meant, and nobody would be warned of it any more.
                if is_block && value.ends_with('\n') {
                    return refused(
                        "a text ends with a line feed, as | and > add it: write |- or >-, or quotes",
                    );
                }
                let (start, end) = (span.start.index(), span.end.index());
                scalars.push(start..end_of_quotes(&characters, start, style).unwrap_or(end));
                let plain = style == ScalarStyle::Plain;
                let kind = Kind::Scalar { text: value.into_owned(), plain };
                Node { kind, start: span.start.line(), end: span.end.line(), column: None }
            }
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag)
                if anchor > 0 || tag.is_some() =>
            {
                return refused("anchors and tags are not supported in rule files");
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEPTH_MAX => {
                return refused("nested too deeply");
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let is_map = matches!(event, Event::MappingStart(..));
                let (start, children) = (span.start.line(), Vec::new());
                let column = match characters.get(span.start.index()) {
                    Some('[' | '{') => None,
                    // The parser finds a list in the column of its key behind its first dash.
                    first if !is_map && first != Some(&'-') => Some(column_of(0, open.last())),
                    _ => Some(column_of(span.start.col(), open.last())),
                };
                open.push(Open { start, column, is_map, children });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(closed) => close(closed, span.end.line()),
                None => continue,
            },
            Event::Alias(_) => return refused("aliases are not supported in rule files"),
            Event::DocumentStart(_) if root.is_some() => {
                return refused("a rule file holds one YAML document, here begins another");
            }
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => root = Some(node),
        }
    }
    root.map(|root| (root, scalars)).ok_or_else(|| error(1, 1, "the rule file is empty"))
}

/// Where a scalar in quotes ends: the parser counts what follows it on its line as a part of it.
fn end_of_quotes(characters: &[char], start: usize, style: ScalarStyle) -> Option<usize> {
    let (quote, escape) = match style {
        ScalarStyle::SingleQuoted => ('\'', '\''),
        ScalarStyle::DoubleQuoted => ('"', '\\'),
        _ => return None,
    };
    let mut at = start + 1;
    loop {
        let is_escaped = *characters.get(at)? == escape
            && (escape == '\\' || characters.get(at + 1) == Some(&quote));
        match characters[at] {
            _ if is_escaped => at += 2,
            character if character == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// A list may begin in the column of its key; what stands there further down is about another key.
fn column_of(column: usize, parent: Option<&Open>) -> usize {
    parent.and_then(|parent| parent.column).map_or(column, |outer| column.max(outer + 1))
}

fn close(closed: Open, end: usize) -> Node {
    // A block ends where its last part does, not where the next thing begins.
    let last = closed.children.last().map_or(closed.start, |child| child.end);
    let end = end.min(last.max(closed.start));
    let kind = if closed.is_map {
        let mut pairs = Vec::new();
        let mut children = closed.children.into_iter();
        while let (Some(key), Some(value)) = (children.next(), children.next()) {
            pairs.push((key, value));
        }
        Kind::Map(pairs)
    } else {
        Kind::Seq(closed.children)
    };
    Node { kind, start: closed.start, end, column: closed.column }
}

/// Whether two documents mean the same; the order of keys does not matter.
pub(crate) fn same(one: &Node, other: &Node) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Scalar { text: a, plain: p }, Kind::Scalar { text: b, plain: q }) => {
            a == b && (p == q || is_plain_text(a))
        }
        (Kind::Seq(a), Kind::Seq(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(one, other)| same(one, other))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            let finds = |(key, value): &(Node, Node)| {
                b.iter().any(|(other, its)| same(key, other) && same(value, its))
            };
            a.len() == b.len() && a.iter().all(finds)
        }
        _ => false,
    }
}
