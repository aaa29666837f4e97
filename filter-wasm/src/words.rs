//! Looks at texts eight bytes at a time: in an interpreter, steps are what costs, and a step that
//! looks at a word costs no more than one that looks at a byte.

/// Bytes that are looked at together: two words.
const BYTES: usize = 16;
/// One in every byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of every byte of a word.
const HIGHS: u64 = 0x80 * ONES;

fn halves(bytes: &[u8; BYTES]) -> (u64, u64) {
    let both = u128::from_le_bytes(*bytes);
    (both as u64, (both >> 64) as u64)
}

/// Marks bytes of a word that are equal to `byte`: the lowest mark is right, and above it there
/// may be wrong ones.
fn equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ (u64::from(byte) * ONES);
    difference.wrapping_sub(ONES) & !difference
}

/// Marks bytes that differ from `byte`, if no byte of the word has its highest bit set.
fn differs(word: u64, byte: u8) -> u64 {
    (word ^ (u64::from(byte) * ONES)).wrapping_add(!HIGHS)
}

/// The first quote or backslash at or after `from`, or the end.
pub(crate) fn next_mark(text: &[u8], from: usize) -> usize {
    let passes = |word| differs(word, b'"') & differs(word, b'\\');
    let marks = |word| equal(word, b'"') | equal(word, b'\\');
    next(text, from, passes, marks, |byte| matches!(byte, b'"' | b'\\'))
}

/// Marks bytes of a word that are equal to `byte`, exactly.
fn equal_exactly(word: u64, byte: u8) -> u64 {
    let difference = word ^ (u64::from(byte) * ONES);
    !(((difference & !HIGHS).wrapping_add(!HIGHS)) | difference) & HIGHS
}

/// Goes over the inside of a JSON string as far as it has no escapes but those of quotes, of which
/// lines that are JSON themselves are full. Returns where it stopped, at a byte that nothing before
/// it escapes, and whether there was an escape: at the quote that ends the string, at another escape
/// or near the end of the text.
pub(crate) fn pass_quotes(text: &[u8], from: usize) -> (usize, bool) {
    let (mut at, mut escapes, mut carry) = (from, 0, 0);
    while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*word);
        let (quotes, backslashes) = (equal_exactly(word, b'"'), equal_exactly(word, b'\\'));
        let escaped = (backslashes << 8) | carry;
        if escaped & !quotes != 0 {
            break;
        }
        let ends = quotes & !escaped;
        if ends != 0 {
            let before = (1 << ends.trailing_zeros()) - 1;
            escapes |= backslashes & before;
            return (at + ends.trailing_zeros() as usize / 8, escapes != 0);
        }
        escapes |= backslashes;
        carry = backslashes >> 63 << 7;
        at += 8;
    }
    // What a backslash at the end of the last word escapes has not been looked at.
    if carry == 0 { (at, escapes != 0) } else { (at - 1, escapes != 0) }
}

/// The first backslash, or the end.
pub(crate) fn next_backslash(text: &[u8]) -> usize {
    let passes = |word| differs(word, b'\\');
    next(text, 0, passes, |word| equal(word, b'\\'), |byte| byte == b'\\')
}

/// The first quote, backslash or control character at or after `from`, or the end.
pub(crate) fn next_special(text: &[u8], from: usize) -> usize {
    let from_blank = |word: u64| word.wrapping_add(0x60 * ONES);
    let below_blank = |word: u64| word.wrapping_sub(0x20 * ONES) & !word;
    let passes = |word| differs(word, b'"') & differs(word, b'\\') & from_blank(word);
    let marks = |word| equal(word, b'"') | equal(word, b'\\') | below_blank(word);
    next(text, from, passes, marks, |byte| matches!(byte, b'"' | b'\\' | ..b' '))
}

/// The first byte at or after `from` of which `is_it` holds. `marks` marks such bytes of a word, and
/// `passes`, which takes fewer steps, marks all others, given a word without its highest bits; for
/// want of these it may find one where there is none.
#[inline(always)]
fn next(
    text: &[u8],
    from: usize,
    passes: impl Fn(u64) -> u64,
    marks: impl Fn(u64) -> u64,
    is_it: impl Fn(u8) -> bool,
) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let (parts, tail) = rest.as_chunks::<BYTES>();
    for (number, part) in parts.iter().enumerate() {
        let (low, high) = halves(part);
        if passes(low & !HIGHS) & passes(high & !HIGHS) & HIGHS == HIGHS {
            continue;
        }
        if let Some(found) = first_of(marks(low), marks(high), 8) {
            return from + number * BYTES + found;
        }
    }
    // The last bytes are looked at together with some before them, which are known.
    let found = match (tail, rest.last_chunk(), rest.first_chunk(), rest.last_chunk()) {
        ([], ..) => None,
        (_, Some(last), ..) => {
            let (low, high) = halves(last);
            first_of(marks(low), marks(high), 8).map(|at| rest.len() - BYTES + at)
        }
        (_, _, Some(first), Some(last)) => {
            let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
            first_of(marks(first), marks(last), rest.len() - 8)
        }
        (tail, ..) => tail.iter().position(|byte| is_it(*byte)),
    };
    from + found.unwrap_or(rest.len())
}

/// The first byte that is marked in two words, of which the second one begins at `second`.
fn first_of(first_marks: u64, second_marks: u64, second: usize) -> Option<usize> {
    match (first_marks & HIGHS, second_marks & HIGHS) {
        (0, 0) => None,
        (0, marks) => Some(second + marks.trailing_zeros() as usize / 8),
        (marks, _) => Some(marks.trailing_zeros() as usize / 8),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let few = prop::sample::select(b"\"\\a\n\0\x1f !\x7f\x80\xa2\xdc\xff".to_vec());
        prop::collection::vec(prop_oneof![5 => Just(b'a'), 1 => few], 0..70)
    }

    proptest! {
        #[test]
        fn quotes_are_passed_as_byte_by_byte(text in text(), from in 0usize..75) {
            let (at, escapes) = pass_quotes(&text, from);
            prop_assert!(at >= from);
            let (mut here, mut expected) = (from, false);
            while here < at {
                match text[here] {
                    b'\\' => {
                        prop_assert_eq!(text[here + 1], b'"');
                        expected = true;
                        here += 2;
                    }
                    byte => {
                        prop_assert_ne!(byte, b'"');
                        here += 1;
                    }
                }
            }
            prop_assert_eq!(here, at, "it stops between an escape's two bytes");
            prop_assert!(escapes == expected || text.get(at) == Some(&b'\\'));
            let stops = matches!(text.get(at), Some(b'"' | b'\\'));
            prop_assert!(stops || at + 8 > text.len() || text[at..at + 8].contains(&b'\\'));
        }

        #[test]
        fn marks_are_found_as_byte_by_byte(text in text(), from in 0usize..75) {
            let after = |is_it: &dyn Fn(u8) -> bool| {
                (from..text.len()).find(|at| is_it(text[*at])).unwrap_or(text.len().max(from))
            };
            let is_mark = |byte| matches!(byte, b'"' | b'\\');
            prop_assert_eq!(next_mark(&text, from), after(&is_mark));
            let backslash = text.iter().position(|byte| *byte == b'\\').unwrap_or(text.len());
            prop_assert_eq!(next_backslash(&text), backslash);
            let is_special = |byte| is_mark(byte) || byte < b' ';
            prop_assert_eq!(next_special(&text, from), after(&is_special));
        }
    }
}
