//! What the filter needs from a record, found in place by [`json`](crate::json) or
//! [`msgpack`](crate::msgpack).

use crate::json::unescape_into;

/// A text of the record, still in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    /// As it is.
    Plain(&'a [u8]),
    /// The inside of a JSON string that holds backslash escapes.
    Escaped(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The bytes as they stand in the record.
    pub(crate) fn raw(self) -> &'a [u8] {
        match self {
            Text::Plain(bytes) | Text::Escaped(bytes) => bytes,
        }
    }

    /// The text without its escapes. `scratch` is used only if there are any.
    pub(crate) fn resolve<'b>(self, scratch: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Text::Plain(bytes) => bytes,
            Text::Escaped(bytes) => {
                scratch.clear();
                unescape_into(bytes, scratch);
                scratch
            }
        }
    }

    /// Appends the text without its escapes.
    pub(crate) fn append_to(self, out: &mut Vec<u8>) {
        match self {
            Text::Plain(bytes) => out.extend_from_slice(bytes),
            Text::Escaped(bytes) => unescape_into(bytes, out),
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
    file: Option<Text<'a>>,
    path: Option<Text<'a>>,
    stream: Option<Text<'a>>,
    pub(crate) kubernetes: Kubernetes<'a>,
    /// Byte offset of the line in its file (`offset_key offset` of in_tail).
    pub(crate) offset: Option<u64>,
    /// How many entries the top-level map has.
    pub(crate) entries: usize,
    /// Where the top-level map ends: before the closing brace in JSON, after the last entry in
    /// MessagePack.
    pub(crate) end: usize,
}

impl<'a> Record<'a> {
    /// The log line: `log`, else `message`, else `MESSAGE`, whichever holds a text.
    pub(crate) fn line(&self) -> Option<Text<'a>> {
        self.log.or(self.message).or(self.journal_message)
    }

    /// The file that the line was read from: `file`, else `path` (`path_key` of in_tail).
    pub(crate) fn file(&self) -> Option<Text<'a>> {
        self.file.or(self.path)
    }

    /// Whether a container runtime wrote the line, and its time: then the parsers of Fluent Bit
    /// leave the stream, whatever the file is called.
    pub(crate) fn is_from_runtime(&self) -> bool {
        matches!(self.stream.map(Text::raw), Some(b"stdout" | b"stderr"))
    }

    /// Keeps a text of the top-level map if it is one of those that matter.
    pub(crate) fn put_text(&mut self, key: &[u8], text: Text<'a>) {
        let slot = match key {
            b"log" => &mut self.log,
            b"message" => &mut self.message,
            b"MESSAGE" => &mut self.journal_message,
            b"file" => &mut self.file,
            b"path" => &mut self.path,
            b"stream" => &mut self.stream,
            _ => return,
        };
        *slot = Some(text);
    }
}

impl<'a> Kubernetes<'a> {
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
