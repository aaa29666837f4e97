//! Lines that say the same with other words in some places.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::drain::Drain;
use crate::fields::{Fields, fields_of};
use crate::message::message_start;
use crate::token::{Class, Token, Words};

/// Chunks of a message that are looked at.
const CHUNKS: usize = 60;

/// A line before it is taken apart.
pub(crate) struct Source<'s> {
    pub(crate) line: &'s str,
    fields: Option<Fields>,
}

impl<'s> Source<'s> {
    pub(crate) fn of(line: &'s str) -> Source<'s> {
        Source { line, fields: fields_of(line) }
    }
}

/// A line with what is known of its form.
pub(crate) struct Parsed<'l> {
    /// As it was written.
    pub(crate) line: &'l str,
    /// Of a structured line, those of its values.
    pub(crate) words: Words<'l>,
    /// The chunk with which the message begins.
    pub(crate) message: usize,
    pub(crate) fields: Option<&'l Fields>,
}

impl<'l> Parsed<'l> {
    pub(crate) fn of(source: &'l Source<'_>) -> Parsed<'l> {
        let line = source.line;
        match &source.fields {
            Some(fields) => {
                let words = Words::of(&fields.text);
                Parsed { line, words, message: 0, fields: Some(fields) }
            }
            None => {
                let words = Words::of(line);
                let message = message_start(&words);
                Parsed { line, words, message, fields: None }
            }
        }
    }

    /// The number of a chunk that is counted from the message's start.
    pub(crate) fn number_of(&self, chunk: isize) -> usize {
        self.message.saturating_add_signed(chunk)
    }

    /// Where something stands in the line's words.
    pub(crate) fn span_of(&self, place: Place) -> Range<usize> {
        let chunk = self.number_of(place.chunk);
        match place.token.and_then(|token| self.words.chunk(chunk).get(token)) {
            Some(token) => token.start..token.end(),
            None => self.words.span(chunk),
        }
    }

    /// One past the last chunk of the message that is looked at.
    pub(crate) fn end(&self) -> usize {
        self.words.len().min(self.message + CHUNKS)
    }
}

/// Lines of one form, by their numbers.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) lines: Vec<usize>,
}

/// Groups lines by their forms, in the order in which the forms appear. Lines without a word are left
/// out.
pub(crate) fn mine(lines: &[Parsed<'_>]) -> Vec<Template> {
    let mut drain = Drain::default();
    let mut templates: Vec<Template> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(template) = drain.add(&form_of(line)) else { continue };
        // Their numbers are given in order.
        if template == templates.len() {
            templates.push(Template { lines: Vec::new() });
        }
        templates[template].lines.push(number);
    }
    join_by_names(lines, templates)
}

/// Forms among which names are looked for.
const FORMS_MAX: usize = 5_000;
/// Fewest names without digits that make templates which differ in them alone one template.
const NAMES_MIN: usize = 3;

