//! The value of a number's text.

use statetrail_event::{Finite, Value};

/// Powers of ten; all of them are exact.
const POWERS_OF_TEN: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A number without fraction and exponent stays whole.
pub(crate) fn number_value(text: &[u8]) -> Option<Value> {
    if let Some(value) = short_number(text) {
        return Some(value);
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(number) = text.parse() {
        return Some(Value::Int(number));
    }
    Finite::new(text.parse().ok()?).map(Value::Number)
}

/// The value of a number like those of most lines: at most 16 digits, or 15 with a point among
/// them. Up to there the digits as a whole number are exact, and so is the power of ten; their
/// quotient, rounded once, is the nearest number to what was written.
fn short_number(text: &[u8]) -> Option<Value> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > POWERS_OF_TEN.len() {
        return None;
    }
    let mut number = 0_i64;
    let mut point = None;
    for (index, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + i64::from(byte - b'0'),
            b'.' if index > 0 && point.is_none() => point = Some(index),
            _ => return None,
        }
    }
    let Some(point) = point else {
        return Some(Value::Int(if negative { -number } else { number }));
    };
    let places = digits.len() - point - 1;
    let magnitude = number as f64 / POWERS_OF_TEN[places];
    Finite::new(if negative { -magnitude } else { magnitude }).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the standard library says.
    fn expected(text: &str) -> Option<Value> {
        let whole = text.parse().ok().map(Value::Int);
        whole.or_else(|| Finite::new(text.parse().ok()?).map(Value::Number))
    }

    /// Told apart to the last bit, and -0 from 0.
    fn bits(value: Option<Value>) -> Option<(bool, u64)> {
        match value? {
            Value::Int(number) => Some((true, number as u64)),
            Value::Number(number) => Some((false, number.get().to_bits())),
            other => panic!("not a number: {other:?}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn numbers_are_what_the_standard_library_reads(
            text in r"[+-]?([0-9]{0,20}|[0-9]{0,9}\.[0-9]{0,9}|0{0,9}[.]?[0-9]{1,16})([eE.-][+-]?[0-9]{0,3})?",
        ) {
            prop_assert_eq!(bits(number_value(text.as_bytes())), bits(expected(&text)), "{}", text);
        }
    }

    #[test]
    fn numbers_at_the_limits() {
        for text in [
            "",
            "-",
            "+",
            ".",
            "1.",
            ".5",
            "-0",
            "-0.0",
            "0.1",
            "1e400",
            "1..2",
            "1.2.3",
            "9999999999999999",
            "99999999999999999",
            "9223372036854775808",
            "-9223372036854775808",
            "9.99999999999999",
            "9.999999999999999",
            "999999999999999.9",
            "9007199254740993.0",
        ] {
            assert_eq!(bits(number_value(text.as_bytes())), bits(expected(text)), "{text:?}");
        }
        assert_eq!(number_value(b"\xff"), None);
    }
}
