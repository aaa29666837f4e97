//! A MessagePack record, walked in place: no tree, no recursion, no allocation.

use crate::json::Malformed;
use crate::record::{Kubernetes, Record, Text};

/// The head of one value: what it is and how much follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// A text or binary value of this many bytes.
    Text(usize),
    /// A whole number without sign.
    Unsigned(u64),
    /// An array of this many values.
    Array(usize),
    /// A map of this many entries.
    Map(usize),
    /// Anything else, with this many bytes after the head.
    Other(usize),
}

/// Whether a record is in MessagePack: it begins with the head of a map.
pub(crate) fn is_map(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf))
}

/// Finds the parts of a record that is one map.
pub(crate) fn read(bytes: &[u8]) -> Result<Record<'_>, Malformed> {
    let mut record = Record::default();
    let mut walk = Walk { rest: bytes };
    let Head::Map(entries) = walk.head()? else { return Err(Malformed) };
    record.entries = entries;
    for _ in 0..entries {
        let key = walk.key()?;
        match (walk.head()?, key) {
            (Head::Text(length), Some(key)) => {
                record.put_text(key, Text::Plain(walk.take(length)?));
            }
            (Head::Map(entries), Some(b"kubernetes")) => {
                walk.kubernetes(entries, &mut record.kubernetes)?;
            }
            (Head::Unsigned(number), Some(b"offset")) => record.offset = Some(number),
            (head, _) => walk.skip(head)?,
        }
    }
    record.end = bytes.len() - walk.rest.len();
    if walk.rest.iter().all(|byte| *byte == 0) { Ok(record) } else { Err(Malformed) }
}

struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A big-endian number of `bytes` bytes.
    fn number(&mut self, bytes: usize) -> Result<u64, Malformed> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn length(&mut self, bytes: usize) -> Result<usize, Malformed> {
        usize::try_from(self.number(bytes)?).map_err(|_| Malformed)
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        let marker = self.take(1)?.first().copied().ok_or(Malformed)?;
        Ok(match marker {
            0x00..=0x7f => Head::Unsigned(u64::from(marker)),
            0x80..=0x8f => Head::Map(usize::from(marker & 0x0f)),
            0x90..=0x9f => Head::Array(usize::from(marker & 0x0f)),
            0xa0..=0xbf => Head::Text(usize::from(marker & 0x1f)),
            0xc4 | 0xd9 => Head::Text(self.length(1)?),
            0xc5 | 0xda => Head::Text(self.length(2)?),
            0xc6 | 0xdb => Head::Text(self.length(4)?),
            // An extension has one byte for its type before its content.
            0xc7 => Head::Other(self.length(1)?.saturating_add(1)),
            0xc8 => Head::Other(self.length(2)?.saturating_add(1)),
            0xc9 => Head::Other(self.length(4)?.saturating_add(1)),
            0xd4..=0xd8 => Head::Other((1 << (marker - 0xd4)) + 1),
            0xcc..=0xcf => Head::Unsigned(self.number(1 << (marker - 0xcc))?),
            0xd0..=0xd3 => Head::Other(1 << (marker - 0xd0)),
            0xca => Head::Other(4),
            0xcb => Head::Other(8),
            0xdc => Head::Array(self.length(2)?),
            0xdd => Head::Array(self.length(4)?),
            0xde => Head::Map(self.length(2)?),
            0xdf => Head::Map(self.length(4)?),
            // nil, false, true, and the numbers from -32 to -1
            0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => Head::Other(0),
            0xc1 => return Err(Malformed),
        })
    }

    /// The next key, or `None` if it is not a text.
    fn key(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.head()? {
            Head::Text(length) => self.take(length).map(Some),
            other => self.skip(other).map(|()| None),
        }
    }

    /// Steps over what follows a head, however deep.
    fn skip(&mut self, head: Head) -> Result<(), Malformed> {
        let mut values = 0usize;
        let mut head = head;
        loop {
            match head {
                Head::Text(length) | Head::Other(length) => {
                    self.take(length)?;
                }
                Head::Unsigned(_) => {}
                Head::Array(length) => values = values.saturating_add(length),
                Head::Map(length) => values = values.saturating_add(length.saturating_mul(2)),
            }
            // Every value has one byte at least, so a count beyond that cannot be true.
            if values > self.rest.len() {
                return Err(Malformed);
            }
            if values == 0 {
                return Ok(());
            }
            values -= 1;
            head = self.head()?;
        }
    }

    fn kubernetes(
        &mut self,
        entries: usize,
        kubernetes: &mut Kubernetes<'a>,
    ) -> Result<(), Malformed> {
        for _ in 0..entries {
            let key = self.key()?;
            match (self.head()?, key) {
                (Head::Text(length), Some(key)) => {
                    kubernetes.put_text(key, Text::Plain(self.take(length)?));
                }
                (head, _) => self.skip(head)?,
            }
        }
        Ok(())
    }
}

/// Appends the head of a map, or `None` if that would hold a zero byte.
pub(crate) fn put_map_head(out: &mut Vec<u8>, entries: usize) -> Option<()> {
    let entries = u8::try_from(entries).ok().filter(|entries| *entries < 16)?;
    out.push(0x80 | entries);
    Some(())
}

