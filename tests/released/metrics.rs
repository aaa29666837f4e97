//! The running sink and server have the metrics that alerts and dashboard ask for, and the compose
//! file's token opens the server.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use statetrail_k8s_check::{project_folder, read_yaml, succeed};

use crate::binaries::released;

const WITHIN: Duration = Duration::from_secs(30);
/// Those that are there only once there is something to count: docs/sink.md has them.
const LATER: [&str; 3] = ["sink_lag_messages", "sink_dead_letters_total", "sink_retries_total"];

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> Result<Running> {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ok(Running(child.with_context(|| format!("cannot run {command:?}"))?))
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Asks until somebody answers; the head and the body.
fn get(address: &str, path: &str, header: &str) -> Result<String> {
    let begun = Instant::now();
    loop {
        if let Ok(mut stream) = TcpStream::connect(address) {
            write!(
                stream,
                "GET {path} HTTP/1.1\r\nHost: {address}\r\n{header}Connection: close\r\n\r\n"
            )?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            return Ok(answer);
        }
        if begun.elapsed() > WITHIN {
            bail!("nobody answers at {address}");
        }
        sleep(Duration::from_millis(50));
    }
}

/// Names in the text format of Prometheus.
fn names(text: &str) -> BTreeSet<String> {
    let name = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
    text.lines().filter(|line| !line.starts_with('#')).map(name).collect()
}

fn serve(folder: &std::path::Path, tokens: &str) -> Result<(Running, String)> {
    let address = free_address()?;
    let store = format!("sqlite:{}/trail.db", folder.display());
    let rules = project_folder().join("fluent-bit/rules/shop.yaml");
    let logs = folder.join("logs");
    succeed(Command::new(&released()?.shop).arg(&logs).args(["--lines", "100"]))?;
    let mut import = Command::new(&released()?.statetrail);
    import.args(["import", "--store", &store, "--rules"]);
    import.arg(rules);
    for log in fs::read_dir(&logs)? {
        import.arg(log?.path());
    }
    succeed(&mut import)?;
    fs::write(folder.join("tokens.toml"), tokens)?;
    let mut serve = Command::new(&released()?.statetrail);
    serve.args(["serve", "--store", &store, "--listen", &address, "--tokens"]);
    Ok((start(serve.arg(folder.join("tokens.toml")))?, address))
}

/// What the compose file's server is told about tokens.
fn tokens() -> Result<String> {
    let compose = read_yaml(&fs::read_to_string(project_folder().join("docker-compose.yml"))?)?;
    let file = compose["configs"]["tokens"]["file"].as_str().context("no tokens")?;
    Ok(fs::read_to_string(project_folder().join(file))?)
}

#[test]
fn running_programs_have_the_metrics_that_are_asked_for() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_serve, address) = serve(folder.path(), &tokens()?)?;
    // A metric of requests is there after the first one.
    get(&address, "/health/readyz", "")?;
    let mut known = names(&get(&address, "/metrics", "")?);
    let (address, broker) = (free_address()?, free_address()?);
    let store = format!("sqlite:{}/sink.db", folder.path().display());
    let mut sink = Command::new(&released()?.sink);
    sink.args([
        "--store",
        &store,
        "--kafka-brokers",
        &broker,
        "--kafka-topics",
        "t",
        "--http-listen",
        &address,
    ]);
    let _sink = start(&mut sink)?;
    known.append(&mut names(&get(&address, "/metrics", "")?));
    ensure!(known.contains("sink_events_total"), "{known:?}");
    let document = fs::read_to_string(project_folder().join("docs/sink.md"))?;
    known.extend(LATER.into_iter().filter(|name| document.contains(*name)).map(str::to_owned));
    let folder = project_folder().join("k8s/components/monitoring");
    let mut asked = BTreeSet::new();
    for file in ["alerts.yaml", "dashboard.json"] {
        let text = fs::read_to_string(folder.join(file))?;
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let is_ours =
            |word: &&str| word.starts_with("sink_") || word.starts_with("statetrail_server_");
        let words = text.split(|letter| !is_letter(letter));
        asked.extend(words.filter(is_ours).map(str::to_owned));
    }
    ensure!(asked.len() > 15, "{asked:?}");
    let missing: Vec<_> = asked.difference(&known).collect();
    ensure!(missing.is_empty(), "nobody has {missing:?}");
    Ok(())
}

#[test]
fn the_token_of_the_compose_file_opens_the_server() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_serve, address) = serve(folder.path(), &tokens()?)?;
    let answer = get(&address, "/api/v1/kinds", "Authorization: Bearer laptop\r\n")?;
    ensure!(answer.starts_with("HTTP/1.1 200") && answer.contains("shop"), "{answer}");
    let answer = get(&address, "/api/v1/kinds", "")?;
    ensure!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    Ok(())
}
