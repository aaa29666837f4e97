//! Which words are ids: those that come back in lines of several forms.
//!
//! A column whose values come back in a column of another template names the same things. All
//! columns that hang together so are one kind of entity. Its lives tell how good a guess it is: an id
//! with lines of many forms, few of them twice, lives; a status code or a process that writes all day
//! does not.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::message::{holds_moment, is_clock, is_compact_date, is_date};
use crate::template::{Column, Parsed, Place, Template, columns, joints};
use crate::token::Class;

/// Shortest number that may be an id.
const DIGITS_MIN: usize = 4;
/// Fewest words that a column without digits has, to be taken for names.
const NAMES_MIN: usize = 3;
/// A value in more columns than that says nothing.
const COLUMNS_MAX: usize = 100;
/// From this length on, a value with digits that comes back once is no accident.
const DISTINCT_LENGTH: usize = 6;
/// Share of the smaller column's values that come back.
const SHARED: f64 = 0.3;
/// What stands before messages is more often a request or a process than what the messages are about.
const HEAD_WEIGHT: f64 = 0.5;
/// Fewer ids are no kind.
const IDS_MIN: usize = 2;

/// A column of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct At {
    template: usize,
    place: Place,
}

/// A kind of entity that the lines seem to tell of.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// One column of each template that names it.
    columns: Vec<At>,
    /// Its events: each a part of a template, with the column of the id.
    pub(crate) events: Vec<(Template, Place)>,
    /// What all its ids look like.
    pub(crate) class: Class,
    /// How much of lives it explains.
    pub(crate) score: f64,
}

/// The columns of all templates.
pub(crate) type Table<'l> = Vec<Vec<Column<'l>>>;

pub(crate) fn table<'l>(lines: &[Parsed<'l>], templates: &[Template]) -> Table<'l> {
    templates.iter().map(|template| all_columns(lines, template)).collect()
}

fn all_columns<'l>(lines: &[Parsed<'l>], template: &Template) -> Vec<Column<'l>> {
    let mut all = columns(lines, template);
    let mut joints = joints(lines, template);
    // A chunk that is a column already is none of several.
    joints.retain(|joint| all.iter().all(|column| column.place != joint.place));
    all.append(&mut joints);
    all
}

