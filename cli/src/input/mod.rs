//! Reads logs: files or stdin, compressed or not, plain or as a container runtime writes them.

mod cri;
mod docker;
mod format;
mod kubelet_name;
mod lines;
mod open;
mod partial;

pub use cri::CriDecoder;
pub use docker::DockerDecoder;
pub use format::{Decoded, Decoder, Format, Malformed};
pub use kubelet_name::{ContainerName, container_of_path};
pub use lines::{LINE_BYTES_MAX, LineReader, RawLine};
pub use open::{Compression, Input, OpenError, Place, check, open};
