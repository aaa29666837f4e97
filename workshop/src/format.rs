//! Rule files in the usual form: the same meaning, one way to write it.
//!
//! Keys stand in a fixed order, rules are apart by a blank line, what fits a line stands on one,
//! comments stay with what they are about. The rule files that come with statetrail are in it.

use std::fmt::Write as _;

use statetrail_rules::is_plain_text;

use crate::tree::{FormatError, Kind, Node, error, parse, same};
use crate::yaml::{in_quotes, quoted};

/// Columns that a line may have.
const WIDTH: usize = 120;
const INDENT: usize = 2;

/// Keys in the order in which they are written; others follow as they stand.
const ORDER: [&str; 14] = [
    "namespaces",
    "containers",
    "redact",
    "rules",
    "name",
    "match",
    "continue",
    "emit",
    "samples",
    "line",
    "events",
    "entity",
    "event",
    "set",
];

/// Writes a rule file in the usual form.
///
/// # Errors
/// When it is no YAML, or has what rule files may not have.
pub fn format(text: &str) -> Result<String, FormatError> {
    let (root, scalars) = parse(text)?;
    let mut writer = Writer { out: String::new(), comments: comments(text, &scalars), next: 0 };
    match &root.kind {
        Kind::Map(pairs) => writer.map(pairs, 0, false),
        _ => {
            return Err(error(
                root.start,
                1,
                "a rule file is a mapping with `namespaces` and `rules`",
            ));
        }
    }
    writer.comments_before(usize::MAX, 0);
    let formatted = writer.out;
    // Whatever is wrong here, nobody's rules may change by it.
    let is_same = parse(&formatted).is_ok_and(|(other, _)| same(&root, &other));
    is_same
        .then_some(formatted)
        .ok_or_else(|| error(1, 1, "this cannot be formatted; it is left as it is"))
}

struct Comment {
    line: usize,
    /// Whether nothing else stands on its line.
    is_alone: bool,
    /// With its `#`.
    text: String,
    /// Whether a blank line stands before it, and behind it.
    is_apart: bool,
    ends_part: bool,
}

/// What is a comment: behind a `#` that begins a line or stands behind a blank, in no scalar.
fn comments(text: &str, scalars: &[std::ops::Range<usize>]) -> Vec<Comment> {
    let mut comments = Vec::new();
    let mut index = 0;
    let mut scalar = 0;
    let lines: Vec<&str> = text.split('\n').collect();
    let is_blank = |line: Option<&&str>| line.is_some_and(|line| line.trim().is_empty());
    for (number, line) in (1..).zip(&lines) {
        let mut before = ' ';
        for (at, (byte, character)) in line.char_indices().enumerate() {
            while scalars.get(scalar).is_some_and(|range| range.end <= index + at) {
                scalar += 1;
            }
            let is_inside = scalars.get(scalar).is_some_and(|range| range.start <= index + at);
            if character == '#' && before.is_whitespace() && !is_inside {
                comments.push(Comment {
                    line: number,
                    is_alone: line[..byte].trim().is_empty(),
                    text: line[byte..].trim_end().to_owned(),
                    is_apart: number > 1 && is_blank(lines.get(number - 2)),
                    ends_part: number < lines.len() - 1 && is_blank(lines.get(number)),
                });
                break;
            }
            before = character;
        }
        index += line.chars().count() + 1;
    }
    comments
}

struct Writer {
    out: String,
    comments: Vec<Comment>,
    /// The first comment that is not written yet.
    next: usize,
}

impl Writer {
    /// Writes the comments that stand before a line.
    fn comments_before(&mut self, line: usize, indent: usize) {
        while let Some(comment) = self.comments.get(self.next).filter(|it| it.line < line) {
            if comment.is_apart && !self.out.is_empty() && !self.out.ends_with("\n\n") {
                self.out.push('\n');
            }
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(self.out, "{:indent$}{}", "", comment.text);
            if comment.ends_part && comment.is_alone {
                self.out.push('\n');
            }
            self.next += 1;
        }
    }

    /// Ends a line of the node that ends there, with the comment that stands behind it.
    fn end_line(&mut self, line: usize) {
        if let Some(comment) = self.comments.get(self.next)
            && comment.line <= line
            && !comment.is_alone
        {
            let _ = write!(self.out, " {}", comment.text);
            self.next += 1;
        }
        self.out.push('\n');
    }

    /// Whether comments stand within a node, or between it and its key, before its last line.
    fn has_comments(&self, node: &Node, key_line: usize) -> bool {
        let inside = |comment: &&Comment| match comment.is_alone {
            true => key_line < comment.line && comment.line <= node.end,
            false => key_line <= comment.line && comment.line < node.end,
        };
        self.comments[self.next..].iter().any(|comment| inside(&comment))
    }

