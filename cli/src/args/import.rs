//! What may be typed behind `import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use statetrail_input::Format;
use statetrail_input::log_time::TimeFormat;

use crate::import::ProgressChoice;

/// See [`Command::Import`](super::Command::Import).
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
events and so are kept with them. It needs --store, as the events go into another store.")]
pub struct ImportArgs {
    /// The logs; - is standard input
    #[arg(required_unless_present = "from", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Rule files, or folders of them; may be given more than once
    #[arg(long, required = true, value_name = "FILE-OR-FOLDER")]
    pub rules: Vec<PathBuf>,
    /// Read no logs, but the lines that another store kept: sqlite:PATH or
    /// cassandra://HOST:PORT/KEYSPACE; the events go into the store that --store names
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
