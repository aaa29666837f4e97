//! Where the message of a line begins: behind its time, level, logger and other heads.

use crate::token::Words;

/// Chunks at the start in which a time is looked for.
const TIME_WITHIN: usize = 6;
/// Chunks behind the time in which a level is looked for.
const LEVEL_WITHIN: usize = 5;
/// Chunks of a head in brackets.
const HEAD_WITHIN: usize = 12;

const LEVELS: [&str; 13] = [
    "TRACE", "DEBUG", "LOG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "ERR", "FATAL",
    "CRITICAL", "SEVERE", "PANIC",
];

/// The number of the chunk with which the message begins.
pub(crate) fn message_start(words: &Words<'_>) -> usize {
    let is_time = |number: &usize| {
        let chunk = words.chunk_text(*number);
        is_time(chunk) || *number == 0 && is_epoch(chunk)
    };
    let mut start = (0..words.len().min(TIME_WITHIN)).find(is_time).unwrap_or(0);
    while is_time(&start) || start > 0 && is_zone(words.chunk_text(start)) {
        start += 1;
    }
    let near = start..words.len().min(start + LEVEL_WITHIN);
    let found = |wanted: fn(&str) -> bool| near.clone().find(|at| wanted(words.chunk_text(*at)));
    if let Some(level) = found(is_level) {
        start = level + 1;
        if is_logger(words.chunk_text(start)) {
            start += 1;
        }
    } else if let Some(place) = found(ends_place) {
        start = place + 1;
    } else if start > 0
        && let Some(program) = found(|chunk| chunk.ends_with(':'))
        && program < start + 2
    {
        start = program + 1;
    }
    start = behind_brackets(words, start);
    while matches!(words.chunk_text(start), "-" | ":" | "|")
        || matches!(words.chunk_text(start + 1), "-") && is_place_in_code(words.chunk_text(start))
    {
        start += 1;
    }
    if start < words.len() { start } else { 0 }
}

/// Whether a text is shaped like another one, in which `0` stands for any digit.
fn has_shape(text: &[u8], shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            _ => byte == wanted,
        })
}

/// A clock's time or a date.
fn is_time(chunk: &str) -> bool {
    let bytes = chunk.as_bytes();
    bytes.windows(4).any(|window| has_shape(window, b"0:00"))
        || bytes.windows(10).any(|window| has_shape(window, b"0000-00-00"))
}

/// How dates are written that are nothing else.
const DATES: [&[u8]; 5] =
    [b"0000-00-00", b"00.00.0000", b"0000.00.00", b"0000/00/00", b"00/00/0000"];

/// A date, perhaps with a part of its time, and nothing else: it comes back in lines of all forms and
/// is no id.
pub(crate) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    DATES.iter().any(|shape| has_shape(bytes, shape))
        || bytes.get(..11).is_some_and(|start| has_shape(start, b"0000-00-00T"))
}

/// Years in which logs may have been written, and of which they may tell.
const YEARS: std::ops::Range<u32> = 1990..2100;

/// A date of eight digits, as 20261122: numbers that count something are not all of them days.
pub(crate) fn is_compact_date(text: &str) -> bool {
    if !has_shape(text.as_bytes(), b"00000000") {
        return false;
    }
    let number = text.parse::<u32>().unwrap_or_default();
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// Whether a moment stands in a chunk, with its date and its time.
pub(crate) fn holds_moment(chunk: &str) -> bool {
    chunk.as_bytes().windows(16).any(|window| has_shape(window, b"0000-00-00T00:00"))
}

/// Whether a chunk begins as a clock's time does.
pub(crate) fn is_clock(chunk: &str) -> bool {
    chunk.as_bytes().get(..5).is_some_and(|start| has_shape(start, b"00:00"))
}

/// What may stand behind a time: `UTC`, `+0100`.
fn is_zone(chunk: &str) -> bool {
    let is_offset = |digits: &str| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit());
    matches!(chunk, "UTC" | "GMT" | "CET" | "CEST" | "EST" | "EDT" | "PST" | "PDT")
        || chunk.strip_prefix(['+', '-']).is_some_and(is_offset)
}

