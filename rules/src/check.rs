//! The check of rule files beyond their form: every rule can be reached and has samples, every sample
//! gives what it says, and no other file takes its line.

use crate::diagnostic::{Diagnostic, Place, Report};
use crate::extract::Extractor;
use crate::file::{ExpectedEvent, Rule, Sample, base_name};
use crate::glob::Glob;
use crate::origin::Origin;
use crate::samples::{run, show};
use crate::set::{self, RuleSet, RuleText, ScopeId};
use crate::shadow::shadowing;

/// Checks rule files one by one: their form, and every sample against all rules of its file; that
/// each has a name of its own; and warns of rules that are never reached, and of samples whose line
/// another file takes first.
pub fn check(texts: &[RuleText]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    // A file that is alone has no neighbours.
    let mut all = (texts.len() > 1).then(|| RuleSet::parse(texts).0);
    for (text, namesake) in set::in_order(texts) {
        let mut report = Report::new(&text.name, &text.text);
        (_, report.diagnostics) = check_one(text);
        if let Some(other) = namesake {
            set::report_namesake(other, &mut report);
        } else if let Some(all) = &mut all {
            check_neighbours(all, &text.name, &mut report);
        }
        report.diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        diagnostics.append(&mut report.diagnostics);
    }
    diagnostics
}

/// Checks one rule file as [`check`] does and gives its rules as well, or none if it cannot be used.
pub fn check_one(text: &RuleText) -> (RuleSet, Vec<Diagnostic>) {
    let (mut rules, faults) = RuleSet::parse(std::slice::from_ref(text));
    let mut report = Report::new(&text.name, &text.text);
    report.diagnostics = faults;
    check_samples(&mut rules, &mut report);
    report.diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    (rules, report.diagnostics)
}

/// Warns of samples whose line another file takes first, where both apply: in each namespace that is
/// named and to which the file applies.
fn check_neighbours(all: &mut RuleSet, name: &str, report: &mut Report<'_>) {
    let Some(number) = all.files().iter().position(|file| *file.name == *name) else { return };
    let mut extractor = Extractor::new();
    let mut told: Vec<(Place, String)> = Vec::new();
    for (namespace, scope) in scopes_of(all, number) {
        let rules = &*all;
        for sample in rules.files()[number].rules.iter().flat_map(|rule| &rule.samples) {
            let taker = taker_of(sample, rules, scope, base_name(name), &mut extractor);
            // The same rule is told once, however many namespaces it takes the line in.
            if let Some(taker) = taker.map(|taker| (sample.place, taker))
                && !told.contains(&taker)
            {
                report_taker(sample, &namespace, &taker.1, report);
                told.push(taker);
            }
        }
    }
}

/// The namespaces in which a file meets others: those that it or another one names, as far as it
/// applies to them. Of those to which the same files apply, the first one.
fn scopes_of(all: &mut RuleSet, number: usize) -> Vec<(String, ScopeId)> {
    let file = &all.files()[number];
    let (namespace, container) = file.sample_place();
    let named = all.files().iter().flat_map(|file| &file.namespaces).filter(|it| it.is_exact());
    let applies = |name: &&str| file.namespaces.iter().any(|glob| glob.matches(name));
    let mut namespaces = vec![namespace];
    namespaces.extend(named.map(Glob::text).filter(applies).map(str::to_owned));
    let mut scopes: Vec<(String, ScopeId)> = Vec::new();
    for namespace in namespaces {
        if let Some(scope) = all.scope(&namespace, &container)
            && scopes.iter().all(|(_, known)| *known != scope)
        {
            scopes.push((namespace, scope));
        }
    }
    scopes
}

/// The rule of another file that takes a sample's line, if none of its own file does.
fn taker_of(
    sample: &Sample,
    rules: &RuleSet,
    scope: ScopeId,
    file: &str,
    extractor: &mut Extractor,
) -> Option<String> {
    let mut takers = Vec::new();
    extractor.matches(rules, scope, sample.line.as_bytes(), &mut |matched| {
        takers.push(matched.rule_name().to_owned());
    });
    let is_own = |rule: &String| rule.split_once('/').is_some_and(|(own, _)| own == file);
    let is_taken = !takers.iter().any(is_own);
    takers.into_iter().next().filter(|_| is_taken)
}

fn report_taker(sample: &Sample, namespace: &str, taker: &str, report: &mut Report<'_>) {
    let message = format!("in the namespace {namespace:?}, `{taker}` takes this line first");
    report.warning(sample.place, message).expected(
        "files that name the namespace exactly come first, then the order of their names counts",
    );
}

