//! What a record has in common with the one before it.
//!
//! Records of one source come in runs, and differ in their line, their time and their offset
//! only. Comparing the rest, which may be the long map that the kubernetes filter adds, is far less
//! work than reading it.

use crate::json::{Malformed, Walk};
use crate::record::Record;

/// Longest record that is remembered.
const BYTES_MAX: usize = 64 * 1024;

/// What stands in a place where records differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Line,
    Time,
    Offset,
}

/// A record without the values in its slots.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    /// What stands between the slots, one part after the other; empty if nothing is known.
    constant: Vec<u8>,
    /// The slots in the order in which they stand, each with the end of the part before it.
    slots: Vec<(Slot, usize)>,
    /// The tag of the record, and whether it counts: a record may say itself where it comes from.
    tag: Vec<u8>,
    tag_counts: bool,
    from_runtime: bool,
    entries: usize,
    /// How many bytes follow the last entry.
    after_entries: usize,
}

impl Shape {
    /// Knows nothing from now on.
    pub(crate) fn forget(&mut self) {
        self.constant.clear();
    }

    /// Remembers a record that was read from these bytes. Only one with a line is worth it.
    #[inline(never)]
    pub(crate) fn keep(&mut self, tag: &[u8], bytes: &[u8], record: &Record<'_>) {
        self.forget();
        let Some(line) = record.line() else { return };
        if bytes.len() - line.raw().len() > BYTES_MAX {
            return;
        }
        let place = |text: &[u8]| {
            let start = text.as_ptr().addr().wrapping_sub(bytes.as_ptr().addr());
            (start, start + text.len())
        };
        let time = record.time().map(|text| (Slot::Time, place(text.raw())));
        let offset = record.offset_text.map(|text| (Slot::Offset, place(text)));
        let mut slots = [Some((Slot::Line, place(line.raw()))), time, offset];
        slots.sort_unstable_by_key(|slot| slot.map(|(_, (start, _))| start));
        self.slots.clear();
        let mut from = 0;
        for (slot, (start, end)) in slots.into_iter().flatten() {
            self.constant.extend_from_slice(bytes.get(from..start).unwrap_or_default());
            self.slots.push((slot, self.constant.len()));
            from = end;
        }
        self.constant.extend_from_slice(bytes.get(from..).unwrap_or_default());
        self.tag.clear();
        self.tag.extend_from_slice(tag);
        self.tag_counts = !record.kubernetes.names_container();
        self.from_runtime = record.is_from_runtime();
        self.entries = record.entries;
        self.after_entries = bytes.len() - record.end;
    }

    /// Reads a record of the same shape and source; `None` if it is of another one. Of its texts only
    /// those in the slots are known then: the others are as before, and so is the source.
    pub(crate) fn read<'a>(&self, tag: &[u8], bytes: &'a [u8]) -> Option<Record<'a>> {
        if self.constant.is_empty() || (self.tag_counts && self.tag != tag) {
            return None;
        }
        let mut record = Record::of_known_source(self.from_runtime, self.entries);
        let mut walk = Walk { bytes, at: 0 };
        let mut from = 0;
        for (slot, end) in &self.slots {
            walk.constant(self.constant.get(from..*end)?).ok()?;
            from = *end;
            read_slot(*slot, &mut walk, &mut record).ok()?;
        }
        walk.constant(self.constant.get(from..)?).ok()?;
        record.end = bytes.len().checked_sub(self.after_entries)?;
        (walk.at == bytes.len()).then_some(record)
    }
}

