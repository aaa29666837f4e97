//! What may be typed behind the commands that serve: serve, token, demo.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

/// See [`Command::Serve`](super::Command::Serve).
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
    /// Clients reach it by HTTPS that ends before it, at a proxy: browsers are told so
    #[arg(long, conflicts_with = "tls_cert")]
    pub behind_tls: bool,
}

/// See [`Command::Token`](super::Command::Token).
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

/// See [`Command::Demo`](super::Command::Demo).
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
