//! Container runtimes split long lines; this puts them together again.

use statetrail_event::Time;

use crate::format::{Decoded, LinePlace};

/// One piece of a line, as a runtime writes it.
pub(super) struct Piece<'a> {
    pub(super) time: Time,
    pub(super) bytes: &'a [u8],
    /// Where the piece's own line stands in the file.
    pub(super) place: LinePlace,
    /// Whether the line ends with this piece.
    pub(super) last: bool,
}

/// The pieces of one stream (stdout or stderr) that wait for their last one.
///
/// A joined line has the time and the offset of its first piece, as Fluent Bit does it.
#[derive(Default)]
pub(super) struct Partial {
    bytes: Vec<u8>,
    first: Option<(Time, LinePlace)>,
    too_long: bool,
    handed_out: bool,
}

impl Partial {
    /// Takes in a piece and gives the line if it is complete.
    pub(super) fn push<'a>(&'a mut self, piece: Piece<'a>, bytes_max: usize) -> Decoded<'a> {
        if std::mem::take(&mut self.handed_out) {
            self.bytes.clear();
        }
        let Some((time, place)) = self.first else {
            return self.push_first(piece);
        };
        self.append(piece.bytes, bytes_max);
        if !piece.last {
            return Decoded::Held;
        }
        self.first = None;
        self.handed_out = true;
        if std::mem::take(&mut self.too_long) {
            return Decoded::TooLong { line: place.line };
        }
        Decoded::Line { time: Some(time), bytes: &self.bytes, offset: place.offset }
    }

    fn push_first<'a>(&mut self, piece: Piece<'a>) -> Decoded<'a> {
        if piece.last {
            return Decoded::Line {
                time: Some(piece.time),
                bytes: piece.bytes,
                offset: piece.place.offset,
            };
        }
        self.first = Some((piece.time, piece.place));
        self.bytes.extend_from_slice(piece.bytes);
        Decoded::Held
    }

    fn append(&mut self, bytes: &[u8], bytes_max: usize) {
        if self.bytes.len() + bytes.len() > bytes_max {
            self.too_long = true;
            self.bytes.clear();
        }
        if !self.too_long {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// At the end of the file: where a line began whose last piece never came.
    fn finish(&mut self) -> Option<LinePlace> {
        self.bytes.clear();
        self.first.take().map(|(_, place)| place)
    }
}

/// The pieces of both streams of a container.
#[derive(Default)]
pub(super) struct Streams {
    stdout: Partial,
    stderr: Partial,
}

impl Streams {
    /// Those of standard error, or those of standard output.
    pub(super) fn of(&mut self, stderr: bool) -> &mut Partial {
        if stderr { &mut self.stderr } else { &mut self.stdout }
    }

    /// At the end of the file: where each line began whose last piece never came.
    pub(super) fn finish(&mut self) -> Vec<LinePlace> {
        [&mut self.stdout, &mut self.stderr].into_iter().filter_map(Partial::finish).collect()
    }
}
