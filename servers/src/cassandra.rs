//! One Cassandra node, or a cluster of three.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{fs, ptr};

use tempfile::TempDir;

use crate::jars::Artefacts;
use crate::ports::{free_port, with_free_ports};
use crate::server::{Launch, Server};
use crate::tls::Keystore;
use crate::{Error, folders, java};

/// Names nodes to use instead of our own.
pub(crate) const VARIABLE: &str = "CASSANDRA_NODES";

const TOOL_HEAP_MIB: u32 = 128;
/// Where nodes take commands.
const LOCALHOST: &str = "127.0.0.1";

const ARTEFACTS: Artefacts =
    Artefacts { name: "cassandra-5.0.6", pom: include_str!("../cassandra/pom.xml") };

/// What Cassandra measures its objects with; comes with its other jars.
const AGENT: &str = "jamm-0.4.0.jar";

/// How to start Cassandra. The default is what [`Cassandra::start`] uses.
#[derive(Clone, Debug)]
pub struct CassandraOptions {
    /// The heap of each node's Java, in MiB.
    pub heap_mib: u32,
    /// As for a bench: see [`crate::KafkaOptions::for_measuring`].
    pub for_measuring: bool,
    /// Clients must log in; the user `cassandra` with the password `cassandra` may do everything.
    pub password: bool,
    /// Clients must speak TLS.
    pub tls: bool,
    /// An acknowledged write survives a SIGKILL of its node (`commitlog_sync: batch`). Without, as
    /// Cassandra comes, the last writes before it are gone on that node.
    pub survives_kill: bool,
    /// The first node takes commands of [`Cassandra::nodetool`].
    pub nodetool: bool,
}

impl Default for CassandraOptions {
    fn default() -> Self {
        Self {
            heap_mib: 512,
            for_measuring: false,
            password: false,
            tls: false,
            survives_kill: false,
            nodetool: false,
        }
    }
}

/// A Cassandra to test with.
///
/// Dropped, its nodes are killed and their data removed.
#[derive(Debug)]
pub struct Cassandra {
    // Before `own`: a server ends before its folder is removed.
    nodes: Vec<Server>,
    contact_points: Vec<String>,
    own: Option<Own>,
}

/// What only a Cassandra of our own has.
#[derive(Debug)]
struct Own {
    data: TempDir,
    keystore: Option<Keystore>,
    jmx_port: Option<u16>,
    jars: PathBuf,
}

/// What the nodes of a cluster share.
#[derive(Debug)]
struct Cluster<'a> {
    options: &'a CassandraOptions,
    hosts: Vec<String>,
    storage_port: u16,
    native_port: u16,
    keystore: Option<&'a Keystore>,
    jmx_port: Option<u16>,
}

impl Cassandra {
    /// Starts a cluster of so many nodes with the default options.
    ///
    /// # Errors
    /// When Java or Maven are missing, or a node does not become ready.
    pub fn start(nodes: usize) -> Result<Self, Error> {
        Self::start_with(nodes, &CassandraOptions::default())
    }

