//! The filter's module, built as it is shipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Result, ensure};

use crate::project_folder;

/// The path of `statetrail_filter.wasm`, built with the profile that is shipped.
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
    Ok(project_folder().join(target).join("wasm32-wasip1/filter/statetrail_filter.wasm"))
}
