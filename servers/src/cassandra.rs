//! One Cassandra node, or a cluster of three.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::{fs, ptr};

use tempfile::TempDir;

use crate::jars::Artefacts;
use crate::ports::{TRIES, free_port, says_port_taken};
use crate::server::{Launch, Server};
use crate::tls::Keystore;
use crate::{Error, folders, java};

/// Names nodes to use instead of our own.
pub(crate) const VARIABLE: &str = "CASSANDRA_NODES";

const ARTEFACTS: Artefacts =
    Artefacts { name: "cassandra-5.0.6", pom: include_str!("../cassandra/pom.xml") };

/// Cassandra reaches into Java's own packages; these are to be exported and opened to it.
const EXPORTED: [&str; 15] = [
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.management/com.sun.management.internal",
];

/// These are only to be opened.
const OPENED: [&str; 10] = [
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.nio.file.attribute",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.reflect",
    "java.base/sun.nio.fs",
];

/// How to start Cassandra. The default is what [`Cassandra::start`] uses.
#[derive(Clone, Debug)]
pub struct CassandraOptions {
    /// The heap of each node's Java, in MiB.
    pub heap_mib: u32,
    /// Clients must log in; the user `cassandra` with the password `cassandra` may do everything.
    pub password: bool,
    /// Clients must speak TLS.
    pub tls: bool,
    /// An acknowledged write survives a SIGKILL of its node (`commitlog_sync: batch`). Without, as
    /// Cassandra comes, the last writes before it are gone on that node.
    pub survives_kill: bool,
}

