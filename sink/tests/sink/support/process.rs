//! The sink as a process.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Store, Topic, wait_until};

/// How to start a sink; the rest are the defaults, with short intervals.
pub(crate) struct SinkSettings {
    pub(crate) brokers: String,
    pub(crate) topic: String,
    pub(crate) store: String,
    /// Where the logs of sinks go.
    logs: PathBuf,
    pub(crate) more: Vec<String>,
}

impl SinkSettings {
    pub(crate) fn new(topic: &Topic, store: &Store) -> SinkSettings {
        SinkSettings {
            brokers: topic.brokers.clone(),
            topic: topic.name.clone(),
            store: store.address().to_owned(),
            logs: store.folder().to_owned(),
            more: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, flags: &[&str]) -> SinkSettings {
        self.more.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }
}

/// A running sink; killed when it is dropped.
pub(crate) struct Sink {
    process: Child,
    log: PathBuf,
    port: u16,
}

/// How a sink ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
}

impl Sink {
    pub(crate) fn start(settings: &SinkSettings) -> Sink {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = settings.logs.join(format!("sink-{port}.log"));
        let file = File::create(&log).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_statetrail-sink"))
            .args(["--kafka-brokers", &settings.brokers, "--kafka-topics", &settings.topic])
            .args(["--store", &settings.store])
            .arg(format!("--http-listen=127.0.0.1:{port}"))
            .args(["--kafka-group", &settings.topic])
            .args(["--log-format", "text", "--commit-interval", "200ms", "--lag-interval", "200ms"])
            .args(["--kafka-property", "topic.metadata.refresh.interval.ms=500"])
            .args(&settings.more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        Sink { process, log, port }
    }

    /// Started, and a member of its group.
    pub(crate) fn start_ready(settings: &SinkSettings) -> Sink {
        let mut sink = Sink::start(settings);
        wait_until("the sink is ready", || sink.is_ready());
        sink
    }

    fn is_ready(&mut self) -> bool {
        if let Some(status) = self.process.try_wait().unwrap() {
            panic!("the sink ended: {status}\n{}", self.log());
        }
        self.says_ready()
    }

    /// Whether it calls itself ready.
    pub(crate) fn says_ready(&self) -> bool {
        self.get("/health/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// What it answers: the status and the body.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: sink\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// The sum of a metric over its labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let Some((_, text)) = self.get("/metrics") else { return 0.0 };
        let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
        let ours = lines.filter(|(it, _)| it.split('{').next() == Some(name));
        ours.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    }

    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Resident bytes, now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).unwrap();
    }

    /// Ends without any chance to do something first.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(self) -> Ending {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ending {
        let mut status = None;
        wait_until("the sink ends", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        Ending { code: status.and_then(|it| it.code()), log: self.log() }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It may have ended before; both fail then.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("log of the sink:\n{}", self.log());
        }
    }
}
