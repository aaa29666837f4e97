//! The binary that users run, built in release as they build it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

/// The project's own folder.
pub fn project_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// A command that runs `statetrail`.
///
/// # Errors
/// When it cannot be built.
pub fn statetrail() -> Result<Command> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    command(&BINARY, "statetrail-cli")
}

/// A command that runs `statetrail-sink`.
///
/// # Errors
/// When it cannot be built.
pub fn statetrail_sink() -> Result<Command> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    command(&BINARY, "statetrail-sink")
}

fn command(binary: &OnceLock<Result<PathBuf, String>>, package: &str) -> Result<Command> {
    match binary.get_or_init(|| build(package).map_err(|error| format!("{error:#}"))) {
        Ok(path) => Ok(Command::new(path)),
        Err(error) => anyhow::bail!("{error}"),
    }
}

fn build(package: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "-p", package, "--message-format=json"])
        .current_dir(project_folder())
        .output()
        .context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "cannot build {package}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executable.context("cargo named no executable")
}
