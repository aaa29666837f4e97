//! The value of a field: text, a whole number, a number or a truth value.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number that is neither infinite nor NaN, so that JSON can write it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Finite(f64);

impl Finite {
    /// The number, or `None` if it is infinite or NaN.
    pub fn new(number: f64) -> Option<Finite> {
        number.is_finite().then_some(Finite(number))
    }

    /// The number itself.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Number(Finite),
    /// A text.
    Text(Box<str>),
}

/// A [`Value`] whose text is borrowed, so that extraction need not allocate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Number(Finite),
    /// A text, as bytes: logs are not always UTF-8. What is not becomes U+FFFD where it is
    /// written or owned.
    Text(&'a [u8]),
}

impl ValueRef<'_> {
    /// The value with a text of its own.
    pub fn to_value(self) -> Value {
        match self {
            ValueRef::Bool(value) => Value::Bool(value),
            ValueRef::Int(value) => Value::Int(value),
            ValueRef::Number(value) => Value::Number(value),
            ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into()),
        }
    }

    /// The value, if it borrows nothing.
    pub fn without_text(self) -> Option<ValueRef<'static>> {
        match self {
            ValueRef::Bool(value) => Some(ValueRef::Bool(value)),
            ValueRef::Int(value) => Some(ValueRef::Int(value)),
            ValueRef::Number(value) => Some(ValueRef::Number(value)),
            ValueRef::Text(_) => None,
        }
    }
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<Box<str>>) -> Value {
        Value::Text(text.into())
    }

    /// A text that values share when they are equal: the value as it is shown, but whole numbers
    /// look the same whether they are [`Value::Int`] or [`Value::Number`].
    pub fn equal_text(&self) -> String {
        match self {
            Value::Number(number) => match whole(number.get()) {
                Some(int) => int.to_string(),
                None => self.to_string(),
            },
            _ => self.to_string(),
        }
    }

    /// The value with its text borrowed.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Bool(value) => ValueRef::Bool(*value),
            Value::Int(value) => ValueRef::Int(*value),
            Value::Number(value) => ValueRef::Number(*value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }
    }
}

/// The whole number that is exactly this one, if an `i64` can be.
fn whole(number: f64) -> Option<i64> {
    // Two to the power of 63, the first number beyond an i64.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let fits = number.trunc() == number && (-LIMIT..LIMIT).contains(&number);
    fits.then_some(number as i64)
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

/// The value as a person reads it: a text without quotes, a number in its shortest form.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => fmt::Display::fmt(value, formatter),
            Value::Int(value) => fmt::Display::fmt(value, formatter),
            Value::Number(value) => fmt::Display::fmt(&value.0, formatter),
            Value::Text(text) => formatter.pad(text),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Number(value) => serializer.serialize_f64(value.0),
            Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a number, true or false")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => Ok(Value::Int(value)),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let finite = Finite::new(value);
        finite.map(Value::Number).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_equal_have_one_text() {
        let number = |number| Value::Number(Finite::new(number).expect("a finite number"));
        for (float, int) in [
            (5.0, 5),
            (-0.0, 0),
            (1_152_921_504_606_846_976.0, 1_152_921_504_606_846_976),
            (-9_223_372_036_854_775_808.0, i64::MIN),
        ] {
            assert_eq!(number(float).equal_text(), Value::Int(int).equal_text());
        }
        assert_eq!(number(0.5).equal_text(), "0.5");
        assert_eq!(number(1e19).equal_text(), "10000000000000000000");
        assert_eq!(Value::from("5.0").equal_text(), "5.0");
        assert_eq!(Value::from(true).equal_text(), "true");
    }
}
