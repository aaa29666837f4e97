//! Where records come from: found once for each tag or pod, then remembered.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use statetrail_event::{Positions, Time};
use statetrail_rules::{ContainerName, Origin, RuleSet, ScopeId};
use xxhash_rust::xxh64::Xxh64;

use crate::record::{Kubernetes, Record, Text};

/// How many sources are remembered, and how many bytes they may take. A node runs a few hundred pods at
/// most; this bounds memory where pods come and go for months, or where what should be a file is not.
const SOURCES_MAX: usize = 10_000;
const BYTES_MAX: usize = 32 << 20;

/// What a source takes, roughly: its parts stand in its key, in the map's, and several times in what events
/// are made of; the rest is mostly its positions.
const COPIES: usize = 6;
const BYTES_EACH: usize = 2 << 10;

/// Longest path of a file. What is longer is none.
const FILE_BYTES_MAX: usize = 4_096;

/// A source of lines.
pub(crate) struct Source {
    key: Box<[u8]>,
    pub(crate) origin: Origin,
    pub(crate) scope: Option<ScopeId>,
    /// Of which rules the scope is.
    generation: u32,
    is_container: bool,
    is_new: bool,
    /// Whether it was found again since the hand passed.
    was_used: bool,
    positions: Positions,
}

/// The sources seen so far.
#[derive(Default)]
pub(crate) struct Sources {
    sources: Vec<Source>,
    by_key: HashMap<Box<[u8]>, usize, BuildHasherDefault<Xxh64>>,
    /// The source of the record before: most records come in runs of one source.
    last: usize,
    /// The source that is looked at next when one has to go.
    hand: usize,
    bytes: usize,
    /// Counts how often the rules have changed.
    generation: u32,
    /// Scratch memory for the key of the record at hand.
    key: Vec<u8>,
}

impl Sources {
    /// Makes the scopes void, because other rules are in force. What orders the lines of a moment
    /// goes on: lines must not be numbered anew in the middle of one.
    pub(crate) fn rules_have_changed(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// The source of a record.
    pub(crate) fn find(
        &mut self,
        rules: &mut RuleSet,
        tag: &[u8],
        record: &Record<'_>,
    ) -> &mut Source {
        if !record.has_known_source {
            self.look_up(rules, tag, record);
        }
        let source = &mut self.sources[self.last];
        if source.generation != self.generation {
            source.generation = self.generation;
            source.scope = scope_of(rules, &source.origin);
        }
        source
    }

    /// Makes the source of a record the last one.
    fn look_up(&mut self, rules: &mut RuleSet, tag: &[u8], record: &Record<'_>) {
        let parts = parts_of(tag, record);
        let same = self.sources.get(self.last).is_some_and(|source| has_parts(&source.key, parts));
        if !same {
            write_key(&mut self.key, parts);
            self.last = match self.by_key.get(self.key.as_slice()) {
                Some(index) => {
                    self.sources[*index].was_used = true;
                    *index
                }
                None => self.add(rules, tag, record),
            };
        }
    }

    fn add(&mut self, rules: &mut RuleSet, tag: &[u8], record: &Record<'_>) -> usize {
        let mut source = Source::new(&self.key, rules, tag, record);
        source.generation = self.generation;
        self.bytes += source.bytes();
        while !self.sources.is_empty()
            && (self.sources.len() == SOURCES_MAX || self.bytes > BYTES_MAX)
        {
            self.forget_one();
        }
        let index = self.sources.len();
        self.sources.push(source);
        self.by_key.insert(self.key.as_slice().into(), index);
        index
    }

    /// Forgets a source of which no record came for long: the first one that was not used again since the
    /// hand passed it before.
    fn forget_one(&mut self) {
        loop {
            let Some(source) = self.sources.get_mut(self.hand) else {
                self.hand = 0;
                continue;
            };
            if !std::mem::take(&mut source.was_used) {
                break;
            }
            self.hand += 1;
        }
        let gone = self.sources.swap_remove(self.hand);
        self.bytes -= gone.bytes();
        self.by_key.remove(&gone.key);
        // The last one stands in its place now, unless it was that.
        if let Some(moved) = self.sources.get(self.hand)
            && let Some(index) = self.by_key.get_mut(&moved.key)
        {
            *index = self.hand;
        }
        self.hand += 1;
    }
}

/// What tells sources apart: the parts of the `kubernetes` map if it names a container, else the
/// tag; and the node and the file, if they are told: a container that was started again has another
/// file.
type Parts<'a> = [&'a [u8]; 5];

fn parts_of<'a>(tag: &'a [u8], record: &Record<'a>) -> Parts<'a> {
    let raw = |part: Option<Text<'a>>| part.map_or(&b""[..], Text::raw);
    let Kubernetes { namespace, pod, container, node } = record.kubernetes;
    let (node, file) = (raw(node), raw(file_of(record)));
    if record.kubernetes.names_container() {
        [raw(container), raw(namespace), raw(pod), node, file]
    } else {
        // No container has an empty name.
        [b"", tag, b"", node, file]
    }
}

/// The file, if what is told can be one.
fn file_of<'a>(record: &Record<'a>) -> Option<Text<'a>> {
    record.file.filter(|file| file.raw().len() <= FILE_BYTES_MAX)
}

/// No byte of UTF-8, so no part holds it.
const SEPARATOR: u8 = 0xff;

fn write_key(key: &mut Vec<u8>, parts: Parts<'_>) {
    key.clear();
    for part in parts {
        key.push(SEPARATOR);
        key.extend_from_slice(part);
    }
}

