//! One Kafka node: broker and controller in one process.

use std::iter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::jars::Artefacts;
use crate::ports::{free_port, with_free_ports};
use crate::server::{Launch, Server};
use crate::tls::Keystore;
use crate::{Error, folders, java};

/// Names brokers to use instead of one of our own.
pub(crate) const VARIABLE: &str = "KAFKA_BROKERS";

const ARTEFACTS: Artefacts =
    Artefacts { name: "kafka-4.1.1", pom: include_str!("../kafka/pom.xml") };

const HOST: &str = "127.0.0.1";

/// The folder of partitions below that of all data.
const LOGS: &str = "logs";

/// What a new storage is formatted with; any will do, as nodes of two clusters never meet.
const CLUSTER_ID: &str = "c3RhdGV0cmFpbC10ZXN0cw";

/// A user who may log in with SCRAM-SHA-512.
#[derive(Clone, Debug)]
pub struct Scram {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
}

/// How to start Kafka. The default is what [`Kafka::start`] uses.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// The largest heap of Java, in MiB.
    pub heap_mib: u32,
    /// As for a bench: Java gets the whole heap at once and compiles as well as it can. Otherwise it
    /// is ready in half of the time and never gets as fast.
    pub for_measuring: bool,
    /// Also listens with SASL_PLAINTEXT, for this user.
    pub scram: Option<Scram>,
    /// Also listens with TLS.
    pub tls: bool,
    /// Makes a topic that somebody asks for.
    pub makes_topics: bool,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self { heap_mib: 256, for_measuring: false, scram: None, tls: false, makes_topics: true }
    }
}

/// A Kafka to test with.
///
/// Dropped, it is killed and its data removed.
#[derive(Debug)]
pub struct Kafka {
    // Before `own`: a server ends before its folder is removed.
    server: Option<Server>,
    brokers: String,
    own: Option<Own>,
}

/// What only a Kafka of our own has.
#[derive(Debug)]
struct Own {
    data: TempDir,
    ports: Ports,
    has_scram: bool,
    keystore: Option<Keystore>,
    /// The arguments that Java has from us, for Kafka's tools as for Kafka.
    java: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    plain: u16,
    controller: u16,
    scram: u16,
    tls: u16,
}

impl Kafka {
    /// Makes a topic with Kafka's own tool, which takes a second or two.
    ///
    /// # Errors
    /// When the broker was named by `KAFKA_BROKERS`, or refuses.
    pub fn make_topic(&self, name: &str, partitions: u32) -> Result<(), Error> {
        let mut tool = self.tool("org.apache.kafka.tools.TopicCommand")?;
        tool.args(["--bootstrap-server", self.brokers(), "--create", "--topic", name]);
        tool.arg("--partitions").arg(partitions.to_string());
        java::run(&format!("making the topic {name}"), &mut tool).map(drop)
    }

    /// One of Kafka's own tools, by its class, still without arguments.
    ///
    /// # Errors
    /// When the broker was named by `KAFKA_BROKERS`, or Java is missing.
    pub fn tool(&self, class: &str) -> Result<Command, Error> {
        let own = self.own.as_ref().ok_or(Error::NotOurs { variable: VARIABLE })?;
        let mut tool = Command::new(java::java()?);
        tool.args(&own.java).arg(class);
        Ok(tool)
    }

    /// Starts one with the default options.
    ///
    /// # Errors
    /// When Java or Maven are missing, or it does not become ready.
    pub fn start() -> Result<Self, Error> {
        Self::start_with(&KafkaOptions::default())
    }

