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
        Kind::Map(pairs) => writer.map(&root, pairs, 0, false, usize::MAX),
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
    /// Where it begins, from 0.
    column: usize,
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
                    column: at,
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
        self.comments_while(indent, |comment| comment.line < line);
    }

    /// Writes the comments that stand below the last line of a block and within it, as what is commented
    /// out does.
    fn comments_at_end(&mut self, block: &Node, indent: usize, until: usize) {
        self.comments_while(indent, |comment| is_at_end(comment, block, until));
    }

    fn comments_while(&mut self, indent: usize, is_wanted: impl Fn(&Comment) -> bool) {
        while let Some(comment) = self.comments.get(self.next).filter(|it| is_wanted(it)) {
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

    /// Whether comments stand within a node, or between it and its key: before its last line, or below it
    /// and before the line `until`, on which the next thing begins.
    fn has_comments(&self, node: &Node, key_line: usize, until: usize) -> bool {
        let inside = |comment: &&Comment| match comment.is_alone {
            true => key_line < comment.line && comment.line <= node.end,
            false => key_line <= comment.line && comment.line < node.end,
        };
        let mut comments = self.comments[self.next..].iter();
        let first_below = comments.clone().find(|comment| comment.line > node.end);
        comments.any(|comment| inside(&comment))
            || first_below.is_some_and(|comment| is_at_end(comment, node, until))
    }

    /// A mapping in block form; the first line may stand behind a dash. What follows it begins on the
    /// line `until`.
    fn map(
        &mut self,
        block: &Node,
        pairs: &[(Node, Node)],
        indent: usize,
        mut behind_dash: bool,
        until: usize,
    ) {
        let starts: Vec<usize> = pairs.iter().map(|(key, _)| key.start).collect();
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
            let next = starts.iter().copied().filter(|start| *start > key.start).min();
            let lines = key.start..next.unwrap_or(until);
            self.value(value, lines, indent, &name, is_rules);
        }
        self.comments_at_end(block, indent, until);
    }

    /// Whether comments stand between pairs that would change places: they could not stay with them.
    fn moves_comments(&self, pairs: &[&(Node, Node)]) -> bool {
        let is_sorted = pairs.is_sorted_by_key(|(key, _)| rank(key));
        let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else { return false };
        let span = first.0.start..=last.1.end;
        !is_sorted && self.comments[self.next..].iter().any(|it| span.contains(&it.line))
    }

    /// The value of a key, of which the lines are those from the key's up to the next thing's.
    fn value(
        &mut self,
        value: &Node,
        lines: std::ops::Range<usize>,
        indent: usize,
        name: &str,
        is_rules: bool,
    ) {
        let (key_line, until) = (lines.start, lines.end);
        let column = self.out.len() - self.out.rfind('\n').map_or(0, |at| at + 1);
        let is_block = match name {
            "emit" | "samples" => !is_empty(value),
            "events" => has_several(value),
            _ => is_rules,
        };
        let flow = flow(value, name);
        if !is_block
            && !self.has_comments(value, key_line, until)
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
            Kind::Map(pairs) => self.map(value, pairs, indent + INDENT, false, until),
            Kind::Seq(items) => self.seq(value, items, indent + INDENT, is_rules, until),
            Kind::Scalar { .. } => {}
        }
    }

    fn seq(&mut self, block: &Node, items: &[Node], indent: usize, are_rules: bool, until: usize) {
        for (number, item) in items.iter().enumerate() {
            if are_rules && number > 0 && !self.out.ends_with("\n\n") {
                self.out.push('\n');
            }
            self.comments_before(item.start, indent);
            let _ = write!(self.out, "{:indent$}- ", "");
            let next = items.get(number + 1).map_or(until, |next| next.start);
            let flow = flow(item, "");
            let fits = indent + INDENT + flow.chars().count() <= WIDTH
                && !self.has_comments(item, item.start, next);
            match &item.kind {
                Kind::Map(pairs)
                    if !pairs.is_empty()
                        && (are_rules || is_sample_with_events(pairs) || !fits) =>
                {
                    self.map(item, pairs, indent + INDENT, true, next);
                }
                _ => {
                    self.out.push_str(&flow);
                    self.end_line(item.end);
                }
            }
        }
        self.comments_at_end(block, indent, until);
    }
}