    /// A mapping in block form; the first line may stand behind a dash.
    fn map(&mut self, pairs: &[(Node, Node)], indent: usize, mut behind_dash: bool) {
        let mut pairs: Vec<&(Node, Node)> = pairs.iter().collect();
        if self.comments[self.next..].is_empty() || !self.moves_comments(&pairs) {
            pairs.sort_by_key(|(key, _)| rank(key));
        }
        for (key, value) in pairs {
            if !behind_dash {
                self.comments_before(key.start, indent);
                let _ = write!(self.out, "{:indent$}", "");
            }
            behind_dash = false;
            let name = scalar(key);
            let _ = write!(self.out, "{name}:");
            let is_rules = indent == 0 && name == "rules";
            self.value(value, key.start, indent, &name, is_rules);
        }
    }

    /// Whether comments stand between pairs that would change places: they could not stay with them.
    fn moves_comments(&self, pairs: &[&(Node, Node)]) -> bool {
        let is_sorted = pairs.is_sorted_by_key(|(key, _)| rank(key));
        let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else { return false };
        let span = first.0.start..=last.1.end;
        !is_sorted && self.comments[self.next..].iter().any(|it| span.contains(&it.line))
    }

    fn value(&mut self, value: &Node, key_line: usize, indent: usize, name: &str, is_rules: bool) {
        let column = self.out.len() - self.out.rfind('\n').map_or(0, |at| at + 1);
        let is_block = match name {
            "emit" | "samples" => !is_empty(value),
            "events" => has_several(value),
            _ => is_rules,
        };
        let flow = flow(value, name);
        if !is_block
            && !self.has_comments(value, key_line)
            && column + 1 + flow.chars().count() <= WIDTH
            || matches!(value.kind, Kind::Scalar { .. })
            || is_empty(value)
        {
            let _ = write!(self.out, " {flow}");
            self.end_line(value.end);
            return;
        }
        self.end_line(key_line);
        match &value.kind {
            Kind::Map(pairs) => self.map(pairs, indent + INDENT, false),
            Kind::Seq(items) => self.seq(items, indent + INDENT, is_rules),
            Kind::Scalar { .. } => {}
        }
    }

    fn seq(&mut self, items: &[Node], indent: usize, are_rules: bool) {
        for (number, item) in items.iter().enumerate() {
            if are_rules && number > 0 && !self.out.ends_with("\n\n") {
                self.out.push('\n');
            }
            self.comments_before(item.start, indent);
            let _ = write!(self.out, "{:indent$}- ", "");
            let flow = flow(item, "");
            let fits = indent + INDENT + flow.chars().count() <= WIDTH
                && !self.has_comments(item, item.start);
            match &item.kind {
                Kind::Map(pairs)
                    if !pairs.is_empty()
                        && (are_rules || is_sample_with_events(pairs) || !fits) =>
                {
                    self.map(pairs, indent + INDENT, true);
                }
                _ => {
                    self.out.push_str(&flow);
                    self.end_line(item.end);
                }
            }
        }
    }
}

fn rank(key: &Node) -> usize {
    let name = scalar(key);
    ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len())
}

/// Whether it is a sample that gives events: they stand below its line, however short.
fn is_sample_with_events(pairs: &[(Node, Node)]) -> bool {
    let has = |name: &str| pairs.iter().find(|(key, _)| scalar(key) == name);
    has("line").is_some() && has("events").is_some_and(|(_, events)| !is_empty(events))
}

fn has_several(node: &Node) -> bool {
    matches!(&node.kind, Kind::Seq(items) if items.len() > 1)
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar { .. } => false,
        Kind::Seq(items) => items.is_empty(),
        Kind::Map(pairs) => pairs.is_empty(),
    }
}

fn scalar(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar { text, plain: true } if !is_plain_text(text) => text.clone(),
        Kind::Scalar { text, .. } => quoted(text),
        _ => flow(node, ""),
    }
}

