//! The binaries as users run them, and the filter's module.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use statetrail_servers::{filter_module, released_copier, released_program};

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
    Ok(Released {
        statetrail: released_program("statetrail")?,
        sink: released_program("statetrail-sink")?,
        shop: released_program("statetrail-shop")?,
        copy: released_copier()?,
        filter: filter_module()?,
    })
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
