//! The fields of a structured line, found by the paths that some rule asks for.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::matcher::Span;

/// The paths that the rules of a rule set ask for, each with its number.
#[derive(Default)]
pub(crate) struct Paths {
    numbers: HashMap<Box<[u8]>, u32, BuildHasherDefault<Fnv>>,
}

impl Paths {
    /// The number of a path; a new path gets the next one.
    pub(crate) fn number(&mut self, path: &str) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(path.as_bytes().into()).or_insert(next)
    }

    pub(crate) fn get(&self, path: &[u8]) -> Option<u32> {
        self.numbers.get(path).copied()
    }
}

/// FNV-1a: names of fields are short, and the filter's interpreter makes a stronger hash dear.
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// What kind of value a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// Text without escapes.
    Text,
    /// Text with backslash escapes, still in place.
    Escaped,
    /// A number of JSON.
    Number,
    /// `true` or `false` of JSON.
    Bool,
    /// An object or array of JSON, as it is written.
    Nested,
}

/// Where a field's value stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) kind: FieldKind,
    /// Without quotes.
    pub(crate) span: Span,
}

/// Takes the number of a path and the field found there, or `None` where JSON says `null`.
pub(crate) type FieldSink<'s> = dyn FnMut(u32, Option<Field>) + 's;

/// The fields of one line. Values of earlier lines are told apart by their generation, so that
/// nothing need be cleared.
#[derive(Default)]
pub(crate) struct Fields {
    generation: u32,
    fields: Vec<(u32, Option<Field>)>,
}

impl Fields {
    /// Forgets the fields of the line before.
    pub(crate) fn begin(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.fields.clear();
            self.generation = 1;
        }
    }

    /// Keeps a field; of two with the same path, the later one holds, as in most JSON readers.
    pub(crate) fn put(&mut self, number: u32, field: Option<Field>) {
        let index = number as usize;
        if index >= self.fields.len() {
            self.fields.resize(index + 1, (0, None));
        }
        self.fields[index] = (self.generation, field);
    }

    pub(crate) fn get(&self, number: u32) -> Option<Field> {
        match self.fields.get(number as usize) {
            Some((generation, field)) if *generation == self.generation => *field,
            _ => None,
        }
    }
}
