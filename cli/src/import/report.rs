//! What an import did: for people, and as a stable document.

use std::io::Write;
use std::time::Duration;

use serde::Serialize;
use statetrail_input::LineFailure;
use statetrail_rules::RuleCount;

use super::batch::LogPart;
use super::counts::LineCounts;
use super::kept::KEPT;
use crate::failure::Failure;
use crate::output::{Output, OutputFormat, printable};

/// How many logs are named that are not imported to their end. The JSON form names all.
const NAMES_SHOWN_MAX: usize = 5;

/// What an import did.
#[derive(Debug, Serialize)]
pub struct Report {
    /// One entry per log, in the order in which they were named.
    pub logs: Vec<LogReport>,
    /// Lines read.
    pub lines: u64,
    /// Lines that are pieces of a longer one, but for its last piece.
    pub pieces: u64,
    /// Lines that a rule matched.
    pub matched: u64,
    /// Lines that no rule matched.
    pub unmatched: u64,
    /// Lines from before the time since which lines were asked for.
    pub earlier: u64,
    /// Lines that could not be used.
    pub failed: u64,
    /// Events found.
    pub events: u64,
    /// Events that the store did not have before.
    pub events_new: u64,
    /// Events that it had.
    pub events_known: u64,
    /// Events that a rule asked for and that could not be made.
    pub events_failed: u64,
    /// Every rule that matched a line.
    pub rules: Vec<RuleReport>,
    /// How long it took.
    pub seconds: f64,
    /// How fast it was.
    pub lines_per_second: u64,
    /// Whether it was asked to end early.
    pub interrupted: bool,
    /// Events of the other store that no rule made of a line, and that are left where they are.
    pub passed_over: u64,
    /// What lines were read of: `log` or `store`.
    #[serde(skip)]
    read_of: &'static str,
}

/// What is known of a log before it is read.
#[derive(Clone, Debug)]
pub struct LogHead {
    /// What was typed for it.
    pub log: String,
    /// Whether any rule applies to its lines, if that is known.
    pub has_rules: bool,
}

/// What became of one log.
#[derive(Debug, Serialize)]
pub struct LogReport {
    /// What was typed for it.
    pub log: String,
    /// How its lines are wrapped, or that a store kept them; `null` if it could not be opened.
    pub format: Option<&'static str>,
    /// See [`Report`], as the following.
    pub lines: u64,
    /// Pieces.
    pub pieces: u64,
    /// Matched lines.
    pub matched: u64,
    /// Unmatched lines.
    pub unmatched: u64,
    /// Earlier lines.
    pub earlier: u64,
    /// Failed lines.
    pub failed: u64,
    /// Why lines failed.
    pub failures: Vec<FailureReport>,
    /// Whether any rule applies to its lines.
    pub has_rules: bool,
    /// Why it could not be read to its end, or at all.
    pub error: Option<String>,
    /// How much of it is imported.
    pub extent: Extent,
}

/// How much of a log is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// Everything, to its end.
    Whole,
    /// Some of it; importing it again completes it.
    Part,
    /// Nothing: it was not begun, could not be opened, or its first events not be stored.
    Nothing,
}

/// Lines that failed for one reason.
#[derive(Debug, Serialize)]
pub struct FailureReport {
    /// The reason: `too_long`, `no_time`, `bad_time`, `not_cri`, `not_docker`, `last_piece_missing`.
    pub reason: &'static str,
    /// How many.
    pub lines: u64,
    /// The number of the first one, from 1.
    pub first_line: u64,
    #[serde(skip)]
    failure: LineFailure,
}

/// How often a rule was at work.
#[derive(Debug, Serialize)]
pub struct RuleReport {
    /// File and rule, as events carry it.
    pub rule: String,
    /// Lines that it matched.
    pub lines: u64,
    /// Events that it gave.
    pub events: u64,
    /// Events that could not be made.
    pub events_failed: u64,
}

/// Events found and events that were new.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventCounts {
    /// Events found.
    pub found: u64,
    /// Events that the store did not have before.
    pub new: u64,
}

