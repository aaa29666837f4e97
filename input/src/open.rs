//! Opens what a person names as input: a file or stdin, compressed or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::lines::LineReader;

const STORED_BLOCK_BYTES: usize = 128 * 1024;
const MAGIC_BYTES_MAX: usize = 6;

/// Where lines are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard input, typed as `-`.
    Stdin,
    /// A file, as it was typed.
    File(PathBuf),
}

impl Place {
    /// What a person typed: a path, or `-`.
    pub fn typed(text: &Path) -> Place {
        if text == Path::new("-") { Place::Stdin } else { Place::File(text.to_owned()) }
    }

    /// The absolute path of a file; `None` for stdin.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Place::Stdin => None,
            Place::File(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Stdin => formatter.write_str("standard input"),
            Place::File(path) => path.display().fmt(formatter),
        }
    }
}

/// How the bytes of an input are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    None,
    /// gzip, one member or several.
    Gzip,
    /// Zstandard, one frame or several.
    Zstd,
}

/// Why an input cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file.
    #[error("{0}: there is no such file")]
    Missing(Place),
    /// It is a directory.
    #[error("{0} is a directory; name the files in it, such as {0}/*.log")]
    Directory(Place),
    /// The system refused.
    #[error("{0}: cannot be read: {1}")]
    Refused(Place, io::Error),
    /// It is compressed in a way that we do not read.
    #[error(
        "{place} is compressed with {with}; unpack it into a pipe: {command} | statetrail import --rules RULES -"
    )]
    Compressed {
        /// The input.
        place: Place,
        /// The name of the compression.
        with: &'static str,
        /// The command that unpacks it.
        command: String,
    },
    /// It has NUL bytes near its start.
    #[error("{0} is not a text: there is a NUL byte at byte {1}")]
    Binary(Place, usize),
}

/// An input that is open and looks like a text.
pub struct Input {
    /// Where it is read from.
    pub place: Place,
    /// Its lines.
    pub lines: LineReader<Box<dyn Read + Send>>,
    /// Whether its next line may take long to come: it is no regular file.
    pub live: bool,
    /// How it is stored.
    pub compression: Compression,
    /// Bytes read so far, as they are stored.
    pub stored_bytes_read: Arc<AtomicU64>,
    /// When it was last written, if that is known.
    pub modified: Option<SystemTime>,
}

/// Opens an input, unpacking gzip and Zstandard, which are known by their first bytes.
///
/// # Errors
/// When it is missing, a directory, not readable or not a text.
pub fn open(place: &Place) -> Result<Input, OpenError> {
    let (source, modified) = open_source(place)?;
    let live = check(place)?.is_none();
    let stored_bytes_read = Arc::new(AtomicU64::new(0));
    let mut source = Counted { source, bytes: Arc::clone(&stored_bytes_read) };
    let refused = |error| OpenError::Refused(place.clone(), error);
    let mut magic = Vec::new();
    source.by_ref().take(MAGIC_BYTES_MAX as u64).read_to_end(&mut magic).map_err(refused)?;
    stored_bytes_read.store(0, Ordering::Relaxed);
    let compression = compression_of(place, &magic)?;
    let source = Counted {
        source: BufReader::with_capacity(
            STORED_BLOCK_BYTES,
            Cursor::new(magic).chain(source.source),
        ),
        bytes: Arc::clone(&stored_bytes_read),
    };
    let text: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(source),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        Compression::Zstd => {
            Box::new(zstd::stream::read::Decoder::with_buffer(source).map_err(refused)?)
        }
    };
    let mut lines = LineReader::new(text);
    if let Some(position) = memchr::memchr(0, lines.sample(live).text) {
        return Err(OpenError::Binary(place.clone(), position));
    }
    Ok(Input { place: place.clone(), lines, live, compression, stored_bytes_read, modified })
}

/// Checks without opening whether a file could be read: it exists and is no directory.
/// Returns its size in bytes, as it is stored, if it has one: a pipe has none.
///
/// # Errors
/// When it is missing, a directory, or the system refuses to tell.
pub fn check(place: &Place) -> Result<Option<u64>, OpenError> {
    let Place::File(path) = place else { return Ok(None) };
    let metadata = std::fs::metadata(path).map_err(|error| open_error(place, error))?;
    if metadata.is_dir() {
        return Err(OpenError::Directory(place.clone()));
    }
    Ok(metadata.is_file().then_some(metadata.len()))
}

type Source = (Box<dyn Read + Send>, Option<SystemTime>);

fn open_source(place: &Place) -> Result<Source, OpenError> {
    check(place)?;
    match place {
        Place::Stdin => Ok((Box::new(io::stdin()), None)),
        Place::File(path) => {
            let file = File::open(path).map_err(|error| open_error(place, error))?;
            let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
            Ok((Box::new(file), modified))
        }
    }
}

fn open_error(place: &Place, error: io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::NotFound => OpenError::Missing(place.clone()),
        _ => OpenError::Refused(place.clone(), error),
    }
}

fn compression_of(place: &Place, magic: &[u8]) -> Result<Compression, OpenError> {
    let (with, command) = match magic {
        [0x1f, 0x8b, ..] => return Ok(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => return Ok(Compression::Zstd),
        // A skippable frame, which some packers write first.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => return Ok(Compression::Zstd),
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A'] => ("bzip2", "bzip2 -dc"),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => ("xz", "xz -dc"),
        [b'P', b'K', 3, 4, ..] => ("zip", "unzip -p"),
        [0x04, 0x22, 0x4d, 0x18, ..] => ("lz4", "lz4 -dc"),
        _ => return Ok(Compression::None),
    };
    let name = match place {
        Place::Stdin => String::new(),
        Place::File(path) => format!(" {}", path.display()),
    };
    Err(OpenError::Compressed { place: place.clone(), with, command: format!("{command}{name}") })
}

/// Counts the bytes that are taken from a source, not those that were read ahead.
struct Counted<R> {
    source: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read(out)?;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.source.consume(bytes);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
