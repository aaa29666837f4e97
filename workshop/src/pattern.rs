//! A pattern for the lines of a template.

use std::ops::Range;

use crate::fields::{Fields, MESSAGES};
use crate::template::{Column, Parsed, Place, Template, columns, joints};
use crate::token::Class;
use crate::yaml::quoted;

/// A pattern and what it captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// What stands behind `match:` in a rule file.
    pub(crate) text: String,
    /// Names of captures other than the id.
    pub(crate) fields: Vec<String>,
    /// The words that all its lines have.
    pub(crate) words: Vec<String>,
}

/// Words before a value that do not name it.
const NO_NAMES: [&str; 24] = [
    "a", "after", "an", "and", "are", "as", "at", "be", "for", "has", "in", "is", "it", "of", "on",
    "or", "than", "that", "the", "took", "using", "was", "which", "with",
];
const NAME_LENGTH_MAX: usize = 24;
/// From this length on, a word with digits is an id even if all lines have the same.
const LONG_ID: usize = 16;

/// A capture that stands for a part of the first line.
struct Capture {
    span: Range<usize>,
    text: String,
}

/// The pattern of a template whose column at `id` is captured as `name`.
pub(crate) fn pattern_of(
    lines: &[Parsed<'_>],
    template: &Template,
    id: Place,
    name: &str,
    id_class: Class,
) -> Pattern {
    let first = &lines[template.lines[0]];
    let all = columns(lines, template);
    let begin = id.chunk.min(0);
    let begin_byte = first.words.span(first.number_of(begin)).start;
    let mut words = Vec::new();
    let mut fields = Vec::new();
    let mut captures: Vec<Capture> = Vec::new();
    let joints = joints(lines, template);
    let id_value = value_at(&all, id).or_else(|| value_at(&joints, id)).unwrap_or_default();
    let is_joint = !all.iter().any(|column| column.place == id);
    for column in all.iter().filter(|column| column.place.chunk >= begin) {
        if column.place == id || is_joint && column.place.chunk == id.chunk {
            let span = first.span_of(id);
            // Several columns may be one id together.
            if captures.last().is_none_or(|capture| capture.span != span) {
                captures.push(Capture { span, text: capture(name, id_class) });
            }
            continue;
        }
        let span = first.span_of(column.place);
        let captured = captures.last().map_or(begin_byte, |capture: &Capture| capture.span.end);
        let field =
            field_name(first, span.start, captured).or_else(|| unit_of(first, column, span.end));
        if is_literal(column, template.lines.len(), first, span.start) {
            let is_value = first.words.line[..span.start].ends_with(['=', '/']);
            if column.place.chunk >= 0 && column.class == Class::Word && !is_value {
                words.push(Word { text: column.values[0].to_owned(), end: span.end });
            }
            continue;
        }
        let is_new = |field: &String| field != name && !fields.contains(field);
        let is_told = column.values != id_value && column.place.chunk >= 0;
        let field = field.filter(|field| is_told && is_new(field));
        let text = capture(field.as_deref().unwrap_or("_"), column.class);
        // What names a value is no part of what happened.
        words.retain(|word: &Word| {
            let between = &first.words.line[word.end.min(span.start)..span.start];
            !(between.starts_with(['=', ':'])
                && between.trim_start_matches(['=', ':', ' ', '"']).is_empty())
        });
        fields.extend(field);
        captures.push(Capture { span, text });
    }
    let text = match first.fields {
        Some(fields) => structured(first, fields, &captures),
        None => {
            let end = first.words.span(first.end().saturating_sub(1)).end;
            quoted(&assemble(first.words.line, begin_byte..end, &captures))
        }
    };
    Pattern { text, fields, words: words.into_iter().map(|word| word.text).collect() }
}

/// `{json: {msg: 'order paid', order.id: <order>}}`
fn structured(line: &Parsed<'_>, fields: &Fields, captures: &[Capture]) -> String {
    let mut start = 0;
    let mut pairs = Vec::new();
    for (path, value) in fields.paths.iter().zip(fields.text.split('\n')) {
        let pattern = assemble(line.words.line, start..start + value.len(), captures);
        // Values that no question is about would only keep lines out.
        let pattern = untyped(&pattern).unwrap_or(pattern);
        if pattern != "<_>" {
            pairs.push(format!("{}: {}", quoted(path), quoted(&pattern)));
        }
        start += value.len() + 1;
    }
    format!("{{{}: {{{}}}}}", fields.structure.name(), pairs.join(", "))
}

/// A value that is one capture is taken as it is, with the type that it has in the line.
fn untyped(pattern: &str) -> Option<String> {
    let (name, _) = pattern.strip_prefix('<')?.strip_suffix('>')?.split_once(':')?;
    (!name.contains(['<', '>'])).then(|| format!("<{name}>"))
}

/// A word that all lines have.
struct Word {
    text: String,
    end: usize,
}

/// Whether a column is the same in all lines, also in those that are not here.
fn is_literal(column: &Column<'_>, lines: usize, first: &Parsed<'_>, start: usize) -> bool {
    if !column.is_constant() {
        return false;
    }
    match column.class {
        Class::Mark | Class::Word => true,
        Class::Uuid | Class::Ip | Class::Quantity => false,
        Class::Int | Class::Number => {
            let before = &first.words.line[..start];
            let stands_alone = before.is_empty() || before.ends_with([' ', '\n', '=', ':']);
            lines > 1 && !stands_alone
        }
        Class::Id => lines > 1 && column.values[0].len() < LONG_ID,
    }
}

/// The word right behind a number, if it has none before it: `19 seconds`.
fn unit_of(line: &Parsed<'_>, column: &Column<'_>, end: usize) -> Option<String> {
    if !matches!(column.class, Class::Int | Class::Number) {
        return None;
    }
    let rest = line.words.line[end..].strip_prefix(' ')?;
    let unit: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    let after = &rest[unit.len()..];
    // It names what follows, or is the name of another number.
    let names_next = after.starts_with(['=', ':'])
        || after.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let is_name = unit.len() > 1 && !NO_NAMES.contains(&&*unit) && !names_next;
    is_name.then(|| unit.to_ascii_lowercase())
}

fn value_at<'c, 'l>(all: &'c [Column<'l>], place: Place) -> Option<&'c [&'l str]> {
    all.iter().find(|column| column.place == place).map(|column| &*column.values)
}