impl Report {
    /// Puts together what is known at the end.
    pub fn new(
        (read_of, heads): (&'static str, &[LogHead]),
        parts: &[LogPart],
        events: EventCounts,
        rules: Vec<RuleReport>,
        elapsed: Duration,
        interrupted: bool,
    ) -> Report {
        let part_of = |log: usize| parts.iter().find(|part| part.log == log);
        let numbered = heads.iter().enumerate();
        let logs: Vec<LogReport> =
            numbered.map(|(number, head)| LogReport::new(head, part_of(number))).collect();
        let mut total = LineCounts::default();
        for part in parts {
            total.add(&part.counts);
        }
        let seconds = elapsed.as_secs_f64();
        Report {
            logs,
            lines: total.lines,
            pieces: total.pieces,
            matched: total.matched,
            unmatched: total.unmatched,
            earlier: total.earlier,
            failed: total.failed_lines(),
            events: events.found,
            events_new: events.new,
            events_known: events.found - events.new,
            events_failed: total.events_failed,
            rules,
            seconds,
            lines_per_second: (total.lines as f64 / seconds.max(1e-9)) as u64,
            interrupted,
            passed_over: parts.iter().map(|part| part.passed_over).sum(),
            read_of,
        }
    }

    /// Writes the report in the form that was asked for.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        match output.format {
            OutputFormat::Json | OutputFormat::Jsonl => output.document(self),
            OutputFormat::Csv => self.write_csv(output),
            OutputFormat::Text => self.write_text(output),
        }
    }

    fn write_csv(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        output.csv_row([
            "log",
            "format",
            "lines",
            "pieces",
            "matched",
            "unmatched",
            "failed",
            "error",
            "extent",
            "earlier",
        ])?;
        for log in &self.logs {
            output.csv_row([
                log.log.as_str(),
                log.format.unwrap_or_default(),
                &log.lines.to_string(),
                &log.pieces.to_string(),
                &log.matched.to_string(),
                &log.unmatched.to_string(),
                &log.failed.to_string(),
                log.error.as_deref().unwrap_or_default(),
                log.extent.name(),
                &log.earlier.to_string(),
            ])?;
        }
        Ok(())
    }

    fn write_text(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        let style = output.style;
        writeln!(
            output,
            "{} {} of {} {} in {:.1} s, {} lines/s",
            style.heading(grouped(self.lines)),
            noun(self.lines, "line"),
            self.logs.len(),
            noun(self.logs.len() as u64, self.read_of),
            self.seconds,
            grouped(self.lines_per_second),
        )?;
        let new = style.good(grouped(self.events_new));
        let known = grouped(self.events_known);
        writeln!(
            output,
            "  events     {:>13}  {new} new, {known} already known",
            grouped(self.events)
        )?;
        for (what, lines) in [("matched", self.matched), ("unmatched", self.unmatched)] {
            writeln!(output, "  {what:9}  {:>13}  {}", grouped(lines), noun(lines, "line"))?;
        }
        if self.earlier > 0 {
            let lines = noun(self.earlier, "line");
            writeln!(output, "  earlier    {:>13}  {lines}, passed over", grouped(self.earlier))?;
        }
        if self.pieces > 0 {
            writeln!(output, "  pieces     {:>13}  of longer lines", grouped(self.pieces))?;
        }
        if self.passed_over > 0 {
            let passed = grouped(self.passed_over);
            let events = noun(self.passed_over, "event");
            writeln!(output, "  left       {passed:>13}  {events} that no rule made of a line")?;
        }
        if self.events_failed > 0 {
            let failed = format!("{:>13}", grouped(self.events_failed));
            let events = noun(self.events_failed, "event");
            writeln!(output, "  not made   {}  {events}", style.bad(failed))?;
        }
        if self.failed > 0 {
            let failed = format!("{:>13}", grouped(self.failed));
            let lines = noun(self.failed, "line");
            writeln!(output, "  failed     {}  {lines}", style.bad(failed))?;
            self.write_failures(output)?;
        }
        self.write_rules(output)?;
        self.write_troubles(output)
    }

    fn write_failures(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        for log in &self.logs {
            for failed in &log.failures {
                let lines = grouped(failed.lines);
                let log = printable(&log.log);
                let FailureReport { failure, first_line, .. } = failed;
                writeln!(output, "    {lines} in {log}, first in line {first_line}: {failure}")?;
            }
        }
        Ok(())
    }

    fn write_rules(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        if self.rules.is_empty() {
            return Ok(());
        }
        writeln!(output, "lines by rule")?;
        for rule in &self.rules {
            let failed = match rule.events_failed {
                0 => String::new(),
                failed => format!(", {} {} not made", grouped(failed), noun(failed, "event")),
            };
            writeln!(output, "  {:>13}  {}{failed}", grouped(rule.lines), rule.rule)?;
        }
        Ok(())
    }

    fn write_troubles(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        let style = output.style;
        for log in &self.logs {
            if let Some(trouble) = log.trouble() {
                writeln!(output, "{} {trouble} {}", style.notable("note:"), printable(&log.log))?;
            }
        }
        self.write_known(output)?;
        if self.interrupted {
            let told = "import again to complete it; nothing is added twice";
            writeln!(output, "{} {told}", style.notable("interrupted:"))?;
        }
        self.write_unread(output)
    }

    /// Who repeats it with better rules is to know that these change nothing that is there.
    fn write_known(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        let is_of_store = self.logs.iter().any(|log| log.format == Some(KEPT));
        if !is_of_store || self.events_known == 0 {
            return Ok(());
        }
        let (known, note) = (grouped(self.events_known), output.style.notable("note:"));
        let stayed = match self.events_known {
            1 => "event was there already and stays as it is",
            _ => "events were there already and stay as they are",
        };
        writeln!(output, "{note} {known} {stayed}; rules that changed need a new store")?;
        Ok(())
    }

    /// Which logs are not imported to their end although nothing is wrong with them.
    fn write_unread(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        for (extent, what) in
            [(Extent::Part, "imported in part"), (Extent::Nothing, "not imported")]
        {
            let is_left = |log: &&LogReport| log.extent == extent && log.error.is_none();
            let left: Vec<String> =
                self.logs.iter().filter(is_left).map(|log| printable(&log.log).into()).collect();
            if !left.is_empty() {
                let logs = noun(left.len() as u64, self.read_of);
                writeln!(
                    output,
                    "  {} {logs} {what}: {}",
                    grouped(left.len() as u64),
                    listed(&left)
                )?;
            }
        }
        Ok(())
    }
}