/// Joins templates that differ in one word, if that word comes back in the same way elsewhere: `ann logs
/// in`, `bob logs in`, `ann logs out` ... tell of people, not of twice as many events as there are people.
fn join_by_names(lines: &[Parsed<'_>], templates: Vec<Template>) -> Vec<Template> {
    // So many forms are free text.
    if templates.len() > FORMS_MAX {
        return templates;
    }
    // For each form with one word left out, the words and their templates.
    let mut gaps: BTreeMap<(Vec<&str>, usize), BTreeMap<&str, usize>> = BTreeMap::new();
    for (number, template) in templates.iter().enumerate() {
        let line = &lines[template.lines[0]];
        let tokens: Vec<&Token<'_>> =
            (line.message..line.end()).flat_map(|chunk| line.words.chunk(chunk)).collect();
        let form: Vec<&str> = tokens.iter().map(|token| stand_in(token)).collect();
        for (place, token) in tokens.iter().enumerate().filter(|(_, it)| it.class == Class::Word) {
            let mut gap = form.clone();
            gap[place] = "";
            gaps.entry((gap, place)).or_default().insert(token.text, number);
        }
    }
    gaps.retain(|_, words| words.len() >= NAMES_MIN);
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for word in gaps.values().flat_map(BTreeMap::keys) {
        *uses.entry(word).or_default() += 1;
    }
    let mut groups: Vec<Vec<usize>> = gaps
        .values()
        .filter(|words| words.keys().filter(|word| uses[*word] > 1).count() >= NAMES_MIN)
        .map(|words| words.values().copied().collect())
        .collect();
    // There are more names than events, as a rule.
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut target: Vec<usize> = (0..templates.len()).collect();
    let mut is_joined = vec![false; templates.len()];
    for group in groups {
        if group.iter().any(|number| is_joined[*number]) {
            continue;
        }
        let first = group.iter().copied().min().unwrap_or_default();
        for number in group {
            (target[number], is_joined[number]) = (first, true);
        }
    }
    let mut joined: BTreeMap<usize, Template> = BTreeMap::new();
    for (template, target) in templates.into_iter().zip(target) {
        let whole = joined.entry(target).or_insert_with(|| Template { lines: Vec::new() });
        whole.lines.extend(template.lines);
    }
    joined
        .into_values()
        .map(|mut template| {
            template.lines.sort_unstable();
            template
        })
        .collect()
}

/// The message with stand-ins for numbers and ids.
fn form_of(line: &Parsed<'_>) -> String {
    // Lines with other fields are of another form, whatever their values.
    let mut form = line.fields.map_or_else(String::new, |fields| {
        format!("{}:{}", fields.structure.name(), fields.paths.join(","))
    });
    for chunk in line.message..line.end() {
        if !form.is_empty() {
            form.push(' ');
        }
        for token in line.words.chunk(chunk) {
            form.push_str(stand_in(token));
        }
    }
    form
}

fn stand_in<'t>(token: &Token<'t>) -> &'t str {
    match token.class {
        Class::Mark | Class::Word => token.text,
        Class::Int | Class::Number | Class::Quantity => "<number>",
        Class::Ip => "<ip>",
        Class::Uuid => "<uuid>",
        Class::Id => "<id>",
    }
}

/// Where in the lines of a template something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Counted from the message's start; chunks of the head are before it.
    pub(crate) chunk: isize,
    /// The token within the chunk; `None` for the chunk as a whole.
    pub(crate) token: Option<usize>,
}

/// What the lines of a template have at one place.
#[derive(Clone, Debug)]
pub(crate) struct Column<'l> {
    pub(crate) place: Place,
    /// In the order of the template's lines.
    pub(crate) values: Vec<&'l str>,
    pub(crate) class: Class,
    /// Whether it is several columns taken together, such as name and version in `libc6:2.36`.
    pub(crate) is_joint: bool,
}

impl Column<'_> {
    /// Whether all lines have the same there.
    pub(crate) fn is_constant(&self) -> bool {
        self.values.iter().all(|value| *value == self.values[0])
    }
}

/// The columns of a template: those of the head as far as all lines have it, then those of the message.
pub(crate) fn columns<'l>(lines: &[Parsed<'l>], template: &Template) -> Vec<Column<'l>> {
    let of: Vec<&Parsed<'l>> = template.lines.iter().map(|line| &lines[*line]).collect();
    let head = of.iter().map(|line| line.message).min().unwrap_or(0) as isize;
    let message = of.iter().map(|line| line.end() - line.message).min().unwrap_or(0) as isize;
    (-head..message).flat_map(|chunk| columns_of_chunk(&of, chunk)).collect()
}