/// `Gossiper.java:123`
fn is_place_in_code(chunk: &str) -> bool {
    let is_number = |line: &str| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit());
    chunk.rsplit_once(':').is_some_and(|(file, line)| file.contains('.') && is_number(line))
}

/// Seconds or milliseconds since 1970, perhaps with a fraction.
fn is_epoch(chunk: &str) -> bool {
    let (whole, fraction) = chunk.split_once('.').unwrap_or((chunk, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    [10, 13].contains(&whole.len())
        && whole.starts_with('1')
        && is_digits(whole)
        && is_digits(fraction)
}

fn is_level(chunk: &str) -> bool {
    let word = chunk.trim_matches(|character: char| !character.is_ascii_alphabetic());
    let is_marked = chunk.starts_with(['[', '<', '(']);
    LEVELS.iter().any(
        |level| {
            if is_marked { level.eq_ignore_ascii_case(word) } else { *level == word }
        },
    )
}

/// A name such as `nova.compute.manager` or `worker:`.
fn is_logger(chunk: &str) -> bool {
    let name = chunk.trim_end_matches(':');
    let is_name = |name: &str| {
        let starts = name.starts_with(|character: char| character.is_ascii_alphabetic());
        starts && name.chars().all(|c| c.is_ascii_alphanumeric() || "._$-:".contains(c))
    };
    is_name(name) && (chunk.ends_with(':') || name.contains('.') || name.contains("::"))
}

/// The end of `file.go:17]`.
fn ends_place(chunk: &str) -> bool {
    chunk.ends_with(']') && chunk.contains(':') && !chunk.contains('[')
}

/// Passes over heads such as `[main]`, but none with named values: `[instance: 1]`.
fn behind_brackets(words: &Words<'_>, mut start: usize) -> usize {
    while words.chunk_text(start).starts_with('[') {
        let chunks = start..words.len().min(start + HEAD_WITHIN);
        let ends = |at: &usize| words.chunk_text(*at).trim_end_matches(':').ends_with(']');
        let Some(end) = chunks.clone().find(ends) else { break };
        let names_values = (start..=end).any(|at| {
            let inner = words.chunk_text(at).trim_end_matches("]:");
            inner.ends_with(':') || inner.contains('=')
        });
        if names_values {
            break;
        }
        start = end + 1;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_passed_over() {
        for (line, message) in [
            (
                "2026-02-03 11:22:33.401 812 INFO nova.compute.claims [req-1 7f3a - - -] [instance: 1] Claim",
                "[instance:",
            ),
            ("Dec 10 06:55:46 host sshd[24200]: Invalid user x", "Invalid"),
            (
                "081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block blk_1",
                "PacketResponder",
            ),
            ("I1122 10:00:00.000000 1 controller.go:123] Created pod", "Created"),
            (
                "[2026-11-22 10:00:00,123] INFO [GroupCoordinator id=0] Group g is stable",
                "[GroupCoordinator",
            ),
            ("2026-11-22T10:00:00Z INFO order o-1 paid", "order"),
            ("2026-11-22 10:00:00 [info] [main] - order o-1 paid", "order"),
            ("order o-1 paid", "order"),
            ("note: order o-1 paid", "note:"),
            ("2026-11-22 10:00:00 unpacked x:amd64 1:12.2", "unpacked"),
            (
                "INFO  [main] 2026-11-22 10:00:00,123 Gossiper.java:1437 - Node /10.0.0.1 is UP",
                "Node",
            ),
            ("2026-11-22 10:00:00.123 UTC [5515] LOG:  connection received", "connection"),
            ("1790000000.123 INFO order o-1 paid", "order"),
            ("12:00:00", "12:00:00"),
            ("12:00:00 INFO", "12:00:00"),
        ] {
            let words = Words::of(line);
            assert_eq!(words.chunk_text(message_start(&words)), message, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_line_with_a_word_has_a_message(line in "[ \\[\\]:a-cA-Z0-9.=-]{0,40}") {
            let words = Words::of(&line);
            proptest::prop_assert!(words.len() == 0 || message_start(&words) < words.len());
        }
    }
}
