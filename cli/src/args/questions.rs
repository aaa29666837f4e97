//! What may be typed behind the commands that ask: show, log, diff, blame, ls, find, events.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::{At, Span};

/// See [`Command::Show`](super::Command::Show).
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

/// See [`Command::Log`](super::Command::Log).
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

/// See [`Command::Diff`](super::Command::Diff).
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

/// See [`Command::Blame`](super::Command::Blame).
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

/// See [`Command::Ls`](super::Command::Ls).
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

/// See [`Command::Find`](super::Command::Find).
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

/// See [`Command::Events`](super::Command::Events).
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
