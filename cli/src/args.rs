//! The command line: what may be typed, and its help.

use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use statetrail_input::Format;
use statetrail_input::log_time::TimeFormat;
use statetrail_sink::dlq::Place;
use statetrail_store::cassandra::Replication;

use crate::failure::EXIT_CODES;
use crate::import::ProgressChoice;
use crate::output::{ColorChoice, OutputFormat};

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

/// See [`Command::Import`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail import --rules rules/ /var/log/dpkg.log
  statetrail import --rules rules/ /var/log/containers/*.log
  journalctl -o short-iso | statetrail import --rules sshd.yaml -
  statetrail import --rules new/ --from sqlite:trail.db --store sqlite:by-new-rules.db

Files may be compressed with gzip or zstd. Importing a file again adds only what is new, so a \
log that has grown is simply imported again. A plain line without a time belongs to the line \
before it and has its time.

With --from the past is rebuilt by other rules without the logs: out of the lines that gave \
events and so are kept with them.")]
pub struct ImportArgs {
    /// The logs; - is standard input
    #[arg(required_unless_present = "from", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Rule files, or folders of them; may be given more than once
    #[arg(long, required = true, value_name = "FILE-OR-FOLDER")]
    pub rules: Vec<PathBuf>,
    /// Read no logs, but the lines that another store kept: sqlite:PATH or
    /// cassandra://HOST:PORT/KEYSPACE
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["files", "format", "time_format"])]
    pub from: Option<String>,
    /// The namespace of the lines [default: by the kubelet's name of the file, else by the rules];
    /// with --from, only lines of that namespace
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// How each line is wrapped [default: found from the first lines]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Wrapping>,
    /// How plain lines write their time: json, klog, syslog, clf, logfmt, datetime, epoch, or a
    /// pattern such as "%d.%m.%Y %H:%M:%S" [default: found from the first lines]
    #[arg(long, value_name = "FORMAT")]
    pub time_format: Option<TimeFormat>,
    /// Pass over lines from before that time, as when the past is rebuilt with other rules
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// How to show how far it is, on standard error
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub progress: ProgressChoice,
}

/// How each line of a log is wrapped; see [`Format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wrapping {
    /// As the service wrote it.
    Plain,
    /// As containerd and CRI-O write it: `<time> stdout F <line>`.
    Cri,
    /// As Docker's json-file driver writes it: `{"log":"<line>\n","stream":"stdout","time":"..."}`.
    Docker,
}

impl From<Wrapping> for Format {
    fn from(wrapping: Wrapping) -> Format {
        match wrapping {
            Wrapping::Plain => Format::Plain,
            Wrapping::Cri => Format::Cri,
            Wrapping::Docker => Format::Docker,
        }
    }
}

/// See [`Command::Show`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail show shop/order/o-1042
  statetrail show o-1042 --at 10:03
  statetrail show o-1042 --at -15m
  statetrail show o-1042 --at \"2026-11-22 10:03\" --as-known-at \"2026-11-22 10:04\"")]
pub struct ShowArgs {
    /// The entity: its name, or a part of it that fits no other
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub entity: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub at: At,
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

/// See [`Command::Log`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail log shop/order/o-1042
  statetrail log o-1042 --since -2h --reverse --limit 5
  statetrail log o-1042 --follow")]
pub struct LogArgs {
    /// The entity: its name, or a part of it that fits no other
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub entity: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub span: Span,
    /// Leave out what was not known by that moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub as_known_at: Option<String>,
    /// The latest event first
    #[arg(long)]
    pub reverse: bool,
    /// At most that many events
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
    /// Go on with events as they arrive, also with late ones, until Ctrl-C
    #[arg(short, long, conflicts_with_all = ["until", "as_known_at", "reverse"])]
    pub follow: bool,
}

/// See [`Command::Diff`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail diff o-1042 --from 10:00 --to 10:05
  statetrail diff o-1042 --from \"yesterday 14:00\"
  statetrail diff o-1042 o-1043 --at 10:03")]
pub struct DiffArgs {
    /// The entity: its name, or a part of it that fits no other
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub entity: String,
    /// Another entity to compare it with
    #[arg(conflicts_with_all = ["from", "to"], value_parser = NonEmptyStringValueParser::new())]
    pub other: Option<String>,
    /// The earlier moment [default: before its first event]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// The later moment [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// The moment at which two entities are compared [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "other")]
    pub at: Option<String>,
    /// Leave out what was not known by that moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub as_known_at: Option<String>,
}

/// See [`Command::Blame`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail blame shop/order/o-1042
  statetrail blame o-1042 --at 10:03")]
pub struct BlameArgs {
    /// The entity: its name, or a part of it that fits no other
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub entity: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub at: At,
}

/// See [`Command::Ls`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail ls
  statetrail ls shop/order/
  statetrail ls shop/order/o-10 --limit 20")]
pub struct LsArgs {
    /// What the names start with
    pub prefix: Option<String>,
    /// At most that many entities
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
}

/// See [`Command::Find`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail find openstack/vm --where state=deleted --at '2017-05-16 00:10'
  statetrail find order --where status=paid --where 'total>=100'
  statetrail find shop/order --where '!shipment' --at -2h")]
pub struct FindArgs {
    /// The type of the entities: order, or shop/order
    #[arg(value_name = "TYPE")]
    pub entity_type: String,
    /// What a field must be: field=value, field!=value, field>10, field (has a value), !field;
    /// may be given more than once
    #[arg(long = "where", value_name = "CONDITION")]
    pub conditions: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub at: At,
    /// At most that many entities
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
}

/// See [`Command::Events`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail events --since -15m
  statetrail events --since 10:00 --until 10:05 --namespace shop --type order
  statetrail events --event paid --grep o-1042 --limit 10
  statetrail events --since now --follow")]
pub struct EventsArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub span: Span,
    /// Only entities of that namespace
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Only entities of that type
    #[arg(long = "type", value_name = "NAME")]
    pub entity_type: Option<String>,
    /// Only events of that name
    #[arg(long, value_name = "NAME")]
    pub event: Option<String>,
    /// Only events whose line holds that text
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,
    /// At most that many events
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
    /// Go on with events as they arrive, also with late ones, until Ctrl-C
    #[arg(short, long, conflicts_with = "until")]
    pub follow: bool,
}

/// See [`Command::Rules`].
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
    /// Rule files, or folders of them
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
    /// The logs; - is standard input [default: standard input]
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

/// Lines to look at; more are seldom worth their memory.
const LINES_MAX: usize = 100_000;

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
    #[arg(long, value_name = "NUMBER", default_value_t = LINES_MAX, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
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
    /// The logs; - is standard input [default: standard input]
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

/// See [`Command::Migrate`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail migrate --store cassandra://db:9042/trail --rate 2000 --replication 3
  statetrail migrate --store cassandra://a,b,c/trail?local_dc=dc1 --rate 20000 \\
      --replication dc1=3 --retention 400d --retention shop=90d

What is stated here stays as it is for the store's whole life. Repeating the command with the \
same words changes nothing, with others it says what differs. A store in a file needs none of this.")]
pub struct MigrateArgs {
    /// How many events a second are expected; sizes of partitions follow from it
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub rate: u64,
    /// How many copies Cassandra keeps: a number, or one for each datacenter, dc1=3,dc2=3
    #[arg(long, value_name = "COPIES")]
    pub replication: Replication,
    /// How long events are kept, counted from their own time: 90d, forever, or NAMESPACE=30d; may
    /// be given more than once [default: forever]
    #[arg(long, value_name = "TIME")]
    pub retention: Vec<String>,
    /// Have Cassandra index the fields of current states, for find; costs it about as much again
    /// as all other writing
    #[arg(long)]
    pub state_index: bool,
}

/// See [`Command::Dlq`].
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters
    #[command(after_help = "\
Examples:
  statetrail dlq ls --brokers kafka:9092 --topic events.dead-letter
  statetrail dlq ls --kafka-config sink.toml --kind time --output jsonl")]
    Ls(DlqLsArgs),
    /// Show a dead letter whole
    #[command(after_help = "\
Example:
  statetrail dlq show 0:17 --brokers kafka:9092 --topic events.dead-letter")]
    Show(DlqShowArgs),
    /// Send dead letters back to the topics that they came from
    #[command(after_help = "\
Examples:
  statetrail dlq replay 0:17 0:18 --kafka-config sink.toml
  statetrail dlq replay --kind time --kafka-config sink.toml
  statetrail dlq replay --all --kafka-config sink.toml

Letters stay in their topic until its retention removes them. Sending one back again does no \
harm: what is stored already is not stored again.")]
    Replay(DlqReplayArgs),
}

/// Where dead letters are.
#[derive(Debug, Args)]
pub struct DeadLetterArgs {
    /// The brokers to ask first
    #[arg(long, value_name = "HOST:PORT,...")]
    pub brokers: Option<String>,
    /// The dead-letter topic [default: that of the topic that the file names]
    #[arg(long, value_name = "NAME")]
    pub topic: Option<String>,
    /// A settings file of statetrail-sink, for brokers, TLS, user and topic
    #[arg(long, value_name = "FILE")]
    pub kafka_config: Option<PathBuf>,
}

/// Which dead letters are meant.
#[derive(Debug, Args)]
pub struct LetterFilter {
    /// Only those of that kind: form, time, entity, store, ...
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Only those of that partition of the dead-letter topic
    #[arg(long, value_name = "NUMBER")]
    pub partition: Option<i32>,
}

/// See [`DlqCommand::Ls`].
#[derive(Debug, Args)]
pub struct DlqLsArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: DeadLetterArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub filter: LetterFilter,
    /// At most that many letters
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
}

/// See [`DlqCommand::Show`].
#[derive(Debug, Args)]
pub struct DlqShowArgs {
    /// Which one, as dlq ls names it
    #[arg(value_name = "PARTITION:OFFSET")]
    pub letter: Place,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: DeadLetterArgs,
}

/// See [`DlqCommand::Replay`].
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
pub struct DlqReplayArgs {
    /// Which ones, as dlq ls names them
    #[arg(value_name = "PARTITION:OFFSET", group = "which")]
    pub letters: Vec<Place>,
    /// Every one
    #[arg(long, group = "which", conflicts_with_all = ["letters", "kind", "partition"])]
    pub all: bool,
    /// Only those of that kind: form, time, entity, store, ...
    #[arg(long, value_name = "KIND", group = "which")]
    pub kind: Option<String>,
    /// Only those of that partition of the dead-letter topic
    #[arg(long, value_name = "NUMBER", group = "which")]
    pub partition: Option<i32>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: DeadLetterArgs,
}

/// See [`Command::Demo`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail demo
  statetrail demo --once --seed 7 --store sqlite:/tmp/shop.db

The events stay in a store of the demo's own in your data folder, or where --store says.")]
pub struct DemoArgs {
    /// End by itself instead of serving the dashboard, for scripts
    #[arg(long)]
    pub once: bool,
    /// Where the dashboard is served [default: 127.0.0.1:8080, or another port if that is taken]
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "once")]
    pub listen: Option<std::net::SocketAddr>,
    /// Keep the shop's log files
    #[arg(long)]
    pub keep: bool,
    /// The number that the shop's day is made from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

/// See [`Command::Serve`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail serve --store sqlite:trail.db
  statetrail serve --store cassandra://db:9042/trail --listen 0.0.0.0:8443 \\
      --tokens tokens.toml --tls-cert cert.pem --tls-key key.pem

docs/api.md lists what can be asked. It ends with Ctrl-C or a termination signal.")]
pub struct ServeArgs {
    /// Where to listen; other addresses than those of this machine alone need --tokens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: std::net::SocketAddr,
    /// Who may ask, and for which namespaces; read again when it has changed
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// The certificate for HTTPS, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// See [`Command::Token`].
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  statetrail token --name on-call --namespace shop --namespace payments

Only the hash goes into the file; the token itself is shown this once.")]
pub struct TokenArgs {
    /// What to call it
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// A namespace that may be read with it; may be given more than once [default: all]
    #[arg(long = "namespace", value_name = "NAMESPACE", value_parser = NonEmptyStringValueParser::new())]
    pub namespaces: Vec<String>,
}

/// See [`Command::Canary`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail canary --log /var/log/containers/canary-1_statetrail_app-ID.log --cri \\
      --lines 600 --store cassandra://db:9042/trail
  statetrail canary --log - --rate 0.2 --listen 0.0.0.0:9465 --store cassandra://db:9042/trail

The lines need fluent-bit/rules/canary.yaml among the rules. It ends with code 1 if a line was \
lost, doubled, wrong or late. In a pod, standard output is the log; its report comes last there, \
where no rule looks for it.")]
pub struct CanaryArgs {
    /// The log to write to; - is standard output
    #[arg(long, value_name = "FILE")]
    pub log: PathBuf,
    /// Write each line as a container runtime does
    #[arg(long)]
    pub cri: bool,
    /// Lines per second
    #[arg(long, default_value_t = 1.0, value_parser = rate)]
    pub rate: f64,
    /// How many lines to write [default: until a signal comes]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub lines: Option<u64>,
    /// How long a line may take; then it counts as lost, and if it comes after all, as late
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub within: Seconds,
    /// Where to answer /metrics and /health/livez [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<std::net::SocketAddr>,
}

/// A span of time in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub std::time::Duration);

impl std::str::FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seconds, String> {
        let seconds: f64 = text.trim_end_matches('s').parse().map_err(|_| SECONDS_WANTED)?;
        match std::time::Duration::try_from_secs_f64(seconds) {
            Ok(span) if !span.is_zero() && seconds < 1e9 => Ok(Seconds(span)),
            _ => Err(SECONDS_WANTED.to_owned()),
        }
    }
}

const SECONDS_WANTED: &str = "a number of seconds above 0 is wanted, such as 60 or 0.5";

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().unwrap_or(f64::NAN);
    match (1e-5..=10_000.0).contains(&rate) {
        true => Ok(rate),
        false => Err("a number of lines per second is wanted, up to 10000".to_owned()),
    }
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