/// Whether a comment stands below the last line of a block, in its columns, and before the line on which
/// the next thing begins.
fn is_at_end(comment: &Comment, block: &Node, until: usize) -> bool {
    let is_below = block.end < comment.line && comment.line < until;
    is_below && comment.is_alone && block.column.is_some_and(|column| column <= comment.column)
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

    /// What is commented out belongs to the block in whose columns it stands.
    #[test]
    fn what_is_commented_out_stays_where_it_is() {
        let text = "\
namespaces: [shop]
rules:
  - name: paid
    match: 'order <o> paid'
    emit:
      - entity: order/<o>
        event: paid
        # set: {by: <x>}
      # - {entity: bill/<o>, event: paid}
    samples:
      - {line: 'x', events: []}
      # - {line: 'y', events: []}
    # continue: true

  # - name: gone
  #   match: 'order <o> gone'

  - name: sent
    match: 'order <o> sent'
    emit: []
    samples:
      - {line: 'x', events: []}
      # - {line: 'y', events: []}

  # - name: last
  #   match: 'order <o> last'
# The end.
";
        assert_eq!(format(text).unwrap(), text);
        let without_indent = "\
rules:
- name: a
  emit: []
  samples:
  - {line: x, events: []}
  # continue: true
# redact: [x]
namespaces: [shop]
";
        let expected = "\
rules:
  - name: a
    emit: []
    samples:
      - {line: 'x', events: []}
    # continue: true
# redact: [x]
namespaces: [shop]
";
        assert_eq!(format(without_indent).unwrap(), expected);
    }

    #[test]
    fn what_is_no_rule_file_is_refused() {
        for (text, said) in [
            ("", "empty"),
            ("[a]", "mapping"),
            ("a: &x b", "anchors"),
            ("a: [", "not YAML"),
            ("a: b\n---\nc: d\n", "one YAML document"),
            ("a: |\n  b\n", "line feed"),
            ("a: [b]\nc:\n  - >+\n    d\n\n", "line feed"),
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

    /// Whether the next line that is not blank stands further out, or there is none.
    fn ends_block(lines: &[&str], number: usize) -> bool {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let next = lines[number + 1..].iter().find(|line| !line.is_empty());
        !lines[number].is_empty() && next.is_none_or(|next| indent(next) < indent(lines[number]))
    }

    proptest::proptest! {
        /// A comment alone stands before the same key as before, one behind a key behind it, one below the
        /// last line of a block below that.
        #[test]
        fn comments_stay_with_what_they_are_about(places in proptest::collection::btree_set((0usize..25, 0u8..3), 0..6)) {
            let lines: Vec<&str> = PLAIN.lines().collect();
            let (mut text, mut about, mut below) = (String::new(), Vec::new(), Vec::new());
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
                if places.contains(&(number, 2)) && ends_block(&lines, number) {
                    text.push_str(&format!("{:indent$}# below {number}\n", ""));
                    below.push((format!("# below {number}"), key_of(line)));
                }
            }
            let once = format(&text).unwrap();
            proptest::prop_assert_eq!(format(&once), Ok(once.clone()), "{}", text);
            for (comment, key) in about {
                let found: Vec<&str> = once.lines().skip_while(|line| !line.contains(&comment)).collect();
                let of = found.iter().find(|line| !line.trim_start().starts_with('#')).unwrap_or(&"");
                proptest::prop_assert!(of.contains(&key), "{comment} is about {key}, not {of}:\n{once}");
            }
            for (comment, key) in below {
                let above: Vec<&str> = once.lines().take_while(|line| !line.contains(&comment)).collect();
                let of = above.iter().rfind(|line| !line.trim_start().starts_with('#')).unwrap_or(&"");
                let indent = |line: &str| line.len() - line.trim_start().len();
                let own = once.lines().find(|line| line.contains(&comment)).unwrap_or("");
                proptest::prop_assert_eq!((key_of(of), indent(own)), (key, indent(of)), "{}:\n{}", comment, once);
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
