//! Where records come from: found once for each tag or pod, then remembered.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use statetrail_event::{Positions, Time};
use statetrail_rules::{ContainerName, Origin, RuleSet, ScopeId};
use xxhash_rust::xxh64::Xxh64;

use crate::record::{Kubernetes, Record, Text};

/// How many sources are remembered. A node runs a few hundred pods at most; this bounds memory
/// where pods come and go for months.
const SOURCES_MAX: usize = 10_000;

/// A source of lines.
pub(crate) struct Source {
    key: Box<[u8]>,
    pub(crate) origin: Origin,
    pub(crate) scope: Option<ScopeId>,
    is_container: bool,
    positions: Positions,
}

/// The sources seen so far.
#[derive(Default)]
pub(crate) struct Sources {
    sources: Vec<Source>,
    by_key: HashMap<Box<[u8]>, usize, BuildHasherDefault<Xxh64>>,
    /// The source of the record before: most records come in runs of one source.
    last: usize,
    /// Scratch memory for the key of the record at hand.
    key: Vec<u8>,
}

impl Sources {
    /// The source of a record.
    pub(crate) fn find(
        &mut self,
        rules: &mut RuleSet,
        tag: &[u8],
        record: &Record<'_>,
    ) -> &mut Source {
        write_key(&mut self.key, tag, record);
        let same = self.sources.get(self.last).is_some_and(|source| *source.key == *self.key);
        if !same {
            self.last = match self.by_key.get(self.key.as_slice()) {
                Some(index) => *index,
                None => self.add(rules, tag, record),
            };
        }
        &mut self.sources[self.last]
    }

    fn add(&mut self, rules: &mut RuleSet, tag: &[u8], record: &Record<'_>) -> usize {
        if self.sources.len() == SOURCES_MAX {
            self.sources.clear();
            self.by_key.clear();
        }
        let index = self.sources.len();
        self.sources.push(Source::new(&self.key, rules, tag, record));
        self.by_key.insert(self.key.as_slice().into(), index);
        index
    }
}

/// Writes what tells sources apart: the parts of the `kubernetes` map if it names a container,
/// else the tag and the file, if there is one.
fn write_key(key: &mut Vec<u8>, tag: &[u8], record: &Record<'_>) {
    key.clear();
    let Kubernetes { namespace, pod, container, node } = record.kubernetes;
    let parts = match (namespace, container) {
        (Some(_), Some(_)) => [namespace, pod, container, node],
        _ => [Some(Text::Plain(tag)), record.file(), None, None],
    };
    for part in parts {
        // No byte of UTF-8, so no text holds it.
        key.push(0xff);
        key.extend_from_slice(part.map_or(&[], Text::raw));
    }
}

impl Source {
    fn new(key: &[u8], rules: &mut RuleSet, tag: &[u8], record: &Record<'_>) -> Source {
        let tag = String::from_utf8_lossy(tag);
        let text = |part: Option<Text<'_>>| part.map(Text::to_text).unwrap_or_default();
        let namespace = text(record.kubernetes.namespace);
        let pod = text(record.kubernetes.pod);
        let container = text(record.kubernetes.container);
        let node = record.kubernetes.node.map(Text::to_text);
        let from_map = (!namespace.is_empty() && !container.is_empty()).then_some(ContainerName {
            namespace: &namespace,
            pod: &pod,
            container: &container,
        });
        let name = from_map.or_else(|| ContainerName::from_container_log(&tag));
        let file = record.file().map(Text::to_text);
        let (origin, scope) = match name {
            Some(name) => (
                Origin::container(name, node.as_deref(), file.as_deref()),
                rules.scope(name.namespace, name.container),
            ),
            None => (Origin::plain(None, node.as_deref(), file.as_deref()), rules.scope_of_all()),
        };
        Source {
            key: key.into(),
            origin,
            scope,
            is_container: name.is_some(),
            positions: Positions::default(),
        }
    }

    /// The place of the next line among the lines with its time. Lines with a container
    /// runtime's time need none: it writes nanoseconds.
    pub(crate) fn next_position(&mut self, time: Time, record: &Record<'_>) -> u64 {
        if self.is_container || record.is_from_runtime() { 0 } else { self.positions.next(time) }
    }
}
