//! What may be typed behind `rules`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::At;

/// See [`Command::Rules`](super::Command::Rules).
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Report every fault of rule files, and run their samples
    #[command(after_help = "\
Examples:
  statetrail rules check rules/
  statetrail rules check shop.yaml --output jsonl
  statetrail rules check rules/ --github")]
    Check(CheckArgs),
    /// Run every sample of rule files, also in the compiled filter
    #[command(after_help = "\
Examples:
  statetrail rules test rules/
  statetrail rules test rules/ --wasm statetrail_filter.wasm

With --wasm each line goes through the filter as Fluent Bit would hand it over.")]
    Test(RulesTestArgs),
    /// Try rules on lines: what matched, what it gave, what almost matched
    #[command(after_help = "\
Examples:
  statetrail rules try shop.yaml < app.log
  statetrail rules try rules/ app.log --unmatched
  kubectl logs -n shop deploy/checkout | statetrail rules try shop.yaml --namespace shop")]
    Try(TryArgs),
    /// Propose rule files for lines: find what lives in them
    #[command(after_help = "\
Examples:
  statetrail rules suggest app.log
  statetrail rules suggest --namespace shop --write rules/ < app.log

An id is what comes back in lines of several forms. Proposals begin with the one that explains \
most; look at its names, types and states before it runs.")]
    Suggest(SuggestArgs),
    /// Compare what two sets of rules make of the same lines
    #[command(after_help = "\
Examples:
  statetrail rules diff old/ new/ < app.log
  git show HEAD:shop.yaml > /tmp/shop.yaml && statetrail rules diff /tmp/shop.yaml shop.yaml app.log

It ends with code 1 if there are differences, as diff does.")]
    Diff(RulesDiffArgs),
    /// Write rule files in the usual form
    #[command(after_help = "\
Examples:
  statetrail rules fmt rules/
  statetrail rules fmt rules/ --check
  statetrail rules fmt - < shop.yaml")]
    Fmt(FmtArgs),
    /// Show which rules are at work on the nodes, as the filters report them
    #[command(after_help = "\
Examples:
  statetrail rules stats
  statetrail rules stats --rules rules/ --dead")]
    Stats(StatsArgs),
    /// Print the JSON Schema of rule files, for editors
    #[command(after_help = "\
Example:
  statetrail rules schema > rules.schema.json

Editors with the YAML language server complete and check a rule file that begins with
  # yaml-language-server: $schema=rules.schema.json")]
    Schema,
}

/// See [`RulesCommand::Check`].
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Rule files, or folders of them; - reads one from standard input
    #[arg(required = true, value_name = "FILE-OR-FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Write what is wrong as annotations of GitHub Actions
    #[arg(long)]
    pub github: bool,
}

/// See [`RulesCommand::Test`].
#[derive(Debug, Args)]
pub struct RulesTestArgs {
    /// Rule files, or folders of them
    #[arg(required = true, value_name = "FILE-OR-FOLDER")]
    pub paths: Vec<PathBuf>,
    /// The filter for Fluent Bit, a .wasm, to be tested as well
    #[arg(long, value_name = "FILTER")]
    pub wasm: Option<PathBuf>,
}

/// See [`RulesCommand::Try`].
#[derive(Debug, Args)]
pub struct TryArgs {
    /// A rule file, or a folder of them
    #[arg(value_name = "RULES")]
    pub rules: PathBuf,
    /// The logs, of which the first million lines are tried; - is standard input [default: standard input]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The namespace of the lines [default: every rule file that names one is tried]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Show only lines that no rule takes
    #[arg(long)]
    pub unmatched: bool,
    /// Show at most that many lines, all are counted; for people only, other forms hold all
    /// [default: 20]
    #[arg(long, value_name = "NUMBER")]
    pub show: Option<usize>,
}

/// Lines of which rules are suggested; more are seldom worth their memory.
const SUGGEST_LINES: usize = 100_000;

/// See [`RulesCommand::Suggest`].
#[derive(Debug, Args)]
pub struct SuggestArgs {
    /// The logs; - is standard input [default: standard input]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The namespace for which the rules are
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = namespace_name)]
    pub namespace: String,
    /// Propose at most that many rule files
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub most: usize,
    /// Look at no more than that many lines
    #[arg(long, value_name = "NUMBER", default_value_t = SUGGEST_LINES, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub lines: usize,
    /// Write the rule files into that folder; none that is there is replaced
    #[arg(long, value_name = "FOLDER")]
    pub write: Option<PathBuf>,
}

/// The name of one namespace, as it may stand in an entity's.
fn namespace_name(text: &str) -> Result<String, String> {
    let is_name = text.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    match statetrail_event::EntityName::check(text, "type", "id") {
        Ok(()) if is_name => Ok(text.to_owned()),
        _ => Err("the name of a namespace has letters, digits, -, _ and .".to_owned()),
    }
}

/// See [`RulesCommand::Diff`].
#[derive(Debug, Args)]
pub struct RulesDiffArgs {
    /// The rules as they are: a file or a folder
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The rules as they shall be
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// The logs, of at most a million lines; - is standard input [default: standard input]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The namespace of the lines [default: every rule file that names one is tried]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
}

/// See [`RulesCommand::Fmt`].
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Rule files, or folders of them; - reads one from standard input and writes it to standard output
    #[arg(required = true, value_name = "FILE-OR-FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Change nothing; name the files that are not in the usual form, and end with code 1 if there are
    /// any
    #[arg(long)]
    pub check: bool,
}

impl FmtArgs {
    /// Whether it reads standard input and writes to standard output.
    pub fn is_filter(&self) -> bool {
        self.paths.iter().any(|path| path == Path::new("-"))
    }
}

/// See [`RulesCommand::Stats`].
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Rule files, or folders of them: their rules are named even if no line matched them, with the
    /// namespaces they are for; may be given more than once
    #[arg(long, value_name = "FILE-OR-FOLDER")]
    pub rules: Vec<PathBuf>,
    /// Only rules that no line matched
    #[arg(long, requires = "rules")]
    pub dead: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub at: At,
}