fn check_samples(rules: &mut RuleSet, report: &mut Report<'_>) {
    let Some((namespace, container)) = rules.sample_place() else { return };
    let Some(scope) = rules.scope(&namespace, &container) else { return };
    let Some(file) = rules.files().first() else { return };
    let origin = Origin::plain(Some(&namespace), None, None);
    let mut extractor = Extractor::new();
    for (number, rule) in file.rules.iter().enumerate() {
        warn_of_slow_rule(rule, report);
        if let Some(other) = shadowing(&file.rules, number) {
            let (rule_name, other) = (short_name(rule), short_name(other));
            report
                .warning(rule.place, format!("rule `{rule_name}` is never reached"))
                .expected(format!("rule `{other}` takes every line that it would match"));
        }
        if rule.samples.is_empty() {
            report
                .error(rule.place, format!("rule `{}` has no samples", short_name(rule)))
                .expected("expected at least one line and the events that it gives");
        }
        for sample in &rule.samples {
            let (events, failed) = run(&mut extractor, rules, scope, &origin, sample);
            if events != sample.events {
                let diagnostic = report_difference(rule, sample, &events, report);
                explain(diagnostic, failed, &extractor, rules);
            }
            extractor.reset_counts();
        }
    }
}

fn short_name(rule: &Rule) -> &str {
    rule.full_name.split_once('/').map_or(&*rule.full_name, |(_, name)| name)
}

fn warn_of_slow_rule(rule: &Rule, report: &mut Report<'_>) {
    let longest = rule.literals.iter().map(|literal| literal.len()).max();
    if longest.unwrap_or(0) < 3 {
        report
            .warning(
                rule.place,
                format!("rule `{}` is tried on almost every line", short_name(rule)),
            )
            .expected(
                "a text of three or more characters that its lines have in common avoids that",
            );
    }
}

/// Shows what a sample wants beside what its line gives.
fn report_difference<'r>(
    rule: &Rule,
    sample: &Sample,
    events: &[ExpectedEvent],
    report: &'r mut Report<'_>,
) -> &'r mut Diagnostic {
    let name = short_name(rule);
    let diagnostic =
        report.error(sample.place, format!("a sample of rule `{name}` gives something else"));
    for (index, event) in sample.events.iter().enumerate() {
        let same = events.get(index) == Some(event);
        let mark = if same { "     " } else { "want " };
        diagnostic.help(format!("{mark} {}", show(event)));
        if let Some(got) = events.get(index).filter(|_| !same) {
            diagnostic.help(format!("got   {}", show(got)));
        }
    }
    if sample.events.is_empty() {
        diagnostic.help("want  no event");
    }
    for event in events.iter().skip(sample.events.len()) {
        diagnostic.help(format!("got   {}", show(event)));
    }
    if events.is_empty() {
        diagnostic.help("got   no event");
    }
    diagnostic
}

/// Tells which rules matched, and why events are missing.
fn explain(diagnostic: &mut Diagnostic, failed: u32, extractor: &Extractor, rules: &RuleSet) {
    if failed > 0 {
        diagnostic.help(format!(
            "{failed} could not be made: a value does not fit its type, or a name is empty, too \
             long or holds control characters"
        ));
    }
    let by: Vec<&str> = extractor
        .counts()
        .iter()
        .zip(rules.rule_names())
        .filter(|(count, _)| count.matched > 0)
        .map(|(_, name)| name)
        .collect();
    diagnostic.help(match by.as_slice() {
        [] => "no rule matched the line".to_owned(),
        names => format!("matched by {}", names.join(", ")),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, namespaces: &str, pattern: &str) -> RuleText {
        let text = format!(
            "namespaces: [{namespaces}]\nrules:\n  - name: it\n    match: '{pattern}'\n    \
             emit: [{{entity: 'order/<o>', event: e}}]\n    \
             samples: [{{line: order o-1 paid, events: [{{entity: order/o-1, event: e}}]}}]\n"
        );
        RuleText { name: name.to_owned(), text }
    }

    /// The messages about two files, each with the file that it is about.
    fn messages(first: &str, second: &str) -> Vec<(String, String)> {
        let files = [
            file("a.yaml", first, "order <o> <what:rest>"),
            file("z.yaml", second, "order <o> paid"),
        ];
        check(&files).into_iter().map(|told| (told.file, told.message)).collect()
    }

    #[test]
    fn files_are_compared_in_every_namespace_in_which_they_meet() {
        let taken = |namespace: &str| {
            let message =
                format!("in the namespace {namespace:?}, `a.yaml/it` takes this line first");
            vec![("z.yaml".to_owned(), message)]
        };
        for (first, second, namespace) in [
            ("shop", "shop", "shop"),
            ("shop", "'*'", "shop"),
            ("shop", "bank, shop", "shop"),
            ("'*'", "'s*', 'x*'", "s"),
            ("x-shop", "bank, 'x-*'", "x-shop"),
            ("shop, bank", "'*'", "shop"),
        ] {
            assert_eq!(messages(first, second), taken(namespace), "{first} and {second}");
        }
        for (first, second) in [("shop", "bank"), ("shop", "'bank*'"), ("'shop*'", "shop")] {
            let told = messages(first, second);
            assert!(!told.iter().any(|(file, _)| file == "z.yaml"), "{told:?}");
        }
    }
}
