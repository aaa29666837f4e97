//! Lines as container runtimes write them.

use statetrail_input::{Decoded, Decoder, Format, LinePlace, Sample};

/// Small, so that joined lines exceed it.
const LINE_BYTES_MAX: usize = 64;

/// No line vanishes, and none is longer than was asked for.
pub fn cri_lines(log: &[u8]) {
    let sample = |complete| Sample { text: log, complete };
    let given = [Format::Plain, Format::Cri, Format::Docker].map(Some);
    let decoders = given.into_iter().chain([None, None]).enumerate().map(|(index, format)| {
        let decoder = match format {
            Some(format) => Decoder::new(format, LINE_BYTES_MAX),
            None => Decoder::finding_out(&sample(index % 2 == 0), LINE_BYTES_MAX),
        };
        (format, decoder)
    });
    for (format, mut decoder) in decoders {
        let (mut lines, mut whole, mut held, mut bytes_out) = (0, 0, 0, 0);
        let mut offset = 0;
        for line in log.split(|byte| *byte == b'\n') {
            lines += 1;
            let end = offset + line.len() as u64;
            match decoder.decode(line, LinePlace { offset, line: lines }) {
                Decoded::Line { bytes, offset: start, time } => {
                    whole += 1;
                    bytes_out += bytes.len();
                    assert!(start <= offset, "a line starts behind its last piece");
                    if let Some(format) = format {
                        assert_eq!(time.is_some(), format != Format::Plain);
                    }
                    // A single piece may be longer than the limit of joined lines.
                    assert!(bytes.len() <= LINE_BYTES_MAX.max(line.len()));
                }
                Decoded::Held => held += 1,
                Decoded::TooLong { .. } | Decoded::Malformed(_) => whole += 1,
            }
            offset = end + 1;
        }
        assert_eq!(lines, whole + held);
        assert!(bytes_out <= log.len(), "more came out than went in");
        // At most one line of each stream is under way, in each of two formats.
        let cut = decoder.finish().len() as u64;
        assert!(cut <= 4 && cut <= held);
        assert!(decoder.finish().is_empty(), "what is finished is finished");
    }
}
