//! Structured lines, as a text whose words can be compared like those of any other line.

use serde_json::Value;

/// Fields that say when and where a line was written, not what happened.
const HEADS: [&str; 20] = [
    "@timestamp",
    "caller",
    "file",
    "func",
    "host",
    "hostname",
    "level",
    "line",
    "logger",
    "loglevel",
    "lvl",
    "name",
    "pid",
    "severity",
    "source",
    "stacktrace",
    "thread",
    "time",
    "timestamp",
    "ts",
];
/// Fields that hold the message, the usual first.
pub(crate) const MESSAGES: [&str; 4] = ["msg", "message", "text", "log"];

/// How a line is structured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Structure {
    Json,
    Logfmt,
}

impl Structure {
    /// The word for it in rule files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Structure::Json => "json",
            Structure::Logfmt => "logfmt",
        }
    }
}

/// A structured line: the values of its fields, one a line of `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) structure: Structure,
    /// The paths of the values.
    pub(crate) paths: Vec<String>,
    pub(crate) text: String,
}

/// Takes a structured line apart; `None` if it is none.
pub(crate) fn fields_of(line: &str) -> Option<Fields> {
    let line = line.trim();
    let (structure, pairs) = if line.starts_with('{') {
        let Value::Object(object) = serde_json::from_str(line).ok()? else { return None };
        let mut pairs = Vec::new();
        for (key, value) in object {
            flatten(key, value, &mut pairs);
        }
        // Whether an object keeps the order in which it was written depends on who else reads JSON.
        pairs.sort();
        (Structure::Json, pairs)
    } else {
        (Structure::Logfmt, logfmt_pairs(line)?)
    };
    let (mut paths, mut values) = (Vec::new(), Vec::new());
    let message = MESSAGES.iter().find_map(|name| pairs.iter().position(|(path, _)| path == name));
    for (number, (path, value)) in pairs.into_iter().enumerate() {
        let last = path.rsplit('.').next().unwrap_or_default();
        let is_one_word = !value.is_empty() && !value.contains(char::is_whitespace);
        if Some(number) == message {
            // It is text even if it is one word, and stands first.
            if !value.trim().is_empty() {
                paths.insert(0, path);
                values.insert(0, value.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        } else if is_one_word && !HEADS.contains(&last) && !paths.contains(&path) {
            paths.push(path);
            values.push(value);
        }
    }
    (!paths.is_empty()).then(|| Fields { structure, paths, text: values.join("\n") })
}

fn flatten(path: String, value: Value, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                flatten(format!("{path}.{key}"), value, pairs);
            }
        }
        Value::String(text) => pairs.push((path, text)),
        Value::Number(number) => pairs.push((path, number.to_string())),
        Value::Bool(truth) => pairs.push((path, truth.to_string())),
        Value::Null | Value::Array(_) => {}
    }
}

/// The pairs of a line that is made of them, with nothing but words between.
fn logfmt_pairs(line: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let key = &rest[..end];
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix('=') {
            let (value, behind) = logfmt_value(after);
            if key.is_empty() {
                return None;
            }
            pairs.push((key.to_owned(), value));
            rest = behind;
        } else {
            return None;
        }
        rest = rest.trim_start_matches(' ');
    }
    (pairs.len() > 1).then_some(pairs)
}

fn logfmt_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(' ').unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_apart() {
        for (line, paths, text) in [
            (
                r#"{"ts":"x","level":"info","order":{"id":"o-1","total":5},"msg":"order paid","ok":true}"#,
                vec!["msg", "ok", "order.id", "order.total"],
                "order paid\ntrue\no-1\n5",
            ),
            (
                r#"level=info msg="parcel p-1 \"handed\" over" carrier=x note="two words" #empty="#,
                vec!["msg", "carrier"],
                "parcel p-1 \"handed\" over\nx",
            ),
        ] {
            let fields = fields_of(line).unwrap();
            assert_eq!(
                (fields.paths, &*fields.text),
                (paths.iter().map(|it| (*it).to_owned()).collect(), text)
            );
        }
        for line in
            ["", "plain text", "x=1", "a=1 and b=2", "[1]", "{", "{}", r#"{"level":"info"}"#]
        {
            assert_eq!(fields_of(line), None, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn each_path_has_a_line(line in "[a-c ={}\":,\\\\]{0,40}") {
            if let Some(fields) = fields_of(&line) {
                proptest::prop_assert_eq!(fields.text.split('\n').count(), fields.paths.len());
            }
        }
    }
}
