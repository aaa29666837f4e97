//! What the filter needs from a record, found in place by [`json`](crate::json) or
//! [`msgpack`](crate::msgpack).

use crate::json::unescape_into;

/// A text of the record, still in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    /// As it is.
    Plain(&'a [u8]),
    /// The inside of a JSON string whose only escapes stand for quotes and ends of lines.
    Quoting(&'a [u8]),
    /// The inside of a JSON string that holds other backslash escapes.
    Escaped(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The bytes as they stand in the record.
    pub(crate) fn raw(self) -> &'a [u8] {
        match self {
            Text::Plain(bytes) | Text::Quoting(bytes) | Text::Escaped(bytes) => bytes,
        }
    }

    /// The text without its escapes. `scratch` is used only if there are any.
    pub(crate) fn resolve<'b>(self, scratch: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Text::Plain(bytes) => bytes,
            Text::Quoting(bytes) | Text::Escaped(bytes) => {
                scratch.clear();
                unescape_into(bytes, scratch);
                scratch
            }
        }
    }

    /// The text on its own, for what is kept longer than the record.
    pub(crate) fn to_text(self) -> String {
        String::from_utf8_lossy(self.resolve(&mut Vec::new())).into_owned()
    }
}

/// The parts of the map that Fluent Bit's kubernetes filter adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kubernetes<'a> {
    pub(crate) namespace: Option<Text<'a>>,
    pub(crate) pod: Option<Text<'a>>,
    pub(crate) container: Option<Text<'a>>,
    pub(crate) node: Option<Text<'a>>,
}

/// The parts of one record. Of two entries with the same name the later one holds, as in most
/// readers of JSON.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    log: Option<Text<'a>>,
    message: Option<Text<'a>>,
    journal_message: Option<Text<'a>>,
    /// The file that the line was read from (`path_key: file` of in_tail). A `path` is none: in lines that are
    /// JSON it is mostly that of a request.
    pub(crate) file: Option<Text<'a>>,
    stream: Option<Text<'a>>,
    time: Option<Text<'a>>,
    pub(crate) kubernetes: Kubernetes<'a>,
    /// Byte offset of the line in its file (`offset_key offset` of in_tail).
    pub(crate) offset: Option<u64>,
    /// Where that is written, in JSON.
    pub(crate) offset_text: Option<&'a [u8]>,
    /// Whether the source is that of the record before; then nothing that tells it is kept here.
    pub(crate) has_known_source: bool,
    /// How many entries the top-level map has.
    pub(crate) entries: usize,
    /// Where the top-level map ends: before the closing brace in JSON, after the last entry in
    /// MessagePack.
    pub(crate) end: usize,
}

impl<'a> Record<'a> {
    /// A record from the source of the record before, of which line, time and offset are to come.
    pub(crate) fn of_known_source(from_runtime: bool, entries: usize) -> Record<'a> {
        // Either stream says the same.
        let stream = from_runtime.then_some(Text::Plain(&b"stdout"[..]));
        Record { stream, entries, has_known_source: true, ..Record::default() }
    }

    pub(crate) fn set_line(&mut self, line: Text<'a>) {
        self.log = Some(line);
    }

    /// The text that the record's time was parsed from, if it was kept.
    pub(crate) fn time(&self) -> Option<Text<'a>> {
        self.time
    }

    pub(crate) fn set_time(&mut self, time: Text<'a>) {
        self.time = Some(time);
    }

    /// The log line: `log`, else `message`, else `MESSAGE`, whichever holds a text.
    pub(crate) fn line(&self) -> Option<Text<'a>> {
        self.log.or(self.message).or(self.journal_message)
    }

    /// Whether a container runtime wrote the line, and its time: then the parsers of Fluent Bit
    /// leave the stream, whatever the file is called.
    pub(crate) fn is_from_runtime(&self) -> bool {
        matches!(self.stream.map(Text::raw), Some(b"stdout" | b"stderr"))
    }

    /// The nanoseconds of the record's time. Fluent Bit's parsers read a fraction as a binary number
    /// and cut it off, so they are one too few now and then; where the text that was parsed is kept
    /// under `time`, as by the parser `cri`, its nine digits are what was meant.
    pub(crate) fn exact_nanos(&self, nanos: u32) -> u32 {
        let written = self.time.and_then(|text| written_nanos(text.raw()));
        written.filter(|written| written.abs_diff(nanos) == 1).unwrap_or(nanos)
    }

    /// Keeps a text of the top-level map if it is one of those that matter.
    pub(crate) fn put_text(&mut self, key: &[u8], text: Text<'a>) {
        let slot = match key {
            b"log" => &mut self.log,
            b"message" => &mut self.message,
            b"MESSAGE" => &mut self.journal_message,
            b"file" => &mut self.file,
            b"stream" => &mut self.stream,
            b"time" => &mut self.time,
            _ => return,
        };
        *slot = Some(text);
    }
}

impl<'a> Kubernetes<'a> {
    /// Whether it says which container's line it is.
    pub(crate) fn names_container(&self) -> bool {
        let says = |text: Option<Text<'_>>| text.is_some_and(|text| !text.raw().is_empty());
        says(self.namespace) && says(self.container)
    }

    /// Keeps a text of the `kubernetes` map if it is one of those that matter.
    pub(crate) fn put_text(&mut self, key: &[u8], text: Text<'a>) {
        let slot = match key {
            b"namespace_name" => &mut self.namespace,
            b"pod_name" => &mut self.pod,
            b"container_name" => &mut self.container,
            b"host" => &mut self.node,
            _ => return,
        };
        *slot = Some(text);
    }
}

/// The nine digits of the fraction of an RFC 3339 time, if it has so many.
fn written_nanos(time: &[u8]) -> Option<u32> {
    let digits: &[u8; 9] = time.get(19..)?.strip_prefix(b".")?.first_chunk()?;
    let mut nanos = 0;
    for digit in digits {
        nanos = nanos * 10 + u32::from(digit.wrapping_sub(b'0')).min(9);
    }
    digits.iter().all(u8::is_ascii_digit).then_some(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nanosecond_that_was_cut_off_is_put_back() {
        for (text, nanos, expected) in [
            ("2026-11-22T06:15:24.504280965Z", 504_280_964, 504_280_965),
            ("2026-11-22T06:15:24.504280965+01:00", 504_280_965, 504_280_965),
            ("2026-11-22T06:15:24.504280965Z", 17, 17),
            ("2026-11-22T06:15:24.50428096", 504_280_959, 504_280_959),
            ("2026-11-22T06:15:24.50428096xZ", 504_280_968, 504_280_968),
            ("noon", 5, 5),
        ] {
            let mut record = Record::default();
            record.put_text(b"time", Text::Plain(text.as_bytes()));
            assert_eq!(record.exact_nanos(nanos), expected, "{text}");
        }
    }
}
