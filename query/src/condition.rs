//! Conditions on a state, as a person types them: `status=paid`, `amount>=10`, `!refund`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use statetrail_event::{Finite, State, Value, ValueRef};

/// A condition on one field.
///
/// | typed | holds if the field |
/// |---|---|
/// | `field` | has a value |
/// | `!field` | has none |
/// | `field=text` | has this value |
/// | `field!=text` | does not have this value, or has none |
/// | `field<text`, `<=`, `>`, `>=` | has a value that compares so |
///
/// The field's value decides how it is compared: a number as a number (what is not typed as one
/// is neither equal, less nor greater), everything else as text. Blanks around field and text do
/// not count.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    field: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Present,
    Absent,
    Compares(Comparison, Typed),
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// A text that was typed as a value, and the number that it may stand for.
#[derive(Clone, Debug, PartialEq)]
struct Typed {
    text: String,
    number: Option<Number>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Int(i64),
    Float(Finite),
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// There is no field's name.
    #[error("{0:?} names no field; write a condition as field=value, field>value, field or !field")]
    NoField(String),
    /// There is a sign that means nothing.
    #[error("{text:?} has {sign:?} where {instead:?} is meant")]
    Sign {
        /// The whole text.
        text: String,
        /// What was typed.
        sign: &'static str,
        /// What to type.
        instead: &'static str,
    },
    /// There is a sign, but nothing to compare with.
    #[error(
        "{text:?} compares with nothing; write {field:?} or \"!{field}\" to ask whether there is a value"
    )]
    NoValue {
        /// The whole text.
        text: String,
        /// The field.
        field: String,
    },
}

/// The longer signs come first, or their beginnings would be found instead.
const SIGNS: [(&str, Comparison); 6] = [
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// Signs of other languages.
const FOREIGN_SIGNS: [(&str, &str); 5] =
    [("==", "="), ("=<", "<="), ("=>", ">="), ("<>", "!="), ("=!", "!=")];

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Condition, ConditionError> {
        let condition = |field: &str, test: Test| match field.trim() {
            "" => Err(ConditionError::NoField(text.to_owned())),
            field => Ok(Condition { field: field.to_owned(), test }),
        };
        let Some((at, sign, comparison)) = first_sign(text) else {
            return match text.trim().strip_prefix('!') {
                Some(field) => condition(field, Test::Absent),
                None => condition(text, Test::Present),
            };
        };
        let (field, rest) = text.split_at(at);
        if let Some((sign, instead)) = FOREIGN_SIGNS.iter().find(|(sign, _)| rest.starts_with(sign))
        {
            return Err(ConditionError::Sign { text: text.to_owned(), sign, instead });
        }
        if field.trim_start().starts_with('!') {
            let (sign, instead) = ("!", "!=");
            return Err(ConditionError::Sign { text: text.to_owned(), sign, instead });
        }
        let value = rest.strip_prefix(sign).unwrap_or_default().trim();
        if value.is_empty() && !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            let field = field.trim().to_owned();
            return Err(ConditionError::NoValue { text: text.to_owned(), field });
        }
        condition(field, Test::Compares(comparison, Typed::new(value)))
    }
}

/// The first sign in the text, and where it stands.
fn first_sign(text: &str) -> Option<(usize, &'static str, Comparison)> {
    text.char_indices().find_map(|(at, _)| {
        let (_, rest) = text.split_at(at);
        let (sign, comparison) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign))?;
        Some((at, *sign, *comparison))
    })
}

impl Condition {
    /// Whether the state fulfils the condition.
    pub fn holds(&self, state: &State) -> bool {
        self.holds_for(state.get(&self.field).map(Value::as_ref))
    }

    /// Whether it holds if its field has that value.
    pub(crate) fn holds_for(&self, value: Option<ValueRef<'_>>) -> bool {
        match &self.test {
            Test::Present => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Compares(comparison, typed) => {
                let order = value.and_then(|value| typed.compared_with(value));
                comparison.holds(order)
            }
        }
    }

    /// Field and text by which a store may look states up: each that fulfils the condition has
    /// a value in this field whose [`Value::equal_text`] is this text. `None` if there is no such
    /// text: for other comparisons, and where one number can be typed in several ways.
    pub fn exact(&self) -> Option<(&str, &str)> {
        match &self.test {
            Test::Compares(Comparison::Equal, typed) if typed.is_plain() => {
                Some((&self.field, &typed.text))
            }
            _ => None,
        }
    }

    /// The field that it looks at.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl Comparison {
    /// Whether it holds for a value with this order relative to what was typed.
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::NotEqual => order != Some(Ordering::Equal),
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Comparison::Greater => order == Some(Ordering::Greater),
            Comparison::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl Typed {
    fn new(text: &str) -> Typed {
        let float = || Some(Number::Float(Finite::new(text.parse().ok()?)?));
        let number = text.parse().ok().map(Number::Int).or_else(float);
        Typed { text: text.to_owned(), number }
    }

    /// Whether every value that is equal to it has this very text.
    fn is_plain(&self) -> bool {
        let value = match self.number {
            None => return true,
            Some(Number::Int(int)) => Value::Int(int),
            Some(Number::Float(float)) => Value::Number(float),
        };
        value.equal_text() == self.text
    }

    /// The order of the value relative to what was typed; `None` if they cannot be compared.
    fn compared_with(&self, value: ValueRef<'_>) -> Option<Ordering> {
        match (value, self.number) {
            (ValueRef::Int(_) | ValueRef::Number(_), None) => None,
            (ValueRef::Int(value), Some(Number::Int(typed))) => Some(value.cmp(&typed)),
            (ValueRef::Int(value), Some(Number::Float(typed))) => {
                Some(compare_int_with_float(value, typed))
            }
            (ValueRef::Number(value), Some(Number::Int(typed))) => {
                Some(compare_int_with_float(typed, value).reverse())
            }
            (ValueRef::Number(value), Some(Number::Float(typed))) => value.partial_cmp(&typed),
            // Texts are ordered as their bytes are.
            (ValueRef::Text(text), _) => Some(text.cmp(self.text.as_bytes())),
            (ValueRef::Bool(value), _) => Some(value.to_string().as_str().cmp(&self.text)),
        }
    }
}

/// Compares exactly: an `i64` does not always fit into an `f64`.
fn compare_int_with_float(int: i64, float: Finite) -> Ordering {
    // Two to the power of 63, the first number beyond an i64.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let float = float.get();
    if float >= LIMIT {
        return Ordering::Less;
    }
    if float < -LIMIT {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    let rest = float - whole;
    int.cmp(&(whole as i64)).then_with(|| 0.0_f64.total_cmp(&(rest + 0.0)))
}

/// The condition as it could have been typed.
impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match &self.test {
            Test::Present => write!(formatter, "{field}"),
            Test::Absent => write!(formatter, "!{field}"),
            Test::Compares(comparison, typed) => {
                let sign = SIGNS.iter().find(|(_, sign)| sign == comparison);
                let sign = sign.map_or("", |(sign, _)| sign);
                // Without the blanks, sign and text could be read as another sign.
                write!(formatter, "{field} {sign} {}", typed.text)
            }
        }
    }
}