/// A slot lies within the quotes of a text, or is a number.
#[inline(always)]
fn read_slot<'a>(
    slot: Slot,
    walk: &mut Walk<'a>,
    record: &mut Record<'a>,
) -> Result<(), Malformed> {
    match slot {
        Slot::Line => record.set_line(walk.rest_of_string()?),
        Slot::Time => record.set_time(walk.rest_of_string()?),
        Slot::Offset => record.offset = Some(walk.digits()?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::{self, Memo};

    fn fresh(bytes: &[u8]) -> Option<Record<'_>> {
        json::read(bytes, &mut Memo::default()).ok()
    }

    /// What a record of a known source has to tell.
    fn told<'a>(record: &Record<'a>) -> impl PartialEq + std::fmt::Debug + use<'a> {
        let Record { offset, entries, end, .. } = *record;
        (record.line(), record.time(), offset, entries, end, record.is_from_runtime())
    }

    /// Reads the second record by the shape of the first, and says whether that went; if so, it must
    /// have told the same as a reader that knows nothing.
    fn fits(first: (&str, &str), second: (&str, &str)) -> bool {
        let mut shape = Shape::default();
        let known = fresh(first.1.as_bytes()).expect("the first record is JSON");
        shape.keep(first.0.as_bytes(), first.1.as_bytes(), &known);
        let Some(record) = shape.read(second.0.as_bytes(), second.1.as_bytes()) else {
            return false;
        };
        let expected = fresh(second.1.as_bytes()).expect("only JSON has the shape of JSON");
        assert_eq!(told(&record), told(&expected), "{first:?}, {second:?}");
        assert_eq!((known.file, known.kubernetes), (expected.file, expected.kubernetes));
        assert!(first.0 == second.0 || known.kubernetes.names_container());
        true
    }

    #[test]
    fn records_of_one_shape_differ_in_line_time_and_offset() {
        let runtime = r#"{"time":"2026-11-22T06:15:24.5Z","stream":"stderr","log":"a","offset":7}"#;
        for (first, second, expected) in [
            (r#"{"log":"a"}"#, r#"{"log":"b \"c\" \\ \u00e9"}"#, true),
            (r#"{"log":"a"}"#, r#"{"log":""}"#, true),
            (r#"{"log":"a"}"#, r#"{"log":"a\"}"#, false),
            (r#"{"log":"a"}"#, r#"{"log":"a","b":1}"#, false),
            (r#"{"log":"a"}"#, r#"{"log":"a"} "#, false),
            (runtime, r#"{"time":"noon","stream":"stderr","log":"b","offset":1024}"#, true),
            (runtime, r#"{"time":"noon","stream":"stdout","log":"b","offset":1024}"#, false),
            (runtime, r#"{"time":"noon","stream":"stderr","log":"b","offset":-1}"#, false),
            (runtime, r#"{"time":"noon","stream":"stderr","log":"b","offset":1.5}"#, false),
            (runtime, r#"{"time":"noon","stream":"stderr","log":"b","offset":}"#, false),
            (r#"{"a":"log","message":"m"}"#, r#"{"a":"log","message":"n"}"#, true),
            (r#"{"log":"a","log":"b"}"#, r#"{"log":"a","log":"c"}"#, true),
            (r#"{"log":"a","log":"b"}"#, r#"{"log":"x","log":"b"}"#, false),
            (r#"{"a":1}"#, r#"{"a":1}"#, false),
        ] {
            assert_eq!(fits(("t", first), ("t", second)), expected, "{second}");
        }
    }

    #[test]
    fn a_tag_counts_unless_the_record_names_its_container() {
        let plain = r#"{"log":"a"}"#;
        let named = r#"{"log":"a","kubernetes":{"namespace_name":"n","container_name":"c"}}"#;
        let half = r#"{"log":"a","kubernetes":{"namespace_name":"n"}}"#;
        for (record, expected) in [(plain, false), (named, true), (half, false)] {
            assert_eq!(fits(("t", record), ("u", record)), expected, "{record}");
            assert_eq!(fits(("", record), ("u", record)), expected, "{record}");
            assert!(fits(("", record), ("", record)));
        }
    }

    fn record() -> impl Strategy<Value = String> {
        let text = "([a{}:,0 ]|\\\\\"|\\\\n|\\\\u0022){0,4}";
        let entry = prop_oneof![
            4 => ("log|message|time|stream|offset|file|x", text).prop_map(|(k, v)| format!(r#""{k}":"{v}""#)),
            2 => ("offset|log|x", "0|7|42|1\\.5|null|18446744073709551616|\\[1,\"log\"\\]")
                .prop_map(|(k, v)| format!(r#""{k}":{v}"#)),
            1 => Just(r#""kubernetes":{"namespace_name":"n","container_name":"c"}"#.to_owned()),
        ];
        prop::collection::vec(entry, 0..5).prop_map(|entries| format!("{{{}}}", entries.join(",")))
    }

    /// A record, and another one that is like it but for some values.
    fn alike() -> impl Strategy<Value = (String, String)> {
        let change = ("a|0|7|42", "a|\"|\\\\\\\\|b\\\\\"|0|9|18446744073709551616|,|\\}|");
        (record(), prop::collection::vec(change, 0..3), 0usize..3).prop_map(
            |(first, changes, skip)| {
                let mut second = first.clone();
                for (old, new) in changes {
                    let places: Vec<usize> = second.match_indices(&old).map(|(at, _)| at).collect();
                    if let Some(at) = places.get(skip) {
                        second.replace_range(*at..at + old.len(), &new);
                    }
                }
                (first, second)
            },
        )
    }

    proptest! {
        #[test]
        fn a_record_of_a_known_shape_tells_what_it_told_anyone((first, second) in alike()) {
            fits(("t", &first), ("t", &first));
            fits(("t", &first), ("t", &second));
        }
    }
}
