//! The tools and schemas that `install-tools` brings.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::project_folder;

/// The folder with what `install-tools` brings; it is filled first if need be.
fn folder() -> Result<&'static Path> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOLDER.get_or_init(|| install().map_err(|error| format!("{error:#}"))) {
        Ok(folder) => Ok(folder),
        Err(error) => bail!("{error}"),
    }
}

fn install() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| project_folder().join("target"), PathBuf::from);
    let folder = target.join("tools");
    fs::create_dir_all(&folder)?;
    // Test binaries may run side by side: the first one installs, the others wait.
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    succeed(Command::new(project_folder().join("k8s/check/install-tools")).arg(&folder))?;
    Ok(folder)
}

/// The path of a tool.
///
/// # Errors
/// When the tools cannot be installed.
pub fn tool(name: &str) -> Result<PathBuf> {
    Ok(folder()?.join(name))
}

/// The folder of the schemas.
///
/// # Errors
/// When they cannot be brought.
pub fn schema_folder() -> Result<PathBuf> {
    Ok(folder()?.join("schemas"))
}

/// Runs a command and returns what it printed.
///
/// # Errors
/// When it cannot be run or fails: with what it said.
pub fn succeed(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?}: {}\n{printed}{said}", output.status);
    }
    Ok(printed)
}
