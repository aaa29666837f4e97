//! The structure of a rule file. Every fault is reported, not only the first.

use std::collections::HashSet;

use xxhash_rust::xxh64::xxh64;

use crate::diagnostic::{Place, Report, nearest};
use crate::file::{Home, Rule, RuleFile, emit, matches, sample};
use crate::glob::Glob;
use crate::pattern::{Names, PatternError};
use crate::redact::Redactor;
use crate::yaml::{self, Kind, Node, Plain, Scalar, Style, resolve_plain};

/// Reads a rule file. Faults go to the report; `None` if the file cannot be used.
pub(crate) fn read(name: &str, text: &str, report: &mut Report<'_>) -> Option<RuleFile> {
    let root = yaml::parse(text, report)?;
    let known = ["namespaces", "containers", "redact", "rules"];
    let keys = Keys::of(&root, "a rule file", &known, report)?;
    let namespaces = globs(keys.required("namespaces", report), "namespaces", report);
    let containers = globs(keys.get("containers"), "containers", report);
    let redactors = redactors(keys.get("redact"), report);
    let rules = rules(name, keys.required("rules", report), report);
    if report.has_errors() {
        return None;
    }
    let home = namespaces.iter().find(|glob| glob.is_exact()).map(|glob| Home::new(glob.text()));
    let text_hash = xxh64(text.as_bytes(), 0);
    Some(RuleFile { name: name.into(), text_hash, namespaces, containers, redactors, rules, home })
}

/// The members of a mapping whose keys are known.
pub(crate) struct Keys<'n> {
    pairs: Vec<(&'n str, &'n Node)>,
    /// What unknown keys may have meant; `None` where nothing is near.
    unknown: Vec<Option<&'static str>>,
    place: Place,
    what: &'static str,
}

impl<'n> Keys<'n> {
    /// Reports unknown and doubled keys, and anything that is no mapping.
    pub(crate) fn of(
        node: &'n Node,
        what: &'static str,
        known: &[&'static str],
        report: &mut Report<'_>,
    ) -> Option<Keys<'n>> {
        let Kind::Mapping(members) = &node.kind else {
            let message = format!("{what} is a mapping, this is {}", node.kind_name());
            report
                .error(node.place, message)
                .expected(format!("expected the keys {}", known.join(", ")));
            return None;
        };
        let mut pairs: Vec<(&str, &Node)> = Vec::new();
        let mut unknown = Vec::new();
        for (key, value) in members {
            let Some(name) = text_of(key, "a key", report) else { continue };
            if !known.contains(&name) {
                report
                    .error(key.place, format!("unknown key `{name}` in {what}"))
                    .expected(format!("expected one of {}", known.join(", ")))
                    .nearest(name, known);
                unknown.push(nearest(name, known));
            } else if pairs.iter().any(|(seen, _)| *seen == name) {
                report.error(key.place, format!("`{name}` stands twice in {what}"));
            } else {
                pairs.push((name, value));
            }
        }
        Some(Keys { pairs, unknown, place: node.place, what })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.pairs.iter().find(|(key, _)| *key == name).map(|(_, node)| *node)
    }

    /// Whether there are unknown keys: they are faults enough.
    pub(crate) fn has_unknown(&self) -> bool {
        !self.unknown.is_empty()
    }

    pub(crate) fn required(&self, name: &str, report: &mut Report<'_>) -> Option<&'n Node> {
        let node = self.get(name);
        if node.is_none() && !self.unknown.contains(&Some(name)) {
            let place = Place { width: 1, ..self.place };
            report.error(place, format!("{} needs `{name}`", self.what));
        }
        node
    }
}

/// The text of a scalar. Warns of a line feed at its end where YAML has added it: no line, and nothing in one,
/// ends so. Between quotes it is meant.
pub(crate) fn text_of<'n>(node: &'n Node, what: &str, report: &mut Report<'_>) -> Option<&'n str> {
    let scalar = scalar_of(node, what, report)?;
    if scalar.style == Style::Block && scalar.text.ends_with('\n') {
        warn_of_line_feed(node, what, report);
    }
    Some(&scalar.text)
}

pub(crate) fn scalar_of<'n>(
    node: &'n Node,
    what: &str,
    report: &mut Report<'_>,
) -> Option<&'n Scalar> {
    match &node.kind {
        Kind::Scalar(scalar) => Some(scalar),
        Kind::Sequence(_) | Kind::Mapping(_) => {
            report.error(node.place, format!("{what} is a text, this is {}", node.kind_name()));
            None
        }
    }
}

#[cfg_attr(target_family = "wasm", inline(never))]
fn warn_of_line_feed(node: &Node, what: &str, report: &mut Report<'_>) {
    report
        .warning(node.place, format!("{what} ends with a line feed, as | and > add it"))
        .expected("write |- or >-, or quotes");
}

