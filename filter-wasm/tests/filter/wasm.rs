//! Builds the module and compiles it, once in a test run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use statetrail_filter_host::engine;
use wasmtime::Module;

use crate::stack_meter::{Instrumented, instrument};
use crate::step_meter::count_steps;

/// The filter as it is shipped, but for the counter around every function, ready to run.
pub(crate) struct Filter {
    pub(crate) wasm: Module,
    pub(crate) instrumented: Instrumented,
}

/// The filter. Every test measures the stack that it needs.
pub(crate) fn module() -> &'static Filter {
    static FILTER: OnceLock<Filter> = OnceLock::new();
    FILTER.get_or_init(|| {
        let instrumented = instrument(shipped());
        let wasm = Module::new(engine(), &instrumented.wasm).expect("wasmtime takes the filter");
        Filter { wasm, instrumented }
    })
}

/// The filter with a counter of steps in every function.
pub(crate) fn counted() -> &'static Module {
    static COUNTED: OnceLock<Module> = OnceLock::new();
    COUNTED.get_or_init(|| {
        Module::new(engine(), count_steps(shipped())).expect("wasmtime takes the filter")
    })
}

/// The filter as it is shipped.
fn shipped() -> &'static [u8] {
    static SHIPPED: OnceLock<Vec<u8>> = OnceLock::new();
    SHIPPED.get_or_init(|| std::fs::read(build()).expect("cargo has written the filter"))
}

/// Builds the filter and returns where it is.
fn build() -> PathBuf {
    // Cargo's folder for temporary files of tests lies in the target folder.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is not the root");
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--package", "statetrail-filter", "--lib"])
        .args(["--target", "wasm32-wasip1", "--profile", "filter", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // Flags for the tests, such as those that measure coverage, are none for the filter.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "the filter does not build: is the target wasm32-wasip1 installed?");
    target.join("wasm32-wasip1/filter/statetrail_filter.wasm")
}
