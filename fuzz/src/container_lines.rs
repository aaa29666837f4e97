//! Lines as container runtimes write them.

use statetrail_cli::input::{Decoded, Decoder, Format};

/// Small, so that joined lines exceed it.
const LINE_BYTES_MAX: usize = 64;

/// No line vanishes, and none is longer than was asked for.
pub fn cri_lines(log: &[u8]) {
    let _ = Format::of_sample(log);
    for format in [Format::Plain, Format::Cri, Format::Docker] {
        let mut decoder = Decoder::new(format, LINE_BYTES_MAX);
        let (mut lines, mut whole, mut held, mut bytes_out) = (0, 0, 0, 0);
        let mut offset = 0;
        for line in log.split(|byte| *byte == b'\n') {
            lines += 1;
            let end = offset + line.len() as u64;
            match decoder.decode(line, offset) {
                Decoded::Line { bytes, offset: start, time } => {
                    whole += 1;
                    bytes_out += bytes.len();
                    assert!(start <= offset, "a line starts behind its last piece");
                    assert_eq!(time.is_some(), format != Format::Plain);
                    // A single piece may be longer than the limit of joined lines.
                    assert!(bytes.len() <= LINE_BYTES_MAX.max(line.len()));
                }
                Decoded::Held => held += 1,
                Decoded::TooLong | Decoded::Malformed(_) => whole += 1,
            }
            offset = end + 1;
        }
        assert_eq!(lines, whole + held);
        assert!(bytes_out <= log.len(), "more came out than went in");
        // At most one line of each stream is under way.
        let cut = decoder.finish().len();
        assert!(cut <= 2 && cut <= held);
        assert!(decoder.finish().is_empty(), "what is finished is finished");
    }
}
