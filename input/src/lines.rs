//! Lines out of a stream of bytes, in large blocks and without a copy per line.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

/// Longest line that is read, in bytes. Longer ones are reported as [`RawLine::TooLong`].
pub const LINE_BYTES_MAX: usize = 1 << 20;

const BLOCK_BYTES: usize = 256 * 1024;

/// What stands between two line feeds.
#[derive(Debug, PartialEq, Eq)]
pub enum RawLine<'a> {
    /// A line, without its line feed and the carriage return before it.
    Line {
        /// The bytes of the line.
        bytes: &'a [u8],
        /// Where the line starts, in bytes from the start of the text.
        offset: u64,
    },
    /// A line over the limit, which was skipped.
    TooLong,
}

/// The first lines of a text, not handed out yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Whole lines, unless there is not even one.
    pub text: &'a [u8],
    /// Whether it is all there is, or as much as anybody needs.
    pub complete: bool,
}

impl<'a> Sample<'a> {
    /// The lines, without their line feeds.
    pub fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let text = self.text.strip_suffix(b"\n").unwrap_or(self.text);
        // A text without a byte has no line, not an empty one.
        let lines = (!self.text.is_empty()).then(|| text.split(|byte| *byte == b'\n'));
        lines.into_iter().flatten()
    }
}

/// Reads a source block by block and hands out its lines.
pub struct LineReader<R> {
    source: R,
    /// The valid bytes are `block[start..end]`; none of the first `searched` of them is a line
    /// feed.
    block: Vec<u8>,
    start: usize,
    end: usize,
    searched: usize,
    /// Whether a line feed stands right behind the searched bytes.
    line_ends: bool,
    /// Where `block[start]` stands in the text.
    offset: u64,
    line_bytes_max: usize,
    inside_long_line: bool,
    ended: bool,
    /// What ended the text early; handed out once the whole lines before it are.
    error: Option<io::Error>,
}

impl<R: Read> LineReader<R> {
    /// A reader with the usual limit on lines.
    pub fn new(source: R) -> LineReader<R> {
        LineReader::with_limit(source, LINE_BYTES_MAX)
    }

    /// A reader that skips lines of more than `line_bytes_max` bytes.
    pub fn with_limit(source: R, line_bytes_max: usize) -> LineReader<R> {
        LineReader {
            source,
            block: vec![0; BLOCK_BYTES],
            start: 0,
            end: 0,
            searched: 0,
            line_ends: false,
            offset: 0,
            line_bytes_max,
            inside_long_line: false,
            ended: false,
            error: None,
        }
    }