fn columns_of_chunk<'l>(lines: &[&Parsed<'l>], chunk: isize) -> Vec<Column<'l>> {
    let first = lines[0].words.chunk(lines[0].number_of(chunk));
    let is_alike = lines.iter().all(|line| {
        let tokens = line.words.chunk(line.number_of(chunk));
        tokens.len() == first.len()
            && tokens.iter().zip(first).all(|(token, other)| {
                let is_mark = |token: &Token<'_>| token.class == Class::Mark;
                is_mark(token) == is_mark(other) && (!is_mark(token) || token.text == other.text)
            })
    });
    if !is_alike {
        let values: Vec<&str> =
            lines.iter().map(|line| line.words.chunk_text(line.number_of(chunk))).collect();
        return vec![Column {
            place: Place { chunk, token: None },
            class: class_of_chunks(&values),
            values,
            is_joint: false,
        }];
    }
    let tokens = (0..first.len()).filter(|token| first[*token].class != Class::Mark);
    tokens
        .map(|token| {
            let of = |line: &&Parsed<'l>| line.words.chunk(line.number_of(chunk))[token];
            Column {
                place: Place { chunk, token: Some(token) },
                values: lines.iter().map(|line| of(line).text).collect(),
                class: joined(lines.iter().map(|line| of(line).class)),
                is_joint: false,
            }
        })
        .collect()
}

/// Chunks of several words that may be one id together. What surrounds them, such as brackets, may not.
pub(crate) fn joints<'l>(lines: &[Parsed<'l>], template: &Template) -> Vec<Column<'l>> {
    let of = || template.lines.iter().map(|line| &lines[*line]);
    let message = of().map(|line| line.end() - line.message).min().unwrap_or(0) as isize;
    let joint = |chunk: isize| {
        of().all(|line| is_joint(line.words.chunk(line.number_of(chunk)))).then(|| {
            let values: Vec<&str> =
                of().map(|line| line.words.chunk_text(line.number_of(chunk))).collect();
            let place = Place { chunk, token: None };
            Column { place, class: class_of_chunks(&values), values, is_joint: true }
        })
    };
    (0..message).filter_map(joint).collect()
}

fn is_joint(tokens: &[Token<'_>]) -> bool {
    let is_word = |token: Option<&Token<'_>>| token.is_some_and(|token| token.class != Class::Mark);
    let joins = |token: &Token<'_>| token.class != Class::Mark || ":/#~+-.".contains(token.text);
    tokens.len() > 1
        && is_word(tokens.first())
        && is_word(tokens.last())
        && tokens.iter().all(joins)
}

fn class_of_chunks(chunks: &[&str]) -> Class {
    let has_digit = |chunk: &&str| chunk.bytes().any(|byte| byte.is_ascii_digit());
    if chunks.iter().any(has_digit) { Class::Id } else { Class::Word }
}

/// What values of several classes are together.
fn joined(classes: impl Iterator<Item = Class>) -> Class {
    classes
        .reduce(|one, other| match (one, other) {
            _ if one == other => one,
            (Class::Int, Class::Number) | (Class::Number, Class::Int) => Class::Number,
            (Class::Word, _) | (_, Class::Word) => Class::Word,
            _ => Class::Id,
        })
        .unwrap_or(Class::Mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_say_the_same_are_together() {
        let lines = [
            "12:00:01 INFO order o-1 placed total=5",
            "12:00:02 INFO order o-2 placed total=7.5",
            "12:00:03 WARN order o-1 refused",
            "",
            "12:00:04 INFO order o-3 placed total=1",
            "12:00:04 INFO order o-3 paid by card",
        ];
        let sources = lines.map(Source::of);
        let parsed: Vec<Parsed<'_>> = sources.iter().map(Parsed::of).collect();
        let templates = mine(&parsed);
        let numbers: Vec<&[usize]> = templates.iter().map(|it| &*it.lines).collect();
        assert_eq!(numbers, [&[0, 1, 4][..], &[2], &[5]]);
        let varying = columns(&parsed, &templates[0]).into_iter().filter(|it| !it.is_constant());
        let varying: Vec<_> = varying.map(|it| (it.place.chunk, it.values, it.class)).collect();
        assert_eq!(
            varying[1..],
            [(1, vec!["o-1", "o-2", "o-3"], Class::Id), (3, vec!["5", "7.5", "1"], Class::Number),]
        );
    }
}
