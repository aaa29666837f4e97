//! The filter's module for a real Fluent Bit, built as it is shipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, folders};

/// Names the compiler that makes machine code of it.
const COMPILER: &str = "WAMRC";

/// Builds `statetrail_filter.wasm` with the profile that is shipped and returns its path.
///
/// # Errors
/// When it does not build, as without the target `wasm32-wasip1`.
pub fn filter_module() -> Result<PathBuf, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--quiet", "-p", "statetrail-filter", "--lib"])
        .args(["--target", "wasm32-wasip1", "--profile", "filter"])
        .current_dir(folders::workspace())
        // Flags for the tests are none for the filter.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(&mut build, "building the filter for wasm32-wasip1")?;
    Ok(folders::target().join("wasm32-wasip1/filter/statetrail_filter.wasm"))
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

fn run(command: &mut Command, what: &str) -> Result<(), Error> {
    let failed = |output: String| Error::Tool { what: what.to_owned(), output };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}