/// Appends a text, or `None` if it would hold a zero byte: in the text itself, or in its
/// length, which is so for a multiple of 256 and from 65,536 on.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    put_text_head(out, text.len())?;
    if text.contains(&0) {
        return None;
    }
    out.extend_from_slice(text);
    Some(())
}

fn put_text_head(out: &mut Vec<u8>, length: usize) -> Option<()> {
    match u16::try_from(length).ok()?.to_be_bytes() {
        [0, short] if short < 32 => out.push(0xa0 | short),
        [0, medium] => out.extend_from_slice(&[0xd9, medium]),
        [_, 0] => return None,
        [high, low] => out.extend_from_slice(&[0xda, high, low]),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pack(value: &serde_json::Value) -> Vec<u8> {
        rmp_serde::to_vec_named(value).expect("JSON values can be packed")
    }

    #[test]
    fn finds_what_matters_and_steps_over_the_rest() {
        let bytes = pack(&serde_json::json!({
            "a": {"log": "no", "b": [[{"c": "d"}], -1, 1.5, null, true, 70000, u64::MAX]},
            "kubernetes": {
                "labels": {"host": "no"}, "pod_name": "p", "namespace_name": "n",
                "container_name": "c", "host": "h", "n": 1,
            },
            "log": "x".repeat(70_000),
            "offset": 100_000,
            "file": "/var/log/x",
            "z": "y".repeat(300),
        }));
        let found = read(&bytes).expect("the record is a map");
        assert_eq!(found.line(), Some(Text::Plain("x".repeat(70_000).as_bytes())));
        assert_eq!(found.file, Some(Text::Plain(b"/var/log/x")));
        assert_eq!(found.offset, Some(100_000));
        assert_eq!((found.entries, found.end), (6, bytes.len()));
        let kubernetes = Kubernetes {
            namespace: Some(Text::Plain(b"n")),
            pod: Some(Text::Plain(b"p")),
            container: Some(Text::Plain(b"c")),
            node: Some(Text::Plain(b"h")),
        };
        assert_eq!(found.kubernetes, kubernetes);
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]).err(), Some(Malformed), "{length}");
        }
    }

    #[test]
    fn keys_and_values_of_every_kind_are_stepped_over() {
        let log = b"\xa3log\xa1x";
        let others: &[&[u8]] = &[
            b"\xc0",
            b"\xc2",
            b"\xff",
            b"\x00",
            b"\xcc\x00",
            b"\xcd\x00\x00",
            b"\xd1\x00\x00",
            b"\xca\x00\x00\x00\x00",
            b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",
            b"\xc4\x02\x00\x00",
            b"\xc5\x00\x01a",
            b"\xc6\x00\x00\x00\x01a",
            b"\xc7\x02\x05ab",
            b"\xc8\x00\x01\x05a",
            b"\xc9\x00\x00\x00\x00\x05",
            b"\xd4\x05a",
            b"\xd5\x05ab",
            b"\xd6\x05abcd",
            b"\xd7\x05abcdefgh",
            b"\xd8\x05abcdefghabcdefgh",
            b"\xdc\x00\x01\x01",
            b"\xdd\x00\x00\x00\x01\x01",
            b"\xde\x00\x01\x01\x02",
            b"\xdf\x00\x00\x00\x01\x01\x02",
            b"\x90",
            b"\x80",
            b"\xa0",
            b"\xd9\x01a",
            b"\xda\x00\x01a",
            b"\xdb\x00\x00\x00\x01a",
        ];
        for key in others {
            for value in others {
                let record = [b"\x82".as_slice(), key, value, log].concat();
                let found = read(&record).expect("the record is a map");
                assert_eq!(found.line(), Some(Text::Plain(b"x")), "{record:x?}");
            }
        }
    }

    #[test]
    fn lengths_that_cannot_be_true_are_refused() {
        for record in [
            b"\xdf\xff\xff\xff\xff".as_slice(),
            b"\x81\xa1a\xdd\xff\xff\xff\xff",
            b"\x81\xa1a\xdf\xff\xff\xff\xff",
            b"\x81\xa1a\xdb\xff\xff\xff\xff",
            b"\x81\xa1a\xc9\xff\xff\xff\xff",
            b"\x93\x01\x02\x03",
            b"\x80x",
            b"\x81\xa1a\xc1",
            b"",
        ] {
            assert_eq!(read(record).err(), Some(Malformed), "{record:x?}");
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let mut record = b"\x82\xa1a".to_vec();
        record.extend(std::iter::repeat_n(0x91, 1_000_000));
        record.extend_from_slice(b"\xc0\xa3log\xa1x");
        assert_eq!(read(&record).expect("the record is a map").line(), Some(Text::Plain(b"x")));
    }

    proptest! {
        #[test]
        fn what_is_written_has_no_zero_byte_and_reads_back(
            text in prop_oneof!["[a-z]{0,40}", "[a-z]{250,260}", "[a-z]{510,514}"]
        ) {
            let mut out = Vec::new();
            put_map_head(&mut out, 1).expect("one entry is a short map");
            put_text(&mut out, b"log").expect("a short text");
            let put = put_text(&mut out, text.as_bytes());
            prop_assert_eq!(put.is_none(), text.len() == 256 || text.len() == 512);
            if put.is_some() {
                prop_assert!(!out.contains(&0));
                let found = read(&out).expect("the record is a map");
                prop_assert_eq!(found.line(), Some(Text::Plain(text.as_bytes())));
            }
        }
    }
}