/// Whether [`write_key`] would write this key.
fn has_parts(key: &[u8], parts: Parts<'_>) -> bool {
    let mut rest = key;
    for part in parts {
        match rest.split_first().and_then(|(_, rest)| rest.split_at_checked(part.len())) {
            Some((before, after)) if *before == *part => rest = after,
            _ => return false,
        }
        // Of a longer part only the front was compared.
        if rest.first().is_some_and(|byte| *byte != SEPARATOR) {
            return false;
        }
    }
    rest.is_empty()
}

/// What applies to the lines of an origin.
fn scope_of(rules: &mut RuleSet, origin: &Origin) -> Option<ScopeId> {
    match origin.namespace() {
        Some(namespace) => rules.scope(namespace, origin.container_name()),
        None => rules.scope_of_all(),
    }
}

impl Source {
    fn new(key: &[u8], rules: &mut RuleSet, tag: &[u8], record: &Record<'_>) -> Source {
        let tag = String::from_utf8_lossy(tag);
        let text = |part: Option<Text<'_>>| part.map(Text::to_text).unwrap_or_default();
        let namespace = text(record.kubernetes.namespace);
        let pod = text(record.kubernetes.pod);
        let container = text(record.kubernetes.container);
        // What is told to be empty is not told.
        let told = |part: Option<Text<'_>>| Some(text(part)).filter(|text| !text.is_empty());
        let node = told(record.kubernetes.node);
        let from_map = record.kubernetes.names_container().then_some(ContainerName {
            namespace: &namespace,
            pod: &pod,
            container: &container,
        });
        let name = from_map.or_else(|| ContainerName::from_container_log(&tag));
        let file = told(file_of(record));
        let origin = match name {
            Some(name) => Origin::container(name, node.as_deref(), file.as_deref()),
            None => Origin::plain(None, node.as_deref(), file.as_deref()),
        };
        Source {
            key: key.into(),
            scope: scope_of(rules, &origin),
            origin,
            generation: 0,
            is_container: name.is_some(),
            is_new: true,
            was_used: false,
            positions: Positions::default(),
        }
    }

    /// What it takes, roughly.
    fn bytes(&self) -> usize {
        BYTES_EACH + COPIES * self.key.len()
    }

    /// The source's node, when it is asked for the first time.
    pub(crate) fn new_node(&mut self) -> Option<&str> {
        if !std::mem::take(&mut self.is_new) {
            return None;
        }
        self.origin.source().node.as_deref()
    }

    /// The place of the next line among the lines with its time. Lines with a container
    /// runtime's time need none: it writes nanoseconds.
    pub(crate) fn next_position(&mut self, time: Time, record: &Record<'_>) -> u64 {
        if self.is_container || record.is_from_runtime() { 0 } else { self.positions.next(time) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The place of a line that one file wrote in one moment.
    fn position(sources: &mut Sources, tag: &str, file: &str) -> u64 {
        let mut record = Record::default();
        record.put_text(b"file", Text::Plain(file.as_bytes()));
        let source = sources.find(&mut RuleSet::default(), tag.as_bytes(), &record);
        source.next_position(Time::from_nanos(7), &record)
    }

    /// What the sources say of themselves is true.
    fn check(sources: &Sources) {
        assert!(sources.sources.len() <= SOURCES_MAX && sources.bytes <= BYTES_MAX);
        assert_eq!(sources.bytes, sources.sources.iter().map(Source::bytes).sum::<usize>());
        assert_eq!(sources.by_key.len(), sources.sources.len());
        for (index, source) in sources.sources.iter().enumerate() {
            assert_eq!(sources.by_key.get(&source.key), Some(&index));
        }
    }

    #[test]
    fn a_file_that_is_in_use_is_not_forgotten_for_many_that_are_not() {
        for width in [1, 1_000] {
            let mut sources = Sources::default();
            for number in 0..3 * SOURCES_MAX {
                let other = format!("{number:0width$}");
                assert_eq!(position(&mut sources, "host.app", &other), 0, "{other}");
                if number % 1_000 == 0 {
                    let expected = number as u64 / 1_000;
                    assert_eq!(position(&mut sources, "host.app", "/var/log/app.log"), expected);
                    check(&sources);
                }
            }
            assert_eq!(position(&mut sources, "host.app", &"0".repeat(width)), 0, "long forgotten");
            check(&sources);
        }
    }

    #[test]
    fn what_is_too_long_for_a_path_is_no_file() {
        let mut sources = Sources::default();
        let long = "x".repeat(FILE_BYTES_MAX + 1);
        let places = ["", &long, "x", &long[1..]].map(|file| position(&mut sources, "a", file));
        assert_eq!(places, [0, 1, 0, 0]);
    }

    proptest! {
        #[test]
        fn a_key_has_the_parts_that_it_was_written_from(
            written in prop::array::uniform5("[ab]{0,3}"),
            asked in prop::array::uniform5("[ab]{0,3}"),
        ) {
            let bytes = |parts: &[String; 5]| parts.each_ref().map(|part| part.clone().into_bytes());
            let (written_bytes, asked_bytes) = (bytes(&written), bytes(&asked));
            let mut key = Vec::new();
            write_key(&mut key, written_bytes.each_ref().map(Vec::as_slice));
            let asked_parts = asked_bytes.each_ref().map(Vec::as_slice);
            prop_assert_eq!(has_parts(&key, asked_parts), written == asked);
        }
    }
}