    /// Starts one.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(options: &KafkaOptions) -> Result<Self, Error> {
        let jars = ARTEFACTS.folder()?;
        with_free_ports(|| Self::try_start(options, &jars))
    }

    /// The one named by `KAFKA_BROKERS`, or else one that this process starts once.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn shared() -> Result<&'static Self, &'static Error> {
        static SHARED: LazyLock<Result<Kafka, Error>> =
            LazyLock::new(|| match folders::variable(VARIABLE) {
                Some(brokers) => Ok(Kafka::named(brokers)),
                None => Kafka::start(),
            });
        SHARED.as_ref()
    }

    fn named(brokers: String) -> Self {
        Self { server: None, brokers, own: None }
    }

    /// Where clients find it, for `bootstrap.servers`.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Where clients log in with SCRAM, if it was started so.
    #[must_use]
    pub fn scram_brokers(&self) -> Option<String> {
        let own = self.own.as_ref()?;
        own.has_scram.then(|| address(own.ports.scram))
    }

    /// Where clients speak TLS, if it was started so.
    #[must_use]
    pub fn tls_brokers(&self) -> Option<String> {
        let own = self.own.as_ref()?;
        own.keystore.is_some().then(|| address(own.ports.tls))
    }

    /// The certificate, a PEM file, that clients which speak TLS must trust.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&Path> {
        Some(self.own.as_ref()?.keystore.as_ref()?.ca_pem())
    }

    /// Its own key, a PKCS12 file, and the password: something to name for clients whose settings name a key. It
    /// asks nobody who they are.
    #[must_use]
    pub fn keystore(&self) -> Option<(&Path, &'static str)> {
        let keystore = self.own.as_ref()?.keystore.as_ref()?;
        Some((keystore.path(), Keystore::PASSWORD))
    }

    /// Its process, to stop, kill, pause and measure.
    ///
    /// # Errors
    /// When it was named by `KAFKA_BROKERS`.
    pub fn server(&self) -> Result<&Server, Error> {
        self.server.as_ref().ok_or(Error::NotOurs { variable: VARIABLE })
    }

    /// How many bytes of its disk the messages of a topic take.
    ///
    /// # Errors
    /// When the broker was named by `KAFKA_BROKERS`, or the files cannot be read.
    pub fn topic_bytes(&self, topic: &str) -> Result<u64, Error> {
        let data = self.data().ok_or(Error::NotOurs { variable: VARIABLE })?;
        let mut bytes = 0;
        for folder in folders::entries(&data.join(LOGS))? {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            // Behind the topic's name stands the partition. Indexes are files of zeros for the most part.
            if name.rsplit_once('-').is_some_and(|(it, _)| it == topic) {
                bytes += folders::bytes_below(&folder, &|file| file.ends_with(".log"))?;
            }
        }
        Ok(bytes)
    }

    /// The folder of its data, if it is ours.
    pub(crate) fn data(&self) -> Option<PathBuf> {
        self.own.as_ref().map(|own| own.data.path().to_path_buf())
    }

    /// Lets it outlive this process.
    pub(crate) fn leave_up(mut self) -> Result<(), Error> {
        self.server()?.detach()?;
        // Dropping it would remove the folder.
        let _kept = self.own.take().map(|own| own.data.keep());
        Ok(())
    }

    fn try_start(options: &KafkaOptions, jars: &Path) -> Result<Self, Error> {
        let data = folders::data("kafka")?;
        let ports = Ports {
            plain: free_port(&[HOST]),
            controller: free_port(&[HOST]),
            scram: free_port(&[HOST]),
            tls: free_port(&[HOST]),
        };
        let keystore = options.tls.then(|| Keystore::create(data.path(), &[HOST])).transpose()?;
        let settings = data.path().join("server.properties");
        folders::write(&settings, &properties(options, data.path(), ports, keystore.as_ref()))?;
        let logging = data.path().join("log4j2.xml");
        folders::write(&logging, include_str!("../kafka/log4j2.xml"))?;
        let java = java::java()?;
        let jvm = java_arguments(options, jars, &logging);
        let mut format = Command::new(java);
        format.args(&jvm).args(["kafka.tools.StorageTool", "format", "--standalone"]);
        format.args(["-t", CLUSTER_ID]).arg("-c").arg(&settings);
        if let Some(Scram { user, password }) = &options.scram {
            format.arg("--add-scram");
            format.arg(format!("SCRAM-SHA-512=[name={user},password={password}]"));
        }
        java::run("formatting Kafka's storage", &mut format)?;

        let run = ["kafka.Kafka".to_owned(), settings.display().to_string()];
        let server = Server::start(Launch {
            name: "kafka".to_owned(),
            program: java,
            arguments: jvm.iter().cloned().chain(run).collect(),
            data: data.path().to_path_buf(),
            logs: folders::logs("kafka")?,
            ready: vec!["Kafka Server started"],
        })?;
        let brokers = address(ports.plain);
        eprintln!("Kafka at {brokers}, its log: {}", server.log().display());
        server.wait_until_ready()?;
        let own = Own { data, ports, has_scram: options.scram.is_some(), keystore, java: jvm };
        Ok(Self { server: Some(server), brokers, own: Some(own) })
    }
}

