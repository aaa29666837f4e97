//! A Kafka and a Cassandra for a person to play with, or for a whole run of tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use crate::server::start_ticks;
use crate::{Cassandra, Error, Kafka, cassandra, folders, kafka};

const STOPPED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One Kafka and one Cassandra node, which end with this process unless they are left up.
#[derive(Debug)]
pub struct Stack {
    kafka: Kafka,
    cassandra: Cassandra,
}

/// What `target/stack/stack.json` says of a stack that was left up.
#[derive(Debug, Deserialize, Serialize)]
pub struct StackFile {
    /// For `KAFKA_BROKERS`.
    pub kafka_brokers: String,
    /// For `CASSANDRA_NODES`.
    pub cassandra_nodes: String,
    processes: Vec<Process>,
    /// The servers' data, to be removed.
    folders: Vec<PathBuf>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Process {
    name: String,
    process_id: u32,
    /// See [`start_ticks`].
    start_ticks: Option<u64>,
}

impl Stack {
    /// Starts both side by side.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn start() -> Result<Self, Error> {
        let (kafka, cassandra) = thread::scope(|scope| {
            let kafka = scope.spawn(Kafka::start);
            let cassandra = Cassandra::start(1);
            (kafka.join(), cassandra)
        });
        let kafka = kafka.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Self { kafka, cassandra: cassandra? })
    }

    /// The Kafka.
    #[must_use]
    pub fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    /// The Cassandra.
    #[must_use]
    pub fn cassandra(&self) -> &Cassandra {
        &self.cassandra
    }

    /// Runs a command with the variables that name the servers.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run(&self, command: &mut Command) -> Result<ExitStatus, Error> {
        let program = PathBuf::from(command.get_program());
        command.env(kafka::VARIABLE, self.kafka.brokers());
        command.env(cassandra::VARIABLE, self.cassandra.contact_points().join(","));
        command.status().map_err(Error::file("run", &program))
    }

    /// Leaves them up when this process ends, and writes into `target/stack/stack.json` what
    /// [`StackFile::end`] needs.
    ///
    /// # Errors
    /// When the file cannot be written; then they end.
    pub fn leave_up(self) -> Result<StackFile, Error> {
        let servers = [self.kafka.server()?].into_iter().chain(self.cassandra.nodes());
        let processes = servers.map(|server| {
            let process_id = server.process_id()?;
            let start_ticks = start_ticks(process_id);
            Ok(Process { name: server.name().to_owned(), process_id, start_ticks })
        });
        let file = StackFile {
            kafka_brokers: self.kafka.brokers().to_owned(),
            cassandra_nodes: self.cassandra.contact_points().join(","),
            processes: processes.collect::<Result<_, Error>>()?,
            folders: [self.kafka.data(), self.cassandra.data()].into_iter().flatten().collect(),
        };
        file.write()?;
        self.kafka.leave_up()?;
        self.cassandra.leave_up()?;
        Ok(file)
    }
}

impl StackFile {
    fn path() -> PathBuf {
        Self::folder().join("stack.json")
    }

    /// The stack that was left up; `None` if there is none.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read() -> Result<Option<Self>, Error> {
        let path = Self::path();
        if !path.exists() {
            return Ok(None);
        }
        let bytes = fs::read(&path).map_err(Error::file("read", &path))?;
        let parsed = serde_json::from_slice(&bytes).map_err(std::io::Error::from);
        parsed.map(Some).map_err(Error::file("understand", &path))
    }

    /// Makes another process one of the stack, to end with it, before the servers do.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn adopt(&mut self, name: &str, process_id: u32) -> Result<(), Error> {
        let start_ticks = start_ticks(process_id);
        self.processes.insert(0, Process { name: name.to_owned(), process_id, start_ticks });
        self.write()
    }

    /// The folder of the stack's own files.
    #[must_use]
    pub fn folder() -> PathBuf {
        folders::target().join("stack")
    }

    /// Whether any of its processes is there.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.processes.iter().any(Process::is_there)
    }

    /// Ends its processes and removes their data. A process id that is another process's by now is
    /// left alone.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn end(self) -> Result<(), Error> {
        self.processes.iter().for_each(Process::end);
        for folder in self.folders.iter().filter(|folder| folder.exists()) {
            fs::remove_dir_all(folder).map_err(Error::file("remove", folder))?;
        }
        let path = Self::path();
        fs::remove_file(&path).map_err(Error::file("remove", &path))
    }

    fn write(&self) -> Result<(), Error> {
        let path = Self::path();
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        let written = serde_json::to_vec_pretty(self).map_err(std::io::Error::from);
        written.and_then(|bytes| fs::write(&path, bytes)).map_err(Error::file("write", &path))
    }
}

impl Process {
    fn is_there(&self) -> bool {
        self.start_ticks.is_some() && start_ticks(self.process_id) == self.start_ticks
    }

    fn signal(&self, sign: Signal) {
        let id = i32::try_from(self.process_id).ok().and_then(Pid::from_raw);
        if let Some(id) = id.filter(|_| self.is_there()) {
            // It fails only if the process ended just now.
            let _ = rustix::process::kill_process(id, sign);
        }
    }

    fn end(&self) {
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while self.is_there() && asked.elapsed() < STOPPED_WITHIN {
            thread::sleep(LOOK_EVERY);
        }
        self.signal(Signal::KILL);
    }
}
