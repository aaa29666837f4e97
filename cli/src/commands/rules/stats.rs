//! `statetrail rules stats`: which rules are at work, as the filters report them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use serde::Serialize;
use statetrail_event::Value;
use statetrail_query::{Find, Found, RuleCounter, fields_since_start, filter_kind};
use statetrail_store::EntityFilter;

use crate::args::StatsArgs;
use crate::commands::Questioner;
use crate::commands::questioner::wait;
use crate::failure::{Exit, Failure};
use crate::import::grouped;
use crate::output::{Output, printable};
use crate::rule_files::{compile, read_rule_texts};

/// A rule on all nodes.
#[derive(Debug, Default, Serialize)]
struct RuleStats {
    /// The namespaces for which its file is, if that is at hand.
    namespaces: Vec<String>,
    matched: u64,
    failed: u64,
    redacted: u64,
    /// Nodes on which it matched anything.
    nodes: usize,
}

#[derive(Serialize)]
struct RuleView<'a> {
    rule: &'a str,
    #[serde(flatten)]
    stats: &'a RuleStats,
}

/// Runs the command.
///
/// # Errors
/// When the store or a rule file cannot be read, or the output fails.
pub(super) fn run(
    args: &StatsArgs,
    ask: &Questioner,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let mut rules: BTreeMap<String, RuleStats> = BTreeMap::new();
    if !args.rules.is_empty() {
        let set = compile(&read_rule_texts(&args.rules)?)?;
        for (rule, namespaces) in set.rule_namespaces() {
            let namespaces = namespaces.map(str::to_owned).collect();
            rules.insert(rule.to_owned(), RuleStats { namespaces, ..RuleStats::default() });
        }
    }
    let filters = filters(args, ask)?;
    if filters.is_empty() {
        return Err(nothing_reported());
    }
    for filter in &filters {
        add(filter, &mut rules);
    }
    let mut rules: Vec<(String, RuleStats)> = rules.into_iter().collect();
    rules.retain(|(_, stats)| !args.dead || stats.matched == 0);
    // Those at work first; by their names where they are as busy.
    rules.sort_by_key(|(_, stats)| (stats.namespaces.clone(), std::cmp::Reverse(stats.matched)));
    if output.is_text() {
        write_text(&rules, filters.len(), output)?;
    } else {
        let headings = ["rule", "namespaces", "matched", "failed", "redacted", "nodes"];
        output.begin_list(&headings)?;
        for (rule, stats) in &rules {
            output.item(&RuleView { rule, stats }, || row(rule, stats))?;
        }
        output.end_list()?;
    }
    Ok(if rules.is_empty() { Exit::NotFound } else { Exit::Done })
}

/// Without a filter nothing is known of any rule, and one that looks dead may be much in use.
fn nothing_reported() -> Failure {
    let message = "no filter has reported to this store; imports do not count rules here";
    Failure::new(Exit::NotFound, message)
        .hint("`statetrail rules try RULES LOG` counts which rules take the lines of a log")
}

/// What the filters had told by then.
fn filters(args: &StatsArgs, ask: &Questioner) -> Result<Vec<Found>, Failure> {
    let moment = ask.moment(&args.at)?;
    let filter = EntityFilter::from(&filter_kind());
    let mut find = Find::new(ask.store(), filter, Vec::new(), moment);
    let mut filters = Vec::new();
    while let Some(page) = wait(find.next_page())? {
        filters.extend(page);
    }
    Ok(filters)
}

fn add(filter: &Found, rules: &mut BTreeMap<String, RuleStats>) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (field, value) in fields_since_start(&filter.state) {
        let Value::Int(count) = value else { continue };
        // Without a rule's name it counts for a whole file.
        let of = RuleCounter::of_field(field).filter(|(_, name)| name.contains('/'));
        let Some((counter, rule)) = of else { continue };
        let count = u64::try_from(*count).unwrap_or_default();
        let stats = rules.entry(rule.to_owned()).or_default();
        match counter {
            RuleCounter::Matched => stats.matched += count,
            RuleCounter::Failed => stats.failed += count,
            RuleCounter::Redacted => stats.redacted += count,
        }
        stats.nodes += usize::from(count > 0 && seen.insert(rule));
    }
}

fn row(rule: &str, stats: &RuleStats) -> Vec<String> {
    let numbers = [stats.matched, stats.failed, stats.redacted].map(|number| number.to_string());
    let mut row = vec![rule.to_owned(), stats.namespaces.join(" ")];
    row.extend(numbers);
    row.push(stats.nodes.to_string());
    row
}

fn write_text(
    rules: &[(String, RuleStats)],
    filters: usize,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let style = output.style;
    let head = format!("{:>13} {:>9} {:>9} {:>6}  rule", "lines", "failed", "redacted", "nodes");
    writeln!(output, "{}", style.faint(head))?;
    let mut last: &[String] = &[];
    for (rule, stats) in rules {
        if stats.namespaces != last {
            writeln!(output, "{}", style.heading(stats.namespaces.join(", ")))?;
            last = &stats.namespaces;
        }
        let row = format!(
            "{:>13} {:>9} {:>9} {:>6}  {}",
            grouped(stats.matched),
            grouped(stats.failed),
            grouped(stats.redacted),
            stats.nodes,
            printable(rule)
        );
        match stats.matched {
            0 => writeln!(output, "{}", style.faint(row))?,
            _ => writeln!(output, "{row}")?,
        }
    }
    let dead = rules.iter().filter(|(_, stats)| stats.matched == 0).count();
    writeln!(
        output,
        "\n{}, {dead} without a line, on {}",
        super::counted(rules.len(), "rule"),
        super::counted(filters, "node")
    )?;
    Ok(())
}
