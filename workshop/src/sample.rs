//! A line made a sample of a rule, without touching the rest of its file.

use statetrail_event::Event;

use crate::tree::{Kind, Node, parse};
use crate::yaml::sample_item;

/// Why a line is not added to the samples of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSample {
    /// The rule has it already.
    Known,
    /// The text is no rule file, or has no rule of that name.
    NoRule,
    /// Its samples stand within brackets, or where another one cannot be told to fit.
    NoPlace,
}

/// Adds a line with its events to the samples of the rule with that name.
///
/// # Errors
/// When it is there already, or has no place.
pub fn add_sample(
    text: &str,
    rule: &str,
    line: &str,
    events: &[Event],
) -> Result<String, NoSample> {
    let (root, _) = parse(text).map_err(|_| NoSample::NoRule)?;
    let found = rule_of(&root, rule).ok_or(NoSample::NoRule)?;
    if samples_of(found).iter().any(|it| value(it, "line").is_some_and(|it| is(it, line))) {
        return Err(NoSample::Known);
    }
    let whole = with_sample(text, found, line, events).ok_or(NoSample::NoPlace)?;
    let sizes = parse(&whole).ok().and_then(|(changed, _)| size_of(&changed, rule));
    let (rules, samples) = size_of(&root, rule).ok_or(NoSample::NoRule)?;
    match sizes == Some((rules, samples + 1)) {
        true => Ok(whole),
        false => Err(NoSample::NoPlace),
    }
}

fn with_sample(text: &str, rule: &Node, line: &str, events: &[Event]) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let line_of = |node: &Node| lines.get(node.start.checked_sub(1)?).copied();
    let (behind, addition) = match value(rule, "samples") {
        Some(samples) => {
            // The dash of an item within brackets does not begin its line.
            let indent = indent_of_dash(line_of(samples_of(rule).first()?)?)?;
            (samples.end, sample_item(indent, line, events))
        }
        None => {
            let indent = indent_behind_dash(line_of(rule)?)?;
            let key = format!("{:indent$}samples:\n", "");
            (rule.end, key + &sample_item(indent + 2, line, events))
        }
    };
    let (before, after) = lines.split_at_checked(behind)?;
    let mut whole = String::with_capacity(text.len() + addition.len() + 1);
    for part in before.iter().chain([&addition.trim_end()]).chain(after) {
        whole.push_str(part);
        whole.push('\n');
    }
    Some(whole)
}

fn samples_of(rule: &Node) -> &[Node] {
    match value(rule, "samples").map(|node| &node.kind) {
        Some(Kind::Seq(items)) => items,
        _ => &[],
    }
}

/// How many rules there are, and how many samples that one has.
fn size_of(root: &Node, rule: &str) -> Option<(usize, usize)> {
    let samples = samples_of(rule_of(root, rule)?).len();
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

    fn sampled(text: &str, rule: &str, line: &str) -> Result<String, NoSample> {
        let text_of = RuleText { name: "shop.yaml".to_owned(), text: text.to_owned() };
        let (rules, _) = RuleSet::parse(&[text_of]);
        let tried = Trial::of_file(rules).line(line.as_bytes());
        add_sample(text, rule, line, &tried.events)
    }

    #[test]
    fn a_sample_is_added_and_nothing_else_changes() {
        let one = sampled(RULES, "paid", "order o-2 paid: it's done").unwrap();
        let both = sampled(&one, "sent", "parcel p-1 sent to 'Rom'").unwrap();
        let again = sampled(&both, "sent", "parcel p-2 sent to Bonn").unwrap();
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
        for (text, rule, why) in [
            (RULES, "gone", NoSample::NoRule),
            (RULES, "paid", NoSample::Known),
            (brackets, "x", NoSample::NoPlace),
            ("rules: 1", "x", NoSample::NoRule),
            ("", "x", NoSample::NoRule),
        ] {
            assert_eq!(sampled(text, rule, "order o-1 paid"), Err(why), "{text}");
        }
    }
}