fn address(port: u16) -> String {
    format!("{HOST}:{port}")
}

fn java_arguments(options: &KafkaOptions, jars: &Path, logging: &Path) -> Vec<String> {
    let mut arguments = java::arguments(options.heap_mib, options.for_measuring);
    arguments.push(format!("-Dlog4j2.configurationFile={}", logging.display()));
    arguments.extend(["-cp".to_owned(), jars.join("*").display().to_string()]);
    arguments
}

/// `server.properties`.
fn properties(
    options: &KafkaOptions,
    data: &Path,
    ports: Ports,
    keystore: Option<&Keystore>,
) -> String {
    // Name, protocol, port; clients are told the same addresses that it listens on.
    let mut listeners = vec![("PLAINTEXT", "PLAINTEXT", ports.plain)];
    if options.scram.is_some() {
        listeners.push(("SCRAM", "SASL_PLAINTEXT", ports.scram));
    }
    if options.tls {
        listeners.push(("TLS", "SSL", ports.tls));
    }
    let controller = ("CONTROLLER", "PLAINTEXT", ports.controller);
    let all = || listeners.iter().chain(iter::once(&controller));
    let listener = |(name, _, port): &(&str, &str, u16)| format!("{name}://{}", address(*port));
    let advertised: Vec<String> = listeners.iter().map(listener).collect();
    let listening: Vec<String> = all().map(listener).collect();
    let protocols: Vec<String> = all().map(|(name, it, _)| format!("{name}:{it}")).collect();

    let mut lines = vec![
        "process.roles=broker,controller".to_owned(),
        "node.id=1".to_owned(),
        format!("controller.quorum.bootstrap.servers={}", address(ports.controller)),
        "controller.listener.names=CONTROLLER".to_owned(),
        "inter.broker.listener.name=PLAINTEXT".to_owned(),
        format!("listeners={}", listening.join(",")),
        format!("advertised.listeners={}", advertised.join(",")),
        format!("listener.security.protocol.map={}", protocols.join(",")),
        format!("log.dirs={}", data.join(LOGS).display()),
        format!("auto.create.topics.enable={}", options.makes_topics),
        "offsets.topic.replication.factor=1".to_owned(),
        // Fifty partitions, the default, take longer to make than most tests take.
        "offsets.topic.num.partitions=4".to_owned(),
        // The default, 128 MiB for each thread that compacts, is half of our heap.
        "log.cleaner.dedupe.buffer.size=4194304".to_owned(),
        "transaction.state.log.replication.factor=1".to_owned(),
        "transaction.state.log.min.isr=1".to_owned(),
        "group.initial.rebalance.delay.ms=0".to_owned(),
    ];
    if options.scram.is_some() {
        let module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        lines.push("sasl.enabled.mechanisms=SCRAM-SHA-512".to_owned());
        lines.push(format!("listener.name.scram.scram-sha-512.sasl.jaas.config={module}"));
    }
    if let Some(keystore) = keystore {
        lines.push("ssl.keystore.type=PKCS12".to_owned());
        lines.push(format!("ssl.keystore.location={}", keystore.path().display()));
        lines.push(format!("ssl.keystore.password={}", Keystore::PASSWORD));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_kafka_is_not_ours_to_kill() {
        let kafka = Kafka::named("far.away:9092".to_owned());
        assert_eq!(kafka.brokers(), "far.away:9092");
        let error = kafka.server().unwrap_err().to_string();
        assert!(error.starts_with("the servers named by KAFKA_BROKERS are not ours"), "{error}");
    }
}
