//! What may be typed behind `dlq`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use statetrail_sink::dlq::Place;

/// See [`Command::Dlq`](super::Command::Dlq).
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
