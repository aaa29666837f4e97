//! The command line: what may be typed, and its help.

mod cluster;
mod dead_letters;
mod import;
mod questions;
mod rules;
mod serving;

use clap::{Args, Parser, Subcommand};

use crate::failure::EXIT_CODES;
use crate::output::{ColorChoice, OutputFormat};
pub use cluster::{CanaryArgs, MigrateArgs, Seconds};
pub use dead_letters::{
    DeadLetterArgs, DlqCommand, DlqLsArgs, DlqReplayArgs, DlqShowArgs, LetterFilter,
};
pub use import::{ImportArgs, Wrapping};
pub use questions::{BlameArgs, DiffArgs, EventsArgs, FindArgs, LogArgs, LsArgs, ShowArgs};
pub use rules::{
    CheckArgs, FmtArgs, RulesCommand, RulesDiffArgs, RulesTestArgs, StatsArgs, SuggestArgs, TryArgs,
};
pub use serving::{DemoArgs, ServeArgs, TokenArgs};

/// What happened to your entities: states at any moment, out of log lines
///
/// Rules turn log lines into events of entities such as shop/order/o-1042. The events are kept,
/// and every question can be asked about any moment.
#[derive(Debug, Parser)]
#[command(name = "statetrail", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct CommandLine {
    /// What every command takes.
    #[command(flatten)]
    pub shared: Shared,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Shared {
    /// Where the events are: sqlite:PATH, or cassandra://HOST:PORT/KEYSPACE with settings as
    /// docs/cassandra.md lists them [default: sqlite:statetrail/trail.db in your data folder]
    #[arg(long, global = true, value_name = "ADDRESS", env = "STATETRAIL_STORE")]
    pub store: Option<String>,
    /// The form of the answer; all but text are stable, see docs/output.md
    #[arg(long, short, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputFormat,
    /// When to use colours; auto heeds NO_COLOR
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorChoice,
    /// Read and show times in UTC, not in local time
    #[arg(long, global = true, conflicts_with = "tz")]
    pub utc: bool,
    /// Read and show times in this zone, such as Europe/Berlin
    #[arg(long, global = true, value_name = "ZONE")]
    pub tz: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read logs, and keep the events that the rules find in them
    Import(ImportArgs),
    /// Show the state of an entity, now or at any moment
    Show(ShowArgs),
    /// Show what changed an entity, each event with the state after it
    Log(LogArgs),
    /// Compare an entity at two moments, or two entities
    Diff(DiffArgs),
    /// Show for each field of an entity which log line set it
    Blame(BlameArgs),
    /// List entities
    Ls(LsArgs),
    /// Find entities by their state, now or at any moment
    Find(FindArgs),
    /// List events of a span of time
    Events(EventsArgs),
    /// Work with rule files
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Make a store in Cassandra, or check that it is there as it is stated
    Migrate(MigrateArgs),
    /// Look at messages that the sink could not store, and send them back
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Serve the dashboard, and answer questions over HTTP
    Serve(ServeArgs),
    /// Make a token for `serve --tokens`
    Token(TokenArgs),
    /// Write numbered lines and find out whether each comes through, once and in time
    Canary(CanaryArgs),
    /// Let a shop work through a day, check every answer, and serve the dashboard of it
    Demo(DemoArgs),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
}

/// The moment that a question is about.
#[derive(Debug, Args)]
pub struct At {
    /// The moment: 2026-11-22T10:03:07Z, "2026-11-22 10:03", 10:03, -15m, "yesterday 14:00", now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// Leave out what was not known by that moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub as_known_at: Option<String>,
}

/// The span of time that a question is about.
#[derive(Debug, Args)]
pub struct Span {
    /// Nothing before that moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Nothing after that moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
}

/// See [`Command::Completions`].
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  statetrail completions bash > ~/.local/share/bash-completion/completions/statetrail")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }

    /// A narrow terminal wraps each line by itself, so a paragraph with line breaks of its own
    /// would become a ragged one.
    #[test]
    fn each_paragraph_of_the_help_is_one_line() {
        use clap::CommandFactory;
        for command in CommandLine::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines: Vec<&str> = help.lines().collect();
            let is_text = |line: &str| !line.is_empty() && !line.starts_with(' ');
            let broken = lines.windows(2).find(|two| two.iter().all(|line| is_text(line)));
            assert_eq!(broken, None, "{}", command.get_name());
        }
    }

    #[test]
    fn a_time_may_begin_with_a_hyphen() {
        let typed = ["statetrail", "show", "o-1", "--at", "-15m", "--as-known-at", "-1h"];
        let line = CommandLine::try_parse_from(typed).unwrap();
        let Command::Show(show) = line.command else { panic!("{line:?}") };
        assert_eq!(show.at.at.as_deref(), Some("-15m"));
        assert_eq!(show.at.as_known_at.as_deref(), Some("-1h"));
    }
}