/// The first few names, and how many more there are.
fn listed(names: &[String]) -> String {
    let shown = names.len().min(NAMES_SHOWN_MAX);
    let more = match names.len() - shown {
        0 => String::new(),
        more => format!(" and {} more", grouped(more as u64)),
    };
    format!("{}{more}", names[..shown].join(", "))
}

impl Extent {
    /// The word for scripts.
    pub fn name(self) -> &'static str {
        match self {
            Extent::Whole => "whole",
            Extent::Part => "part",
            Extent::Nothing => "nothing",
        }
    }
}

impl LogReport {
    /// Why nothing came of a log although nothing went wrong with it, for its name to follow.
    fn trouble(&self) -> Option<&'static str> {
        let without_time: u64 = self
            .failures
            .iter()
            .filter(|failed| failed.failure == LineFailure::NoTime)
            .map(|failed| failed.lines)
            .sum();
        match self {
            _ if self.format == Some(KEPT) && self.lines == 0 => None,
            _ if !self.has_rules => Some("no rule applies to"),
            _ if self.lines == 0 || self.matched > 0 => None,
            _ if without_time == self.lines => {
                Some("no time is found, say how it is written with --time-format:")
            }
            _ if self.unmatched > 0 && self.earlier == 0 => Some("no rule matches any line of"),
            _ => None,
        }
    }

    /// Nothing is known of a log that was not begun.
    fn new(head: &LogHead, part: Option<&LogPart>) -> LogReport {
        let (none, begun) = (LogPart::default(), part.is_some_and(|part| part.format.is_some()));
        let part = part.unwrap_or(&none);
        let counts = &part.counts;
        let failures = counts.failed.iter().map(|(failure, failed)| FailureReport {
            reason: failure.code(),
            lines: failed.lines,
            first_line: failed.first_line,
            failure: *failure,
        });
        LogReport {
            log: head.log.clone(),
            format: part.format,
            lines: counts.lines,
            pieces: counts.pieces,
            matched: counts.matched,
            unmatched: counts.unmatched,
            earlier: counts.earlier,
            failed: counts.failed_lines(),
            failures: failures.collect(),
            has_rules: head.has_rules || part.has_rules,
            error: part.error.clone(),
            extent: match (begun, part.ended) {
                (false, _) => Extent::Nothing,
                (true, false) => Extent::Part,
                (true, true) => Extent::Whole,
            },
        }
    }
}

/// The rules that were at work, the busiest first.
pub fn rule_reports<'n>(
    names: impl Iterator<Item = &'n str>,
    counts: &[RuleCount],
) -> Vec<RuleReport> {
    let mut rules: Vec<RuleReport> = names
        .zip(counts)
        .filter(|(_, count)| count.matched > 0)
        .map(|(name, count)| RuleReport {
            rule: name.to_owned(),
            lines: count.matched,
            events: count.events,
            events_failed: count.failed,
        })
        .collect();
    rules.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.rule.cmp(&b.rule)));
    rules
}

/// The noun for so many.
fn noun(number: u64, one: &str) -> String {
    format!("{one}{}", if number == 1 { "" } else { "s" })
}

/// A number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, shown) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(grouped(number), shown);
        }
    }
}