/// The kinds of entities, the one that explains most first.
pub(crate) fn kinds(lines: &[Parsed<'_>], templates: &[Template], table: &Table<'_>) -> Vec<Kind> {
    let candidates: Vec<(At, &Column<'_>, BTreeSet<&str>)> = table
        .iter()
        .enumerate()
        .flat_map(|(template, columns)| columns.iter().map(move |column| (template, column)))
        .filter(|(template, column)| {
            may_be_ids(column) && !is_of_time(lines, &templates[*template], column.place)
        })
        .map(|(template, column)| {
            let at = At { template, place: column.place };
            (at, column, column.values.iter().copied().collect())
        })
        .collect();
    let mut groups = Groups::new(candidates.len());
    for ((one, other), shared) in shared_values(&candidates) {
        let fewer = candidates[one].2.len().min(candidates[other].2.len());
        if shared.enough(fewer) {
            groups.join(one, other);
        }
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for candidate in 0..candidates.len() {
        members.entry(groups.root(candidate)).or_default().push(candidate);
    }
    let mut kinds: Vec<Kind> = members
        .into_values()
        .filter_map(|members| {
            let columns =
                members.iter().map(|member| (candidates[*member].0, candidates[*member].1));
            kind_of(lines, templates, table, columns.collect())
        })
        .collect();
    kinds.sort_by(|one, other| other.score.total_cmp(&one.score));
    kinds
}

/// Whether a column is a part of times: of a moment, or what stands in the head right before a clock's
/// time.
fn is_of_time(lines: &[Parsed<'_>], template: &Template, place: Place) -> bool {
    template.lines.iter().all(|number| {
        let line = &lines[*number];
        let chunk = line.number_of(place.chunk);
        let is_before_clock = place.chunk < 0 && is_clock(line.words.chunk_text(chunk + 1));
        is_before_clock || holds_moment(line.words.chunk_text(chunk))
    })
}

fn may_be_ids(column: &Column<'_>) -> bool {
    let are_all = |is_one: fn(&str) -> bool| column.values.iter().all(|value| is_one(value));
    let is_long = |least: usize| column.values.iter().all(|value| value.len() >= least);
    match column.class {
        Class::Mark | Class::Number | Class::Quantity => false,
        Class::Uuid | Class::Ip => true,
        Class::Int => is_long(DIGITS_MIN) && !is_epoch(column) && !are_all(is_compact_date),
        Class::Id => is_long(3) && !are_all(is_date),
        Class::Word => {
            let values: BTreeSet<&&str> = column.values.iter().collect();
            column.place.chunk >= 0 && values.len() >= NAMES_MIN
        }
    }
}

/// Times in seconds or milliseconds since 1970 look like ids.
fn is_epoch(column: &Column<'_>) -> bool {
    column.place.chunk < 0
        && column
            .values
            .iter()
            .all(|value| [10, 13].contains(&value.len()) && value.starts_with('1'))
}

#[derive(Clone, Copy, Default)]
struct Shared {
    values: usize,
    /// Whether one of them can hardly come back by accident.
    is_distinct: bool,
}

impl Shared {
    fn enough(self, fewer: usize) -> bool {
        (self.values >= 2 || self.is_distinct) && self.values as f64 >= SHARED * fewer as f64
    }
}

type Candidate<'t> = (At, &'t Column<'t>, BTreeSet<&'t str>);

/// How many values two columns of different templates have in common.
fn shared_values(candidates: &[Candidate<'_>]) -> BTreeMap<(usize, usize), Shared> {
    let mut with: HashMap<&str, Vec<usize>> = HashMap::new();
    for (number, (_, _, values)) in candidates.iter().enumerate() {
        for value in values {
            with.entry(value).or_default().push(number);
        }
    }
    let mut shared: BTreeMap<(usize, usize), Shared> = BTreeMap::new();
    for (value, columns) in with.into_iter().filter(|(_, columns)| columns.len() <= COLUMNS_MAX) {
        let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
        for (index, one) in columns.iter().enumerate() {
            for other in &columns[index + 1..] {
                let entry = shared.entry((*one, *other)).or_default();
                entry.values += 1;
                entry.is_distinct |= has_digit && value.len() >= DISTINCT_LENGTH;
            }
        }
    }
    shared
}

/// The kind that these columns name, if there is life in it.
fn kind_of(
    lines: &[Parsed<'_>],
    templates: &[Template],
    table: &Table<'_>,
    mut columns: Vec<(At, &Column<'_>)>,
) -> Option<Kind> {
    // The first column of a template names it, one of the message before those of the head.
    columns.sort_by_key(|(at, _)| (at.template, at.place.chunk < 0, at.place));
    columns.dedup_by_key(|(at, _)| at.template);
    let in_head = columns.iter().filter(|(at, _)| at.place.chunk < 0).count();
    let weight = if 2 * in_head > columns.len() { HEAD_WEIGHT } else { 1.0 };
    let mut events = Vec::new();
    for (at, _) in &columns {
        split(lines, &templates[at.template], &table[at.template], at.place, &mut events);
    }
    let score = score(lines, &events)? * weight;
    let class = columns
        .iter()
        .map(|(_, column)| column.class)
        .reduce(|one, other| if one == other { one } else { Class::Id })?;
    let columns = columns.into_iter().map(|(at, _)| at).collect();
    Some(Kind { columns, events, class, score })
}

impl Kind {
    /// Whether another kind has its ids where most of this one's are: in a part of them, or around them.
    pub(crate) fn is_within(&self, other: &Kind) -> bool {
        let chunk = |at: &At| (at.template, at.place.chunk);
        let shared =
            self.columns.iter().filter(|at| other.columns.iter().any(|it| chunk(it) == chunk(at)));
        2 * shared.count() > self.columns.len()
    }
}

/// The sum over all ids of the forms beyond the first one that its lines have, less for lines that say
/// the same again.
fn score(lines: &[Parsed<'_>], events: &[(Template, Place)]) -> Option<f64> {
    let mut lives: HashMap<&str, (usize, usize)> = HashMap::new();
    for (template, place) in events {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for line in &template.lines {
            let words = &lines[*line].words;
            *counts.entry(&words.line[lines[*line].span_of(*place)]).or_default() += 1;
        }
        for (value, lines) in counts {
            let life = lives.entry(value).or_default();
            life.0 += 1;
            life.1 += lines;
        }
    }
    if lives.len() < IDS_MIN {
        return None;
    }
    let score: f64 = lives
        .values()
        .map(|(forms, lines)| (*forms as f64 - 1.0) * *forms as f64 / *lines as f64)
        .sum();
    (score >= 1.0).then_some(score)
}

/// Things that are joined to groups one by one.
struct Groups(Vec<usize>);

impl Groups {
    fn new(things: usize) -> Groups {
        Groups((0..things).collect())
    }

    fn root(&mut self, thing: usize) -> usize {
        let mut root = thing;
        while self.0[root] != root {
            self.0[root] = self.0[self.0[root]];
            root = self.0[root];
        }
        root
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}

/// Adds a template to the events of the kind whose ids stand at `place`, split by words that change within
/// a life: `VM Started` and `VM Paused` are two events, names of users are not.
fn split<'l>(
    lines: &[Parsed<'l>],
    template: &Template,
    columns: &[Column<'l>],
    place: Place,
    events: &mut Vec<(Template, Place)>,
) {
    let Some(ids) = columns.iter().find(|column| column.place == place) else { return };
    let by = columns.iter().find(|column| is_event_word(column, ids));
    let Some(by) = by else {
        events.push((template.clone(), place));
        return;
    };
    let mut parts: Vec<(&str, Template)> = Vec::new();
    for (value, line) in by.values.iter().zip(&template.lines) {
        match parts.iter_mut().find(|(known, _)| known == value) {
            Some((_, part)) => part.lines.push(*line),
            None => parts.push((value, Template { lines: vec![*line] })),
        }
    }
    for (_, part) in parts {
        split(lines, &part, &all_columns(lines, &part), place, events);
    }
}

/// Most words that may stand for events in one place.
const EVENT_WORDS_MAX: usize = 20;
/// Without ids that come back, fewer words and more lines each are needed.
const WORDS_MAX: usize = 5;

/// Whether the words of a column change within the lives of ids.
fn is_event_word(column: &Column<'_>, ids: &Column<'_>) -> bool {
    let is_other = column.place.chunk != ids.place.chunk && !column.is_joint;
    if column.class != Class::Word || !is_other || column.place.chunk < 0 {
        return false;
    }
    let words: BTreeSet<&&str> = column.values.iter().collect();
    if !(2..=EVENT_WORDS_MAX).contains(&words.len()) {
        return false;
    }
    let mut by_id: HashMap<&str, (usize, BTreeSet<&str>)> = HashMap::new();
    for (id, word) in ids.values.iter().zip(&column.values) {
        let (lines, words) = by_id.entry(id).or_default();
        *lines += 1;
        words.insert(word);
    }
    let again: Vec<_> = by_id.values().filter(|(lines, _)| *lines > 1).collect();
    if again.is_empty() {
        return words.len() <= WORDS_MAX && column.values.len() >= 3 * words.len();
    }
    let changing = again.iter().filter(|(_, words)| words.len() > 1).count();
    2 * changing >= again.len()
}
