//! What users run, built as they build it: the programs in release, and the filter's module with the
//! profile that is shipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::{Error, folders};

/// Names the compiler that makes machine code of the filter.
const COMPILER: &str = "WAMRC";

/// Returns the path of `statetrail`, `statetrail-sink` or `statetrail-shop`.
///
/// They are built once, all at a time, as for the images: a package alone would have the libraries that
/// they share built once more, with other features.
///
/// # Errors
/// When they do not build, or none has that name.
pub fn released_program(name: &str) -> Result<PathBuf, Error> {
    static PROGRAMS: OnceLock<Result<Vec<PathBuf>, String>> = OnceLock::new();
    let what = "building the programs in release";
    let failed = |output: String| Error::Tool { what: what.to_owned(), output };
    let built = PROGRAMS.get_or_init(|| {
        let mut build = cargo("build");
        build.args(["-p", "statetrail-cli", "-p", "statetrail-sink", "-p", "statetrail-shop"]);
        executables(&mut build, what).map_err(|error| error.to_string())
    });
    let programs = built.as_ref().map_err(|error| failed(error.clone()))?;
    let program = programs.iter().find(|path| path.file_stem().is_some_and(|stem| stem == name));
    program.cloned().ok_or_else(|| failed(format!("cargo named no program {name}")))
}

/// Builds `copy`, the only program of the filter's image, which links no library, and returns its path.
///
/// # Errors
/// When it does not build.
pub fn released_copier() -> Result<PathBuf, Error> {
    let what = "building the copier in release";
    let host = run(Command::new("rustc").args(["--print", "host-tuple"]), what)?;
    let mut build = cargo("build");
    // With a target, the flags are for the program alone, not for what builds it.
    build.args(["-p", "statetrail-copier", "--target", host.trim()]);
    build.env("RUSTFLAGS", "-C target-feature=+crt-static");
    executables(&mut build, what)?.pop().ok_or_else(|| Error::Tool {
        what: what.to_owned(),
        output: "cargo named no program".to_owned(),
    })
}

/// Builds in release, and returns the programs that cargo tells of.
fn executables(build: &mut Command, what: &str) -> Result<Vec<PathBuf>, Error> {
    build.args(["--release", "--quiet", "--message-format=json-render-diagnostics"]);
    let told = run(build, what)?;
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    };
    Ok(told.lines().filter_map(executable).collect())
}

/// Builds `statetrail_filter.wasm` with the profile that is shipped and returns its path.
///
/// # Errors
/// When it does not build, as without the target `wasm32-wasip1`.
pub fn filter_module() -> Result<PathBuf, Error> {
    let mut build = cargo("build");
    build.args(["--quiet", "-p", "statetrail-filter", "--lib"]).args([
        "--target",
        "wasm32-wasip1",
        "--profile",
        "filter",
    ]);
    run(&mut build, "building the filter for wasm32-wasip1")?;
    Ok(folders::target().join("wasm32-wasip1/filter/statetrail_filter.wasm"))
}

/// Cargo without the flags that tests are built with: they are none of what is released.
fn cargo(command: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.arg(command).current_dir(folders::workspace());
    build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    build
}

/// Compiles the module ahead of time, as it is shipped, where `WAMRC` names the compiler.
///
/// # Errors
/// When that fails.
pub fn filter_compiled_ahead(module: &Path) -> Result<Option<PathBuf>, Error> {
    if folders::variable(COMPILER).is_none() {
        return Ok(None);
    }
    let compiled = module.with_extension("aot");
    let mut compile = Command::new(folders::workspace().join("filter-wasm/compile-ahead"));
    run(compile.arg(module).arg(&compiled), "compiling the filter ahead of time")?;
    Ok(Some(compiled))
}

/// Runs a command and returns what it printed.
fn run(command: &mut Command, what: &str) -> Result<String, Error> {
    let failed = |output: String| Error::Tool { what: what.to_owned(), output };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}