    /// Starts a cluster of so many nodes, on 127.0.0.1, 127.0.0.2 and so on.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(nodes: usize, options: &CassandraOptions) -> Result<Self, Error> {
        let jars = ARTEFACTS.folder()?;
        with_free_ports(|| Self::try_start(nodes, options, &jars))
    }

    /// The one named by `CASSANDRA_NODES`, or else one node that this process starts once.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn shared() -> Result<&'static Self, &'static Error> {
        static SHARED: LazyLock<Result<Cassandra, Error>> =
            LazyLock::new(|| match folders::variable(VARIABLE) {
                Some(nodes) => Ok(Cassandra::named(&nodes)),
                None => Cassandra::start(1),
            });
        SHARED.as_ref()
    }

    fn named(nodes: &str) -> Self {
        let contact_points = nodes.split(',').map(|node| node.trim().to_owned()).collect();
        Self { nodes: Vec::new(), contact_points, own: None }
    }

    /// Where clients find it: address and port of each node.
    #[must_use]
    pub fn contact_points(&self) -> &[String] {
        &self.contact_points
    }

    /// The certificate, a PEM file, that clients which speak TLS must trust.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&Path> {
        Some(self.own.as_ref()?.keystore.as_ref()?.ca_pem())
    }

    /// A node's process, counted from 0, to stop, kill, pause and measure.
    ///
    /// # Errors
    /// When there is no such node, or the cluster was named by `CASSANDRA_NODES`.
    pub fn node(&self, index: usize) -> Result<&Server, Error> {
        if self.own.is_none() {
            return Err(Error::NotOurs { variable: VARIABLE });
        }
        self.nodes.get(index).ok_or(Error::NoNode { index, nodes: self.nodes.len() })
    }

    /// What Cassandra's own tool does with the first node, which was started for it
    /// ([`CassandraOptions::nodetool`]). Returns what it prints.
    ///
    /// # Errors
    /// When the node was not started for it, or refuses.
    pub fn nodetool(&self, arguments: &[&str]) -> Result<String, Error> {
        let own = self.own.as_ref().ok_or(Error::NotOurs { variable: VARIABLE })?;
        let what = format!("nodetool {}", arguments.join(" "));
        let Some(port) = own.jmx_port else {
            let output = "the node was not started for it".to_owned();
            return Err(Error::Tool { what, output });
        };
        let folder = own.data.path().display();
        let mut tool = Command::new(java::java()?);
        tool.args(java::arguments(TOOL_HEAP_MIB, false));
        tool.arg(format!("@{folder}/{}/java.options", node_name(0)));
        // Where it notes what it was asked.
        tool.arg(format!("-Duser.home={folder}"));
        tool.arg("-cp").arg(own.jars.join("*")).arg("org.apache.cassandra.tools.NodeTool");
        tool.args(["--port", &port.to_string()]).args(arguments);
        java::run(&what, &mut tool)
    }

    /// The folder of files of each table of a keyspace, on a node.
    ///
    /// # Errors
    /// When the cluster was named by `CASSANDRA_NODES`, or there is no such keyspace.
    pub fn table_folders(
        &self,
        index: usize,
        keyspace: &str,
    ) -> Result<BTreeMap<String, PathBuf>, Error> {
        let data = self.data().ok_or(Error::NotOurs { variable: VARIABLE })?;
        let folders = folders::entries(&data.join(node_name(index)).join("data").join(keyspace))?;
        let named = folders.into_iter().map(|folder| {
            // Behind the table's name stands its id.
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let table = name.rsplit_once('-').map_or(&*name, |(table, _)| table).to_owned();
            (table, folder)
        });
        Ok(named.collect())
    }

    /// Every node, none if the cluster was named by `CASSANDRA_NODES`.
    #[must_use]
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    /// Restarts a node and waits until the others count on it again.
    ///
    /// # Errors
    /// When it does not stop, start or join in time.
    pub fn restart(&self, index: usize) -> Result<(), Error> {
        let restarted = self.node(index)?;
        let others = self.nodes.iter().filter(|node| !ptr::eq(*node, restarted));
        let mut witnesses = Vec::new();
        for node in others.filter(|node| node.is_running()) {
            witnesses.push((node, node.read_log()?.len()));
        }
        restarted.restart()?;
        // A node may not have noticed yet that this one was away, so what it says must be new.
        for (node, before) in witnesses {
            let host = host(index);
            let is_news = |log: &str| log.get(before..).is_some_and(|news| sees(news, &host));
            node.wait_until(&format!("seeing {host} again"), is_news)?;
        }
        self.wait_until_joined()
    }

    /// Waits until every running node sees every other running node.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn wait_until_joined(&self) -> Result<(), Error> {
        let running = || self.nodes.iter().enumerate().filter(|(_, node)| node.is_running());
        for (index, node) in running() {
            for (other, _) in running().filter(|(other, _)| *other != index) {
                let host = host(other);
                node.wait_until(&format!("seeing {host}"), |log| sees(log, &host))?;
            }
        }
        Ok(())
    }

    /// How many bytes of a node's disk each table of a keyspace takes. What the node has in memory only
    /// does not count: one that was stopped has nothing there.
    ///
    /// # Errors
    /// As [`Self::table_folders`], or when the files cannot be read.
    pub fn table_bytes(
        &self,
        index: usize,
        keyspace: &str,
    ) -> Result<BTreeMap<String, u64>, Error> {
        let folders = self.table_folders(index, keyspace)?.into_iter();
        let bytes =
            folders.map(|(table, folder)| Ok((table, folders::bytes_below(&folder, &|_| true)?)));
        bytes.collect()
    }

    /// The folder of its data, if it is ours.
    pub(crate) fn data(&self) -> Option<PathBuf> {
        self.own.as_ref().map(|own| own.data.path().to_path_buf())
    }

    /// Lets it outlive this process.
    pub(crate) fn leave_up(mut self) -> Result<(), Error> {
        for node in &self.nodes {
            node.detach()?;
        }
        // Dropping it would remove the folder.
        let _kept = self.own.take().map(|own| own.data.keep());
        Ok(())
    }

    fn try_start(nodes: usize, options: &CassandraOptions, jars: &Path) -> Result<Self, Error> {
        let data = folders::data("cassandra")?;
        let hosts: Vec<String> = (0..nodes).map(host).collect();
        let addresses: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let keystore =
            options.tls.then(|| Keystore::create(data.path(), &addresses)).transpose()?;
        let jmx_port = options.nodetool.then(|| free_port(&[LOCALHOST]));
        let cluster = Cluster {
            options,
            jmx_port,
            storage_port: free_port(&addresses),
            native_port: free_port(&addresses),
            keystore: keystore.as_ref(),
            hosts: hosts.clone(),
        };
        let logs = folders::logs("cassandra")?;
        let contact_points: Vec<String> =
            hosts.iter().map(|host| format!("{host}:{}", cluster.native_port)).collect();
        eprintln!("Cassandra at {}, its logs: {}", contact_points.join(","), logs.display());
        let start = |index| cluster.start_node(index, data.path(), &logs, jars);
        let nodes = (0..nodes).map(start).collect::<Result<Vec<Server>, Error>>()?;
        for node in &nodes {
            node.wait_until_ready()?;
        }
        let own = Own { data, keystore, jmx_port, jars: jars.to_owned() };
        let started = Self { nodes, contact_points, own: Some(own) };
        started.wait_until_joined()?;
        Ok(started)
    }
}

