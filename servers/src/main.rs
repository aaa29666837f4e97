//! `make stack`, `make stack-down`, and the servers that `make test` runs its tests with.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use statetrail_servers::{Error, Stack, StackFile};

const USAGE: &str = "\
usage: statetrail-servers up [STATETRAIL SINK]
                                         start Kafka and Cassandra and leave them up; with the
                                         binaries statetrail and statetrail-sink, make a store
                                         and a topic, and leave a sink running between them
       statetrail-servers down           end them
       statetrail-servers run COMMAND    run a command beside them, then end them";

const TOPIC: &str = "events";
const PARTITIONS: u32 = 4;
const KEYSPACE: &str = "trail";
const METRICS: &str = "127.0.0.1:9464";
/// What the sink logs once it reads.
const READS: &str = "partitions assigned";
const READS_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["up"] => up(None),
        ["up", statetrail, sink] => up(Some((statetrail, sink))),
        ["down"] => down(),
        ["run", command @ ..] if !command.is_empty() => run(command),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn up(binaries: Option<(&str, &str)>) -> Result<ExitCode, Error> {
    if let Some(file) = StackFile::read()? {
        if file.is_up() {
            println!("the stack is up already; `make stack-down` ends it");
            return Ok(print(&file));
        }
        file.end()?;
    }
    let stack = Stack::start()?;
    let Some((statetrail, sink)) = binaries else {
        let file = stack.leave_up()?;
        println!("the stack is up until `make stack-down` ends it");
        return Ok(print(&file));
    };
    stack.kafka().make_topic(TOPIC, PARTITIONS)?;
    stack.kafka().make_topic(&format!("{TOPIC}.dead-letter"), 1)?;
    let store = format!("cassandra://{}/{KEYSPACE}", stack.cassandra().contact_points().join(","));
    migrate(statetrail, &store)?;
    let mut file = stack.leave_up()?;
    if let Err(error) = start_sink(sink, &mut file, &store) {
        file.end()?;
        return Err(error);
    }
    println!("the stack is up until `make stack-down` ends it");
    println!("events go from the topic {TOPIC} into {store}");
    println!("the sink: http://{METRICS}/metrics, its log: target/stack/sink.log");
    println!("STATETRAIL_STORE={store}");
    Ok(print(&file))
}

fn migrate(statetrail: &str, store: &str) -> Result<(), Error> {
    let mut command = Command::new(statetrail);
    command.args(["migrate", "--store", store, "--rate", "1000", "--replication", "1"]);
    let failed = |output| Error::Tool { what: "making the store".to_owned(), output };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// Starts the sink in a process group of its own, so that Ctrl-C in the terminal where the stack
/// was started does not end it, and waits until it reads.
fn start_sink(sink: &str, file: &mut StackFile, store: &str) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::Tool {
        what: "starting the sink".to_owned(),
        output: error.to_string(),
    };
    let log_file = StackFile::folder().join("sink.log");
    let log = File::create(&log_file).map_err(failed)?;
    let mut child = Command::new(sink)
        .args(["--store", store, "--kafka-brokers", &file.kafka_brokers])
        .args(["--kafka-topics", TOPIC, "--http-listen", METRICS])
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(failed)?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    file.adopt("sink", child.id())?;
    let begun = Instant::now();
    loop {
        let log = fs::read_to_string(&log_file).map_err(failed)?;
        if log.contains(READS) {
            return Ok(());
        }
        let server = || "the sink".to_owned();
        if child.try_wait().map_err(failed)?.is_some() {
            let last = log.lines().last().unwrap_or_default().to_owned();
            return Err(Error::Ended { server: server(), reason: last, log: log_file });
        }
        if begun.elapsed() > READS_WITHIN {
            let what = "joining its group".to_owned();
            let limit = READS_WITHIN;
            return Err(Error::TooSlow { server: server(), what, limit, log: log_file });
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn print(file: &StackFile) -> ExitCode {
    println!("KAFKA_BROKERS={}", file.kafka_brokers);
    println!("CASSANDRA_NODES={}", file.cassandra_nodes);
    ExitCode::SUCCESS
}

fn down() -> Result<ExitCode, Error> {
    match StackFile::read()? {
        Some(file) => file.end()?,
        None => println!("no stack is up"),
    }
    Ok(ExitCode::SUCCESS)
}

fn run(command: &[&str]) -> Result<ExitCode, Error> {
    let stack = Stack::start()?;
    let status = stack.run(Command::new(command[0]).args(&command[1..]))?;
    // One that a signal ended has no code.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
