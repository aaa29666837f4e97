//! `make stack`, `make stack-down`, and the servers that `make test` runs its tests with.

use std::process::{Command, ExitCode};

use statetrail_servers::{Error, Stack, StackFile};

const USAGE: &str = "\
usage: statetrail-servers up            start Kafka and Cassandra and leave them up
       statetrail-servers down          end them
       statetrail-servers run COMMAND   run a command beside them, then end them";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["up"] => up(),
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

fn up() -> Result<ExitCode, Error> {
    if let Some(file) = StackFile::read()? {
        if file.is_up() {
            println!("the stack is up already; `make stack-down` ends it");
            return Ok(print(&file));
        }
        file.end()?;
    }
    // The store's migration and the sink have their place behind this start: the sink is one more
    // process of the file.
    let stack = Stack::start()?;
    let file = stack.leave_up()?;
    println!("the stack is up until `make stack-down` ends it");
    Ok(print(&file))
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
