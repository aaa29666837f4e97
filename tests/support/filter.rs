//! The filter's module, which tests in Fluent Bit share.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;
use statetrail_servers::{Error, filter_compiled_ahead, filter_module as built};

/// The path of `statetrail_filter.wasm`, built with the profile that is shipped; where `WAMRC` names
/// the compiler, that of the module compiled ahead of time.
///
/// # Errors
/// When it cannot be built.
pub fn filter_module() -> Result<&'static Path> {
    static MODULE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match MODULE.get_or_init(|| build().map_err(|error| error.to_string())) {
        Ok(path) => Ok(path),
        Err(error) => anyhow::bail!("{error}"),
    }
}

fn build() -> Result<PathBuf, Error> {
    let module = built()?;
    Ok(filter_compiled_ahead(&module)?.unwrap_or(module))
}
