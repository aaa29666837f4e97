//! The log format of Kubernetes' container runtimes: `time stream tag text`.

use statetrail_event::Time;

use crate::sink::{LogLine, Stream};

/// Appends the line in the runtime's format.
///
/// A text of more than `part_bytes` bytes becomes several parts, all but the last with the tag
/// `P`. The first one has the time of the line and each other one a nanosecond more: runtimes give
/// every part the time at which it came. The cut does not heed the bounds of characters, as the
/// runtimes do not.
pub fn write_cri(line: &LogLine<'_>, part_bytes: usize, out: &mut Vec<u8>) {
    let mut rest = line.text;
    let mut time = line.time;
    loop {
        let (part, after) = rest.split_at(rest.len().min(part_bytes.max(1)));
        time.write_rfc3339(out);
        time = Time::from_nanos(time.nanos() + 1);
        out.extend_from_slice(match line.stream {
            Stream::Stdout => b" stdout ",
            Stream::Stderr => b" stderr ",
        });
        out.extend_from_slice(if after.is_empty() { b"F " } else { b"P " });
        out.extend_from_slice(part);
        out.push(b'\n');
        if after.is_empty() {
            return;
        }
        rest = after;
    }
}
