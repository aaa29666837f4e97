//! The binaries as users run them, and the filter's module.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use statetrail_k8s_check::{project_folder, succeed};

/// Names a folder that has them already: `statetrail`, `statetrail-sink`, `statetrail-shop`, `copy` and
/// `statetrail_filter.wasm`.
const VARIABLE: &str = "STATETRAIL_RELEASED";

/// Where they are.
pub(crate) struct Released {
    pub(crate) statetrail: PathBuf,
    pub(crate) sink: PathBuf,
    pub(crate) shop: PathBuf,
    pub(crate) copy: PathBuf,
    pub(crate) filter: PathBuf,
}

/// Builds them as the Dockerfile does, unless they are there.
pub(crate) fn released() -> Result<&'static Released> {
    static RELEASED: OnceLock<Result<Released, String>> = OnceLock::new();
    match RELEASED.get_or_init(|| find().map_err(|error| format!("{error:#}"))) {
        Ok(released) => Ok(released),
        Err(error) => bail!("{error}"),
    }
}

fn find() -> Result<Released> {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        let at = |name: &str| Path::new(&folder).join(name);
        return Ok(Released {
            statetrail: at("statetrail"),
            sink: at("statetrail-sink"),
            shop: at("statetrail-shop"),
            copy: at("copy"),
            filter: at("statetrail_filter.wasm"),
        });
    }
    let release = ["--release"];
    let filter = ["--lib", "--target", "wasm32-wasip1", "--profile", "filter"];
    let host = succeed(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let fixed = ["--release", "--target", host.trim()];
    Ok(Released {
        statetrail: build("statetrail-cli", &release, "")?,
        sink: build("statetrail-sink", &release, "")?,
        shop: build("statetrail-shop", &release, "")?,
        copy: build("statetrail-copier", &fixed, "-C target-feature=+crt-static")?,
        filter: build("statetrail-filter", &filter, "")?,
    })
}

/// Builds a package and returns the file that came of it.
fn build(package: &str, arguments: &[&str], flags: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "-p", package, "--message-format=json"]).args(arguments);
    build.current_dir(project_folder()).env_remove("CARGO_ENCODED_RUSTFLAGS");
    match flags {
        "" => build.env_remove("RUSTFLAGS"),
        flags => build.env("RUSTFLAGS", flags),
    };
    // Not by `succeed`: its standard output is a page for every crate.
    let output = build.output().context("cannot run cargo")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cannot build {package}:\n{told}");
    let messages = String::from_utf8_lossy(&output.stdout);
    let file = messages.lines().rev().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_module = |file: &&Value| file.as_str().is_some_and(|name| name.ends_with(".wasm"));
        let module = message["filenames"].as_array().and_then(|files| files.iter().find(is_module));
        message["executable"].as_str().or(module.and_then(Value::as_str)).map(PathBuf::from)
    });
    file.with_context(|| format!("cargo named no file of {package}"))
}

/// Runs a program with variables of its own alone.
pub(crate) fn run<S: AsRef<OsStr>>(
    program: &Path,
    arguments: &[S],
    variables: &[(String, String)],
) -> Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(variables.iter().cloned());
    command.output().with_context(|| format!("cannot run {command:?}"))
}

/// What a program said when it ended.
pub(crate) fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}
