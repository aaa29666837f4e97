//! The filter's module, built as it is shipped, or compiled ahead of time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Result, ensure};

use crate::project_folder;

/// The path of `statetrail_filter.wasm`, built with the profile that is shipped; where `WAMRC` names
/// the compiler, that of the module compiled ahead of time.
///
/// # Errors
/// When it cannot be built.
pub fn filter_module() -> Result<&'static Path> {
    static MODULE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let module = MODULE.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    match module {
        Ok(path) => Ok(path),
        Err(error) => anyhow::bail!("{error}"),
    }
}

fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "-p", "statetrail-filter", "--lib"])
        .args(["--target", "wasm32-wasip1", "--profile", "filter"])
        .current_dir(project_folder())
        // Flags for the tests are none for the filter.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()?;
    ensure!(status.success(), "the filter does not build: is the target wasm32-wasip1 installed?");
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let module = project_folder().join(target).join("wasm32-wasip1/filter/statetrail_filter.wasm");
    match std::env::var_os("WAMRC") {
        Some(compiler) if !compiler.is_empty() => compiled_ahead(&module),
        _ => Ok(module),
    }
}

fn compiled_ahead(module: &Path) -> Result<PathBuf> {
    let compiled = module.with_extension("aot");
    let script = project_folder().join("filter-wasm/compile-ahead");
    let output = Command::new(script).arg(module).arg(&compiled).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the filter cannot be compiled ahead of time: {said}");
    Ok(compiled)
}