fn capture(name: &str, class: Class) -> String {
    match class {
        Class::Int => format!("<{name}:int>"),
        Class::Number => format!("<{name}:number>"),
        Class::Uuid => format!("<{name}:uuid>"),
        Class::Ip => format!("<{name}:ip>"),
        Class::Mark | Class::Word | Class::Quantity | Class::Id => format!("<{name}>"),
    }
}

/// Puts the line's text and the captures together. Where two stand side by side, one takes both.
fn assemble(line: &str, span: Range<usize>, captures: &[Capture]) -> String {
    let mut pattern = String::new();
    let mut at = span.start;
    let mut behind_capture = false;
    for capture in
        captures.iter().filter(|it| span.start <= it.span.start && it.span.end <= span.end)
    {
        let literal = &line[at..capture.span.start.max(at)];
        if literal.is_empty() && behind_capture {
            at = capture.span.end;
            continue;
        }
        pattern.push_str(&literal.replace('<', "<<"));
        pattern.push_str(&capture.text);
        at = capture.span.end;
        behind_capture = true;
    }
    pattern.push_str(&line[at..span.end.max(at)].replace('<', "<<"));
    // At its ends these tie a pattern to the line's.
    if pattern.starts_with('^') {
        pattern.insert(0, '^');
    }
    if pattern.ends_with('$') {
        pattern.push('$');
    }
    pattern
}

/// The path of the value that begins there.
fn path_of_whole<'l>(line: &Parsed<'l>, value: usize) -> Option<&'l str> {
    let fields = line.fields?;
    let before = &fields.text[..value];
    let is_start = before.is_empty() || before.ends_with('\n');
    let path = &**fields.paths.get(before.matches('\n').count())?;
    // A message has words of its own before its values.
    (is_start && !MESSAGES.contains(&path)).then_some(path)
}

/// The word right before a value, if it may name it and stands behind what was captured before:
/// `total=`, `status: `, `port `. Of a structured line, the field's name.
pub(crate) fn field_name(line: &Parsed<'_>, value: usize, behind: usize) -> Option<String> {
    if let Some(path) = path_of_whole(line, value) {
        let name = path.rsplit('.').find(|part| *part != "id").unwrap_or(path);
        let name: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        let name = name.trim_end_matches("_id").trim_matches('_').to_owned();
        return (!name.is_empty()).then_some(name);
    }
    let before = line.words.line[..value]
        .trim_end_matches(['=', ':', ' ', '"', '\'', '(', '[', '-', '_', '/', '#']);
    let is_name = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let length: usize = before.chars().rev().take_while(is_name).map(char::len_utf8).sum();
    let start = before.len() - length;
    let name = before[start..].trim_matches('.').to_ascii_lowercase();
    let is_name = start >= behind
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_LENGTH_MAX
        && name.len() > 1
        && !NO_NAMES.contains(&&*name);
    is_name.then(|| name.replace('.', "_"))
}
