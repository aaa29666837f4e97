//! Lines alone, without times: for trying rules on them.

use std::io;
use std::path::PathBuf;

use crate::format::{Decoded, Decoder, LinePlace};
use crate::lines::{LINE_BYTES_MAX, RawLine};
use crate::open::{OpenError, Place, open};

/// Lines as services wrote them.
#[derive(Debug, Default)]
pub struct Texts {
    /// In the order of the inputs.
    pub lines: Vec<String>,
    /// Lines that are too long, or not as their format promises.
    pub skipped: u64,
    /// Whether there are more lines than were asked for.
    pub more: bool,
}

/// An input that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TextsError {
    /// Not at all.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Not to its end.
    #[error("{place} cannot be read: {source}")]
    Read {
        /// The input.
        place: Place,
        /// Why.
        source: io::Error,
    },
}

/// Reads the first lines of inputs, up to `most` of all together, unwrapped if a container runtime
/// wrote them. Without a name, standard input is read. Bytes that are no UTF-8 are replaced.
///
/// # Errors
/// When an input cannot be read.
pub fn read_texts(files: &[PathBuf], most: usize) -> Result<Texts, TextsError> {
    let stdin = [PathBuf::from("-")];
    let files = if files.is_empty() { &stdin[..] } else { files };
    let mut texts = Texts::default();
    for file in files {
        read_file(&Place::typed(file), most, &mut texts)?;
    }
    Ok(texts)
}

fn read_file(place: &Place, most: usize, texts: &mut Texts) -> Result<(), TextsError> {
    let mut input = open(place)?;
    let sample = input.lines.sample(input.live);
    let mut decoder = Decoder::finding_out(&sample, LINE_BYTES_MAX);
    let mut line = 0;
    loop {
        let next = input.lines.next_line();
        line += 1;
        let failed = |source| TextsError::Read { place: place.clone(), source };
        let (bytes, offset) = match next.map_err(failed)? {
            None => return Ok(()),
            Some(RawLine::TooLong) => {
                texts.skipped += 1;
                continue;
            }
            Some(RawLine::Line { bytes, offset }) => (bytes, offset),
        };
        if texts.lines.len() == most {
            texts.more = true;
            return Ok(());
        }
        match decoder.decode(bytes, LinePlace { offset, line }) {
            Decoded::Line { bytes, .. } => {
                texts.lines.push(String::from_utf8_lossy(bytes).into_owned());
            }
            Decoded::Held => {}
            Decoded::TooLong { .. } | Decoded::Malformed(_) => texts.skipped += 1,
        }
    }
}