    /// The first lines that are not handed out yet: a block of them, or of a `live` source, where
    /// the next line may take long, what is there once a whole line is.
    pub fn sample(&mut self, live: bool) -> Sample<'_> {
        while !self.ended && self.end - self.start < BLOCK_BYTES {
            if live && memchr(b'\n', &self.block[self.start..self.end]).is_some() {
                break;
            }
            self.fill();
        }
        let text = &self.block[self.start..self.end];
        let complete = self.ended || text.len() >= BLOCK_BYTES;
        match memrchr(b'\n', text) {
            Some(last) if !self.ended => Sample { text: &text[..=last], complete },
            _ => Sample { text, complete },
        }
    }

    /// Bytes of the text that were handed out or skipped so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// After an error: bytes of the line that it cut off.
    pub fn cut_off_bytes(&self) -> usize {
        self.end - self.start
    }

    /// The next line, or `None` at the end of the text.
    ///
    /// # Errors
    /// When the source failed, once every whole line before the failure is handed out.
    pub fn next_line(&mut self) -> io::Result<Option<RawLine<'_>>> {
        self.buffer_line()?;
        Ok(self.take_buffered())
    }

    /// Whether the next line is here already, so that nothing need be waited for.
    pub fn holds_line(&self) -> bool {
        let unsearched = self.start + self.searched;
        self.ended || self.line_ends || memchr(b'\n', &self.block[unsearched..self.end]).is_some()
    }

    /// Reads until a whole line is buffered or the text ends.
    ///
    /// # Errors
    /// As [`LineReader::next_line`].
    pub fn buffer_line(&mut self) -> io::Result<()> {
        loop {
            let unsearched = self.start + self.searched;
            if let Some(found) = memchr(b'\n', &self.block[unsearched..self.end]) {
                self.searched += found;
                self.line_ends = true;
                return Ok(());
            }
            self.searched = self.end - self.start;
            if self.searched > self.line_bytes_max {
                self.inside_long_line = true;
                self.advance(self.searched);
            }
            if self.ended {
                self.line_ends = false;
                return self.error.take().map_or(Ok(()), Err);
            }
            self.fill();
        }
    }

    /// Hands out what [`LineReader::buffer_line`] found.
    pub fn take_buffered(&mut self) -> Option<RawLine<'_>> {
        let (start, offset, length) = (self.start, self.offset, self.searched);
        let ends = std::mem::take(&mut self.line_ends);
        if !ends && length == 0 && !self.inside_long_line {
            return None;
        }
        self.advance(length + usize::from(ends));
        if std::mem::take(&mut self.inside_long_line) || length > self.line_bytes_max {
            return Some(RawLine::TooLong);
        }
        let line = &self.block[start..start + length];
        let bytes = match line.strip_suffix(b"\r") {
            Some(stripped) if ends => stripped,
            _ => line,
        };
        Some(RawLine::Line { bytes, offset })
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
        self.searched = 0;
    }

    /// Reads more behind `block[end]`, or notes that there is no more.
    fn fill(&mut self) {
        self.block.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.block.len() {
            self.block.resize(self.end + BLOCK_BYTES, 0);
        }
        loop {
            match self.source.read(&mut self.block[self.end..]) {
                Ok(bytes) => {
                    self.end += bytes;
                    self.ended = bytes == 0;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.error = Some(error);
                    self.ended = true;
                }
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives out `text` in pieces of the given sizes, then an error if there is one.
    struct Pieces<'a> {
        text: &'a [u8],
        sizes: std::iter::Cycle<std::slice::Iter<'a, usize>>,
        fails: bool,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.text.is_empty() && self.fails {
                return Err(io::Error::other("cut"));
            }
            let size = *self.sizes.next().unwrap_or(&1);
            let bytes = size.min(out.len()).min(self.text.len());
            out[..bytes].copy_from_slice(&self.text[..bytes]);
            self.text = &self.text[bytes..];
            Ok(bytes)
        }
    }

    #[derive(Debug, PartialEq)]
    enum Seen {
        Line(Vec<u8>, u64),
        TooLong,
        Error,
    }

    fn lines_of(text: &[u8], sizes: &[usize], limit: usize, fails: bool) -> Vec<Seen> {
        let pieces = Pieces { text, sizes: sizes.iter().cycle(), fails };
        let mut reader = LineReader::with_limit(pieces, limit);
        let mut seen = Vec::new();
        loop {
            seen.push(match reader.next_line() {
                Ok(None) => return seen,
                Ok(Some(RawLine::TooLong)) => Seen::TooLong,
                Ok(Some(RawLine::Line { bytes, offset })) => Seen::Line(bytes.to_vec(), offset),
                Err(_) => {
                    seen.push(Seen::Error);
                    return seen;
                }
            });
        }
    }

    /// The same by the simplest means: split the whole text at line feeds.
    fn expected(text: &[u8], limit: usize, fails: bool) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut offset = 0;
        let mut parts: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let last = parts.pop().unwrap_or_default();
        let lengths = parts.len();
        if !fails && !last.is_empty() {
            parts.push(last);
        }
        for (number, part) in parts.into_iter().enumerate() {
            let stripped =
                if number < lengths { part.strip_suffix(b"\r").unwrap_or(part) } else { part };
            seen.push(if part.len() > limit {
                Seen::TooLong
            } else {
                Seen::Line(stripped.to_vec(), offset)
            });
            offset += part.len() as u64 + 1;
        }
        if fails {
            seen.push(Seen::Error);
        }
        seen
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_bytes_arrive(
            text in proptest::collection::vec(
                prop_oneof![4 => Just(b'a'), 1 => Just(b'\n'), 1 => Just(b'\r')], 0..200),
            sizes in proptest::collection::vec(1usize..20, 1..5),
            limit in 1usize..30,
            fails in any::<bool>(),
        ) {
            prop_assert_eq!(lines_of(&text, &sizes, limit, fails), expected(&text, limit, fails));
        }
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        for (extra, too_long) in [(0, false), (1, true)] {
            let mut text = vec![b'x'; LINE_BYTES_MAX + extra];
            text.extend_from_slice(b"\nafter\n");
            let mut reader = LineReader::new(text.as_slice());
            let first = reader.next_line().unwrap().unwrap();
            assert_eq!(first == RawLine::TooLong, too_long);
            let offset = (LINE_BYTES_MAX + extra + 1) as u64;
            let second = reader.next_line().unwrap().unwrap();
            assert_eq!(second, RawLine::Line { bytes: b"after", offset });
            assert!(reader.next_line().unwrap().is_none());
        }
    }

    #[test]
    fn a_sample_is_not_consumed() {
        let mut reader = LineReader::new(b"one\ntwo\n".as_slice());
        let sample = reader.sample(false);
        assert_eq!(sample, Sample { text: b"one\ntwo\n", complete: true });
        assert_eq!(sample.lines().collect::<Vec<_>>(), [b"one", b"two"]);
        let first = reader.next_line().unwrap().unwrap();
        assert_eq!(first, RawLine::Line { bytes: b"one", offset: 0 });
    }
    /// A first piece may end in the middle of a line, or of the first few bytes.
    #[test]
    fn a_sample_has_whole_lines() {
        for (text, sizes, live, expected, complete) in [
            (&b"one\ntwo\nthree"[..], &[2, 4, 100][..], true, &b"one\n"[..], false),
            (b"one\ntwo\nthree", &[2, 9, 100], true, b"one\ntwo\n", false),
            (b"one\ntwo\nthree", &[2, 9, 100], false, b"one\ntwo\nthree", true),
            (b"a\n\n\nb\nc", &[6, 100], false, b"a\n\n\nb\nc", true),
            (b"no end", &[2], true, b"no end", true),
            (b"", &[2], true, b"", true),
        ] {
            let pieces = Pieces { text, sizes: sizes.iter().cycle(), fails: false };
            let mut reader = LineReader::new(pieces);
            assert_eq!(reader.sample(live), Sample { text: expected, complete });
        }
    }
}
