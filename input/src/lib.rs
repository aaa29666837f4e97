//! Reads logs: files or stdin, compressed or not, plain or as a container runtime writes them, each
//! line with its time.

mod cri;
mod docker;
mod format;
mod lines;
pub mod log_time;
mod open;
mod partial;
mod read;
mod texts;
mod votes;

pub use cri::CriDecoder;
pub use docker::DockerDecoder;
pub use format::{Decoded, Decoder, Format, LinePlace, Malformed};
pub use lines::{LINE_BYTES_MAX, LineReader, RawLine, Sample};
pub use open::{Compression, Input, OpenError, Place, check, open};
pub use read::{LineFailure, LogLine, LogReader, ReadError, ReadSettings, Step};
pub use texts::{Texts, TextsError, read_texts};