impl Default for CassandraOptions {
    fn default() -> Self {
        Self { heap_mib: 512, password: false, tls: false, survives_kill: false }
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
}

/// What the nodes of a cluster share.
#[derive(Debug)]
struct Cluster<'a> {
    options: &'a CassandraOptions,
    hosts: Vec<String>,
    storage_port: u16,
    native_port: u16,
    keystore: Option<&'a Keystore>,
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
        let mut last = None;
        for _ in 0..TRIES {
            match Self::try_start(nodes, options, &jars) {
                Err(Error::Ended { reason, .. }) if says_port_taken(&reason) => last = Some(reason),
                result => return result,
            }
        }
        let what = format!("finding free ports for Cassandra {TRIES} times");
        Err(Error::Tool { what, output: last.unwrap_or_default() })
    }

    /// The one named by `CASSANDRA_NODES`, or else one node that this process starts once.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceLock<Cassandra> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = STARTING.lock();
        if let Some(shared) = SHARED.get() {
            return Ok(shared);
        }
        let shared = match folders::variable(VARIABLE) {
            Some(nodes) => Self::named(&nodes),
            None => Self::start(1)?,
        };
        Ok(SHARED.get_or_init(|| shared))
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

    /// The folder of its data, if it is ours.
    pub(crate) fn data(&self) -> Option<PathBuf> {
        self.own.as_ref().map(|own| own.data.path().to_path_buf())
    }

    /// Lets it outlive this process.
    pub(crate) fn leave_up(mut self) -> Result<(), Error> {
        for node in &self.nodes {
            node.detach()?;
        }
        // Which also forgets that the folder is temporary.
        drop(self.own.take().map(|own| own.data.keep()));
        Ok(())
    }

    fn try_start(nodes: usize, options: &CassandraOptions, jars: &Path) -> Result<Self, Error> {
        let data = folders::data("cassandra")?;
        let hosts: Vec<String> = (0..nodes).map(host).collect();
        let addresses: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let keystore =
            options.tls.then(|| Keystore::create(data.path(), &addresses)).transpose()?;
        let cluster = Cluster {
            options,
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
        let started = Self { nodes, contact_points, own: Some(Own { data, keystore }) };
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
        let name = format!("cassandra-{index}");
        let folder = data.join(&name);
        fs::create_dir(&folder).map_err(Error::file("create", &folder))?;
        let settings = folder.join("cassandra.yaml");
        fs::write(&settings, self.settings(index, &folder))
            .map_err(Error::file("write", &settings))?;
        let logging = folder.join("logback.xml");
        fs::write(&logging, include_str!("../cassandra/logback.xml"))
            .map_err(Error::file("write", &logging))?;
        // "Starting listening for CQL clients" comes too early: the port is bound after it.
        let mut ready = vec!["CassandraDaemon: Startup complete"];
        // Each node makes sure of the first user, but only the first to do so says so.
        if self.options.password && index == 0 {
            ready.push("superuser role 'cassandra'");
        }
        Server::start(Launch {
            name,
            java: java::java()?,
            arguments: self.jvm(&folder, &settings, &logging, jars)?,
            data: data.to_path_buf(),
            logs: logs.to_path_buf(),
            ready,
        })
    }

    /// Java's arguments.
    fn jvm(
        &self,
        folder: &Path,
        settings: &Path,
        logging: &Path,
        jars: &Path,
    ) -> Result<Vec<String>, Error> {
        let heap = self.options.heap_mib;
        let mut arguments = vec![
            format!("-Xms{heap}m"),
            format!("-Xmx{heap}m"),
            format!("-javaagent:{}", find_jar(jars, "jamm-")?.display()),
            "-Djdk.attach.allowAttachSelf=true".to_owned(),
            "-Dio.netty.tryReflectionSetAccessible=true".to_owned(),
            format!("-Dcassandra.config=file://{}", settings.display()),
            format!("-Dcassandra.storagedir={}", folder.display()),
            format!("-Dlogback.configurationFile={}", logging.display()),
            "-Dcassandra-foreground=yes".to_owned(),
            // Nothing has to settle in a new cluster on one machine.
            "-Dcassandra.skip_wait_for_gossip_to_settle=0".to_owned(),
            "-Dcassandra.ring_delay_ms=1".to_owned(),
            "-Dcassandra.superuser_setup_delay_ms=0".to_owned(),
        ];
        arguments.extend(EXPORTED.map(|package| format!("--add-exports={package}=ALL-UNNAMED")));
        let opened = EXPORTED.iter().chain(&OPENED);
        arguments.extend(opened.map(|package| format!("--add-opens={package}=ALL-UNNAMED")));
        arguments.extend(["-cp".to_owned(), jars.join("*").display().to_string()]);
        arguments.push("org.apache.cassandra.service.CassandraDaemon".to_owned());
        Ok(arguments)
    }

    /// `cassandra.yaml`.
    fn settings(&self, index: usize, folder: &Path) -> String {
        let folder = folder.display();
        let host = host(index);
        let token = initial_token(index, self.hosts.len());
        let (authenticator, authorizer) = match self.options.password {
            true => ("PasswordAuthenticator", "CassandraAuthorizer"),
            false => ("AllowAllAuthenticator", "AllowAllAuthorizer"),
        };
        let commitlog_sync = match self.options.survives_kill {
            true => "batch",
            false => "periodic\ncommitlog_sync_period: 10000ms",
        };
        let Self { storage_port, native_port, .. } = self;
        let seeds = self.hosts.iter().map(|host| format!("{host}:{storage_port}"));
        let seeds = seeds.collect::<Vec<_>>().join(",");
        let tls = self.keystore.map(client_encryption).unwrap_or_default();
        format!(
            "\
cluster_name: statetrail-{storage_port}
num_tokens: 1
initial_token: {token}
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: '{seeds}'}}]
endpoint_snitch: SimpleSnitch
listen_address: {host}
rpc_address: {host}
storage_port: {storage_port}
native_transport_port: {native_port}
authenticator: {authenticator}
authorizer: {authorizer}
role_manager: CassandraRoleManager
data_file_directories: ['{folder}/data']
commitlog_directory: '{folder}/commitlog'
hints_directory: '{folder}/hints'
saved_caches_directory: '{folder}/saved_caches'
cdc_raw_directory: '{folder}/cdc'
commitlog_sync: {commitlog_sync}
auto_snapshot: false
storage_compatibility_mode: NONE
sstable: {{selected_format: bti}}
memtable:
  configurations:
    default: {{class_name: TrieMemtable}}
{tls}"
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

fn host(index: usize) -> String {
    format!("127.0.0.{}", index + 1)
}

/// The start of a node's part of the ring, which runs from -2^63 to 2^63.
fn initial_token(index: usize, nodes: usize) -> i128 {
    let (index, nodes) = (index as i128, nodes as i128);
    i128::from(i64::MIN) + 1 + (index << 64) / nodes
}

/// Whether the last that a node's log says of another one is that it is up.
fn sees(log: &str, host: &str) -> bool {
    let address = format!("/{host}:");
    let about_it = log.lines().filter(|line| line.contains(&address));
    about_it
        .rev()
        .find(|line| line.ends_with("is now UP") || line.ends_with("is now DOWN"))
        .is_some_and(|line| line.ends_with("UP"))
}

fn find_jar(jars: &Path, prefix: &str) -> Result<PathBuf, Error> {
    let entries = fs::read_dir(jars).map_err(Error::file("read", jars))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let starts = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    paths.find(starts).ok_or_else(|| Error::Tool {
        what: format!("looking for {prefix}*.jar in {}", jars.display()),
        output: "there is none; remove the folder, and it is brought anew".to_owned(),
    })
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
    }
}
