//! Constant pieces of JSON, which the compiler writes in both forms.

/// Appends a constant piece of JSON in a [`Form`](super::Form).
macro_rules! put {
    ($out:expr, $form:expr, $text:literal) => {
        match $form {
            $crate::cloudevents::Form::Plain => $out.extend_from_slice($text),
            $crate::cloudevents::Form::Quoted => {
                const LENGTH: usize = $crate::cloudevents::literal::quoted_length($text);
                const QUOTED: [u8; LENGTH] = $crate::cloudevents::literal::quoted($text);
                $out.extend_from_slice(&QUOTED);
            }
        }
    };
}

pub(super) use put;

/// Bytes of `text` as the inside of a JSON string.
pub(super) const fn quoted_length(text: &[u8]) -> usize {
    let (mut length, mut index) = (0, 0);
    while index < text.len() {
        length += if needs_escape(text[index]) { 2 } else { 1 };
        index += 1;
    }
    length
}

/// `text` as the inside of a JSON string.
pub(super) const fn quoted<const LENGTH: usize>(text: &[u8]) -> [u8; LENGTH] {
    let mut quoted = [0; LENGTH];
    let (mut at, mut index) = (0, 0);
    while index < text.len() {
        if needs_escape(text[index]) {
            quoted[at] = b'\\';
            at += 1;
        }
        quoted[at] = text[index];
        at += 1;
        index += 1;
    }
    quoted
}

/// JSON as it is written here holds no other bytes that need one.
const fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}
