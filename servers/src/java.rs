//! Java 17, which Cassandra 5.0 needs: newer ones it does not start on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::Error;

/// Where Debian and its like put a Java that is not the default one.
const OTHER_JAVAS: &str = "/usr/lib/jvm";

/// The `java` to run servers with.
pub(crate) fn java() -> Result<&'static Path, Error> {
    static JAVA: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = JAVA.get_or_init(|| candidates().into_iter().find(|java| is_version_17(java)));
    found.as_deref().ok_or(Error::NoJava)
}

/// Arguments of every server: see [`crate::KafkaOptions::for_measuring`].
pub(crate) fn arguments(heap_mib: u32, for_measuring: bool) -> Vec<String> {
    let other = match for_measuring {
        true => format!("-Xms{heap_mib}m"),
        false => "-XX:TieredStopAtLevel=1".to_owned(),
    };
    vec![format!("-Xmx{heap_mib}m"), other]
}

/// The `keytool` that comes with that Java.
pub(crate) fn keytool() -> Result<PathBuf, Error> {
    Ok(java()?.with_file_name("keytool"))
}

fn candidates() -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(home) = std::env::var_os("JAVA_HOME") {
        found.push(Path::new(&home).join("bin/java"));
    }
    found.push(PathBuf::from("java"));
    for entry in std::fs::read_dir(OTHER_JAVAS).into_iter().flatten().flatten() {
        found.push(entry.path().join("bin/java"));
    }
    found
}

fn is_version_17(java: &Path) -> bool {
    let asked = Command::new(java).arg("-version").stdin(Stdio::null()).output();
    // It prints, on standard error: openjdk version "17.0.15" 2025-04-15
    asked.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("version \"17."))
}

/// Runs a program to its end.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<String, Error> {
    let failed = |output: String| Error::Tool { what: what.to_owned(), output };
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    printed.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(failed(printed.trim().to_owned()))
}
