//! A line made a sample of a rule, without touching the rest of its file.

use statetrail_event::Event;

use crate::tree::{Kind, Node, parse};
use crate::yaml::sample_item;

/// Adds a line with its events to the samples of the rule with that name. `None` if the text has no
/// such rule, or lists its samples within brackets, where another line would not fit.
pub fn add_sample(text: &str, rule: &str, line: &str, events: &[Event]) -> Option<String> {
    let (root, _) = parse(text).ok()?;
    let found = rule_of(&root, rule)?;
    let lines: Vec<&str> = text.lines().collect();
    let line_of = |node: &Node| lines.get(node.start.checked_sub(1)?).copied();
    let (behind, addition) = match value(found, "samples") {
        Some(samples) => {
            let Kind::Seq(items) = &samples.kind else { return None };
            // The dash of an item within brackets does not begin its line.
            let indent = indent_of_dash(line_of(items.first()?)?)?;
            (samples.end, sample_item(indent, line, events))
        }
        None => {
            let indent = indent_behind_dash(line_of(found)?)?;
            let key = format!("{:indent$}samples:\n", "");
            (found.end, key + &sample_item(indent + 2, line, events))
        }
    };
    let (before, after) = lines.split_at_checked(behind)?;
    let mut whole = String::with_capacity(text.len() + addition.len() + 1);
    for part in before.iter().chain([&addition.trim_end()]).chain(after) {
        whole.push_str(part);
        whole.push('\n');
    }
    let (changed, _) = parse(&whole).ok()?;
    let (rules, samples) = size_of(&root, rule)?;
    (size_of(&changed, rule)? == (rules, samples + 1)).then_some(whole)
}

/// How many rules there are, and how many samples that one has.
fn size_of(root: &Node, rule: &str) -> Option<(usize, usize)> {
    let samples = match value(rule_of(root, rule)?, "samples").map(|node| &node.kind) {
        Some(Kind::Seq(items)) => items.len(),
        _ => 0,
    };
    Some((rules_of(root)?.len(), samples))
}

fn rules_of(root: &Node) -> Option<&[Node]> {
    match &value(root, "rules")?.kind {
        Kind::Seq(rules) => Some(rules),
        _ => None,
    }
}

fn rule_of<'n>(root: &'n Node, rule: &str) -> Option<&'n Node> {
    let is_it = |node: &&Node| value(node, "name").is_some_and(|name| is(name, rule));
    rules_of(root)?.iter().find(is_it)
}

/// How far to the right the dash stands that begins the line.
fn indent_of_dash(line: &str) -> Option<usize> {
    line.trim_start().strip_prefix('-').map(|_| line.len() - line.trim_start().len())
}

/// How far to the right the keys of an item stand whose first one is on that line, behind its dash.
fn indent_behind_dash(line: &str) -> Option<usize> {
    let key = line.trim_start().strip_prefix('-')?.trim_start();
    Some(line.len() - key.len())
}

fn value<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Kind::Map(pairs) = &node.kind else { return None };
    pairs.iter().find(|(name, _)| is(name, key)).map(|(_, value)| value)
}

fn is(node: &Node, text: &str) -> bool {
    matches!(&node.kind, Kind::Scalar { text: it, .. } if it == text)
}

#[cfg(test)]
mod tests {
    use statetrail_rules::{RuleSet, RuleText, check};

    use super::*;
    use crate::Trial;

    const RULES: &str = "
namespaces: [shop]   # ours
rules:
  - name: paid
    match: 'order <order> paid'
    emit:
      - {entity: order/<order>, event: paid}
    samples:
      - line: 'order o-1 paid'
        events:
          - {entity: order/o-1, event: paid}

  # What follows has no sample yet.
  - name: 'sent'
    match: 'parcel <parcel> sent to <city>'
    emit: [{entity: parcel/<parcel>, event: sent, set: {city: <city>}, unset: [shelf]}]
";

    fn with_sample(text: &str, rule: &str, line: &str) -> Option<String> {
        let text_of = RuleText { name: "shop.yaml".to_owned(), text: text.to_owned() };
        let (rules, _) = RuleSet::parse(&[text_of]);
        let tried = Trial::of_file(rules).line(line.as_bytes());
        add_sample(text, rule, line, &tried.events)
    }

    #[test]
    fn a_sample_is_added_and_nothing_else_changes() {
        let one = with_sample(RULES, "paid", "order o-2 paid: it's done").unwrap();
        let both = with_sample(&one, "sent", "parcel p-1 sent to 'Rom'").unwrap();
        let again = with_sample(&both, "sent", "parcel p-2 sent to Bonn").unwrap();
        let whole = RuleText { name: "shop.yaml".to_owned(), text: again.clone() };
        assert_eq!(check(&[whole]), []);
        let mut kept = again.lines();
        assert!(RULES.lines().all(|line| kept.any(|other| other == line)), "{again}");
        let added = "    samples:
      - line: 'parcel p-1 sent to ''Rom'''
        events:
          - entity: parcel/p-1
            event: sent
            set: {city: '''Rom'''}
            unset: [shelf]
      - line: 'parcel p-2 sent to Bonn'
";
        assert!(again.contains(added), "{again}");
    }

    #[test]
    fn where_no_sample_fits_nothing_changes() {
        let brackets = "namespaces: [a]\nrules:\n  - {name: x, match: abc, samples: [{line: abc, events: []}]}\n";
        for (text, rule) in [(RULES, "gone"), (brackets, "x"), ("rules: 1", "x"), ("", "x")] {
            assert_eq!(with_sample(text, rule, "order o-1 paid"), None, "{text}");
        }
    }
}