/// The items of a list.
pub(crate) fn items_of<'n>(node: &'n Node, what: &str, report: &mut Report<'_>) -> &'n [Node] {
    match &node.kind {
        Kind::Sequence(items) => items,
        Kind::Scalar(_) | Kind::Mapping(_) => {
            report.error(node.place, format!("`{what}` is a list, this is {}", node.kind_name()));
            &[]
        }
    }
}

/// Reports what is wrong with a pattern or template at its place within the scalar.
pub(crate) fn report_pattern(node: &Node, fault: PatternError, report: &mut Report<'_>) {
    let place = node.place_within(fault.start, fault.end);
    let diagnostic = report.error(place, fault.message);
    if let Some(expected) = fault.expected {
        diagnostic.expected(expected);
    }
    if let Some((written, valid)) = fault.nearest {
        let valid: Vec<&str> = valid.iter().map(String::as_str).collect();
        diagnostic.nearest(&written, &valid);
    }
}

/// Reads `true` or `false`.
fn bool_of(node: &Node, what: &str, report: &mut Report<'_>) -> bool {
    if let Kind::Scalar(scalar) = &node.kind
        && scalar.style == Style::Plain
        && let Plain::Bool(value) = resolve_plain(&scalar.text)
    {
        return value;
    }
    report
        .error(node.place, format!("`{what}` is neither true nor false"))
        .expected("expected true or false, without quotes");
    false
}

fn globs(node: Option<&Node>, what: &str, report: &mut Report<'_>) -> Vec<Glob> {
    let Some(node) = node else { return Vec::new() };
    let items = items_of(node, what, report);
    if items.is_empty() && matches!(node.kind, Kind::Sequence(_)) {
        report.error(node.place, format!("`{what}` is empty")).expected("expected names or globs");
    }
    let mut globs = Vec::new();
    for item in items {
        let Some(text) = text_of(item, "a name", report) else { continue };
        if text.is_empty() || text.chars().any(|c| c == '/' || c.is_whitespace() || c.is_control())
        {
            report
                .error(item.place, format!("`{text}` is no name of Kubernetes"))
                .expected("expected a name, or a glob with `*` and `?`");
            continue;
        }
        globs.push(Glob::new(text));
    }
    globs
}

fn redactors(node: Option<&Node>, report: &mut Report<'_>) -> Vec<Redactor> {
    let Some(node) = node else { return Vec::new() };
    let mut redactors = Vec::new();
    for item in items_of(node, "redact", report) {
        if let Some(redactor) = matches::redactor(item, report) {
            redactors.push(redactor);
        }
    }
    redactors
}

fn rules(file: &str, node: Option<&Node>, report: &mut Report<'_>) -> Vec<Rule> {
    let Some(node) = node else { return Vec::new() };
    let mut seen = HashSet::new();
    let mut rules = Vec::new();
    for item in items_of(node, "rules", report) {
        if let Some(rule) = rule(file, item, &mut seen, report) {
            rules.push(rule);
        }
    }
    rules
}

fn rule<'n>(
    file: &str,
    node: &'n Node,
    seen: &mut HashSet<&'n str>,
    report: &mut Report<'_>,
) -> Option<Rule> {
    let known = ["name", "match", "emit", "continue", "samples"];
    let keys = Keys::of(node, "a rule", &known, report)?;
    let name_node = keys.required("name", report);
    let name = name_node.and_then(|node| rule_name(node, seen, report));
    let mut names = Names::default();
    let matches =
        keys.required("match", report).and_then(|node| matches::read(node, &mut names, report));
    let emit_node = keys.required("emit", report);
    // Without a match, every capture of a template would be reported as unknown.
    let mut emits = match (&matches, emit_node) {
        (Some(_), Some(node)) => emit::read_all(node, &names, report),
        _ => Vec::new(),
    };
    let goes_on = keys.get("continue").is_some_and(|node| bool_of(node, "continue", report));
    let samples = keys.get("samples").map_or_else(Vec::new, |node| sample::read_all(node, report));
    let (matches, literals) = matches?;
    let full_name = format!("{}/{}", base_name(file), name?);
    emits.iter_mut().for_each(|emit| emit.prepare(&full_name));
    Some(Rule {
        full_name: full_name.into(),
        place: name_node?.place,
        matches,
        names,
        literals,
        emits,
        goes_on,
        samples,
    })
}

fn rule_name<'n>(
    node: &'n Node,
    seen: &mut HashSet<&'n str>,
    report: &mut Report<'_>,
) -> Option<&'n str> {
    let name = text_of(node, "a rule's name", report)?;
    let is_name = !name.is_empty()
        && name.len() <= 100
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_name {
        report
            .error(node.place, format!("`{name}` cannot name a rule"))
            .expected("expected at most 100 letters of ASCII, digits, `-`, `_` and `.`");
        return None;
    }
    if !seen.insert(name) {
        report.error(node.place, format!("another rule of this file is named `{name}`"));
    }
    Some(name)
}

/// The file's name without its folder.
pub(crate) fn base_name(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file)
}