impl Cluster<'_> {
    fn start_node(
        &self,
        index: usize,
        data: &Path,
        logs: &Path,
        jars: &Path,
    ) -> Result<Server, Error> {
        let name = node_name(index);
        let folder = data.join(&name);
        fs::create_dir(&folder).map_err(Error::file("create", &folder))?;
        folders::write(&folder.join("cassandra.yaml"), &self.settings(index, &folder))?;
        folders::write(&folder.join("logback.xml"), include_str!("../cassandra/logback.xml"))?;
        folders::write(&folder.join("java.options"), include_str!("../cassandra/java.options"))?;
        // "Starting listening for CQL clients" comes too early: the port is bound after it.
        let mut ready = vec!["CassandraDaemon: Startup complete"];
        // Each node makes sure of the first user, but only the first to do so says so.
        if self.options.password && index == 0 {
            ready.push("superuser role 'cassandra'");
        }
        Server::start(Launch {
            name,
            program: java::java()?,
            arguments: self.arguments(index, &folder, jars),
            data: data.to_path_buf(),
            logs: logs.to_path_buf(),
            ready,
        })
    }

    /// Java's arguments.
    fn arguments(&self, index: usize, folder: &Path, jars: &Path) -> Vec<String> {
        let mut arguments = java::arguments(self.options.heap_mib, self.options.for_measuring);
        let jmx_port = self.jmx_port.filter(|_| index == 0);
        arguments.extend(jmx_port.map(|port| format!("-Dcassandra.jmx.local.port={port}")));
        let folder = folder.display();
        arguments.extend([
            format!("-javaagent:{}", jars.join(AGENT).display()),
            format!("@{folder}/java.options"),
            format!("-Dcassandra.config=file://{folder}/cassandra.yaml"),
            format!("-Dcassandra.storagedir={folder}"),
            format!("-Dlogback.configurationFile={folder}/logback.xml"),
            "-cp".to_owned(),
            jars.join("*").display().to_string(),
            "org.apache.cassandra.service.CassandraDaemon".to_owned(),
        ]);
        arguments
    }

    /// `cassandra.yaml`.
    fn settings(&self, index: usize, folder: &Path) -> String {
        let (authenticator, authorizer) = match self.options.password {
            true => ("PasswordAuthenticator", "CassandraAuthorizer"),
            false => ("AllowAllAuthenticator", "AllowAllAuthorizer"),
        };
        let commitlog_sync = match self.options.survives_kill {
            true => "batch",
            false => "periodic\ncommitlog_sync_period: 10000ms",
        };
        let seed = |host: &String| format!("{host}:{}", self.storage_port);
        let seeds: Vec<String> = self.hosts.iter().map(seed).collect();
        format!(
            include_str!("../cassandra/cassandra.yaml"),
            folder = folder.display(),
            host = host(index),
            seeds = seeds.join(","),
            storage_port = self.storage_port,
            native_port = self.native_port,
            token = initial_token(index, self.hosts.len()),
            authenticator = authenticator,
            authorizer = authorizer,
            commitlog_sync = commitlog_sync,
            client_encryption = self.keystore.map(client_encryption).unwrap_or_default(),
        )
    }
}