/// A node on one line.
fn flow(node: &Node, name: &str) -> String {
    match &node.kind {
        Kind::Scalar { text, .. } if matches!(name, "match" | "line" | "regex") => in_quotes(text),
        Kind::Scalar { .. } => scalar(node),
        Kind::Seq(items) => {
            // Patterns are in quotes wherever they stand.
            let name = if name == "redact" { "match" } else { "" };
            let items: Vec<String> = items.iter().map(|item| flow(item, name)).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Map(pairs) => {
            let mut pairs: Vec<&(Node, Node)> = pairs.iter().collect();
            pairs.sort_by_key(|(key, _)| rank(key));
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| {
                    let key = scalar(key);
                    let value = flow(value, &key);
                    format!("{key}: {value}")
                })
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_files_that_come_along_are_in_the_usual_form() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fluent-bit/rules");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let formatted = format(&text).unwrap();
            assert!(formatted == text, "run `statetrail rules fmt {}`", path.display());
            count += 1;
        }
        assert!(count >= 16, "only {count} rule files");
    }

    #[test]
    fn a_file_gets_the_usual_form() {
        let text = "\
# All of the shop.

rules:   # in order
- match: order <o> paid   # by card, too
  name:   paid
  samples:
     - events: [{event: paid, entity: order/o-1, set: {\"amount\": 5, ok: 'true'}}]
       line: \"order o-1 paid\"
  # Only one event.
  emit: [{event: paid, entity: 'order/<o>'}]
- name: passed
  match: {regex: 'x(?P<y>\\d)#'}
  emit: []
namespaces:
  - 'shop'
  - shop-*
# The end.
";
        let expected = "\
# All of the shop.

rules: # in order
  - match: 'order <o> paid' # by card, too
    name: paid
    samples:
      - line: 'order o-1 paid'
        events: [{entity: order/o-1, event: paid, set: {amount: 5, ok: 'true'}}]
    # Only one event.
    emit:
      - {entity: order/<o>, event: paid}

  - name: passed
    match: {regex: 'x(?P<y>\\d)#'}
    emit: []
namespaces: [shop, 'shop-*']
# The end.
";
        assert_eq!(format(text).unwrap(), expected);
        assert_eq!(format(expected).unwrap(), expected);
        let plain = "rules: [{match: a, name: b}]\nnamespaces: [x]\n";
        let sorted = "namespaces: [x]\nrules:\n  - name: b\n    match: 'a'\n";
        assert_eq!(format(plain).unwrap(), sorted);
    }

    #[test]
    fn what_is_no_rule_file_is_refused() {
        for (text, said) in [
            ("", "empty"),
            ("[a]", "mapping"),
            ("a: &x b", "anchors"),
            ("a: [", "not YAML"),
            ("a: b\n---\nc: d\n", "one YAML document"),
        ] {
            let refused = format(text).unwrap_err();
            assert!(refused.message.contains(said), "{text}: {refused:?}");
        }
    }

    const PLAIN: &str = "\
namespaces: [shop]
rules:
  - name: paid
    match: 'order <o> paid'
    emit:
      - entity: order/<o>
        event: paid
        set:
          amount: 5
          method: <o>
    samples:
      - line: 'order o-1 paid'
        events:
          - entity: order/o-1
            event: paid
            set:
              amount: 5
              method: o-1

  - name: sent
    match:
      json:
        msg: 'sent'
        id: <id>
    emit: []
";

    /// The key of a line, or its text.
    fn key_of(line: &str) -> String {
        let line = line.trim_start_matches(['-', ' ', '[', '{']);
        line.split(':').next().unwrap_or_default().to_owned()
    }

    proptest::proptest! {
        /// A comment alone stands before the same key as before, one behind a key behind it.
        #[test]
        fn comments_stay_with_what_they_are_about(places in proptest::collection::btree_set((0usize..25, 0u8..2), 0..5)) {
            let lines: Vec<&str> = PLAIN.lines().collect();
            let (mut text, mut about) = (String::new(), Vec::new());
            for (number, line) in lines.iter().enumerate() {
                let indent = line.len() - line.trim_start().len();
                if places.contains(&(number, 0)) && !line.is_empty() {
                    text.push_str(&format!("{:indent$}# before {number}\n", ""));
                    about.push((format!("# before {number}"), key_of(line)));
                }
                text.push_str(line);
                if places.contains(&(number, 1)) && !line.is_empty() {
                    text.push_str(&format!(" # behind {number}"));
                    about.push((format!("# behind {number}"), key_of(line)));
                }
                text.push('\n');
            }
            let once = format(&text).unwrap();
            proptest::prop_assert_eq!(format(&once), Ok(once.clone()), "{}", text);
            for (comment, key) in about {
                let found: Vec<&str> = once.lines().skip_while(|line| !line.contains(&comment)).collect();
                let of = found.iter().find(|line| !line.trim_start().starts_with('#')).unwrap_or(&"");
                proptest::prop_assert!(of.contains(&key), "{comment} is about {key}, not {of}:\n{once}");
            }
        }

        #[test]
        fn formatting_twice_changes_nothing(text in "[a-c:\\-\\[\\]{}#'\", \n]{0,60}") {
            if let Ok(once) = format(&text) {
                proptest::prop_assert_eq!(format(&once), Ok(once));
            }
        }
    }
}
