//! What may be typed behind the commands for a cluster: migrate, canary.

use std::path::PathBuf;

use clap::Args;
use statetrail_store::cassandra::Replication;

/// See [`Command::Migrate`](super::Command::Migrate).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail migrate --store cassandra://db:9042/trail --rate 2000 --replication 3
  statetrail migrate --store cassandra://a,b,c/trail?local_dc=dc1 --rate 20000 \\
      --replication dc1=3 --retention 400d --retention shop=90d

What is stated here stays as it is for the store's whole life. Repeating the command with the \
same words changes nothing, with others it says what differs. A store of an older version gets \
what it lacks. A store in a file needs none of this.")]
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

/// See [`Command::Canary`](super::Command::Canary).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statetrail canary --log /var/log/containers/canary-1_statetrail_app-ID.log --cri \\
      --lines 600 --store cassandra://db:9042/trail
  statetrail canary --log - --rate 0.2 --listen 0.0.0.0:9465 --store cassandra://db:9042/trail

The lines need fluent-bit/rules/canary.yaml among the rules. After a signal it writes none any \
more, waits for those on their way and ends; a second signal ends it at once. The exit code is 1 \
unless every line came, once and in time. In a pod, standard output is the log; its report comes \
last there, where no rule looks for it.")]
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