fn client_encryption(keystore: &Keystore) -> String {
    format!(
        "\
client_encryption_options:
  enabled: true
  optional: false
  store_type: PKCS12
  keystore: '{}'
  keystore_password: {}
",
        keystore.path().display(),
        Keystore::PASSWORD
    )
}

fn node_name(index: usize) -> String {
    format!("cassandra-{index}")
}

fn host(index: usize) -> String {
    format!("127.0.0.{}", index + 1)
}

/// The start of a node's part of the ring, which runs from -2^63 to 2^63.
fn initial_token(index: usize, nodes: usize) -> i128 {
    let (index, nodes) = (index as i128, nodes as i128);
    i128::from(i64::MIN) + 1 + (index << 64) / nodes
}

/// Whether the last that a node's log says of another one is that it is up. One that is silent while
/// it joins may be up, be forgotten, and come again.
fn sees(log: &str, host: &str) -> bool {
    let address = format!("/{host}:");
    let about_it = log.lines().filter(|line| line.contains(&address));
    about_it
        .rev()
        .find(|line| {
            ["is now UP", "is now DOWN", "removing from gossip"]
                .iter()
                .any(|end| line.ends_with(end))
        })
        .is_some_and(|line| line.ends_with("UP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_cluster_is_not_ours_to_kill() {
        let cassandra = Cassandra::named("far:9042, away:9042");
        assert_eq!(cassandra.contact_points(), ["far:9042", "away:9042"]);
        let error = cassandra.node(0).unwrap_err().to_string();
        assert!(error.starts_with("the servers named by CASSANDRA_NODES are not ours"), "{error}");
    }

    #[test]
    fn tokens_are_evenly_spaced_and_fit_the_ring() {
        let tokens: Vec<i128> = (0..3).map(|index| initial_token(index, 3)).collect();
        assert_eq!(tokens[0], i128::from(i64::MIN) + 1);
        assert_eq!(tokens[1] - tokens[0], (1 << 64) / 3);
        assert!(tokens[2] < i128::from(i64::MAX));
    }

    #[test]
    fn the_last_word_about_a_node_counts() {
        let up = "INFO InetAddress /127.0.0.2:7000 is now UP\n";
        let down = "INFO InetAddress /127.0.0.2:7000 is now DOWN\n";
        assert!(sees(up, "127.0.0.2"));
        assert!(!sees(up, "127.0.0.1"));
        assert!(!sees(&[up, down].concat(), "127.0.0.2"));
        assert!(sees(&[up, down, up].concat(), "127.0.0.2"));
        let forgotten = "INFO FatClient /127.0.0.2:7000 has been silent for 30000ms, \
            removing from gossip\n";
        assert!(!sees(&[up, forgotten].concat(), "127.0.0.2"));
        assert!(sees(&[up, forgotten, up].concat(), "127.0.0.2"));
    }
}
