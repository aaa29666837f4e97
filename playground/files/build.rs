//! Compiles the engine for a browser, so that it lies in every binary that serves the playground.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "playground";

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for part in [
        "playground/src",
        "playground/example",
        "playground/Cargo.toml",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        watch(&workspace.join(part));
    }
    for part in ["event", "rules", "workshop"] {
        watch(&workspace.join(part).join("src"));
        watch(&workspace.join(part).join("Cargo.toml"));
    }
    let module = compile(&workspace, &build_folder(&out))?;
    let engine = out.join("engine");
    Bindgen::new()
        .input_path(module)
        .web(true)?
        .omit_default_module_path(false)
        .typescript(false)
        .generate(&engine)?;
    compress(&engine.join("statetrail_playground_bg.wasm"))
}

/// Writes the file once more, compressed as well as can be: what a server does while a browser waits
/// is a quarter larger.
fn compress(path: &Path) -> Result<(), Box<dyn Error>> {
    let params = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &fs::read(path)?[..], &mut compressed, &params)?;
    fs::write(path.with_extension("wasm.br"), compressed)?;
    Ok(())
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// A folder that both profiles share, beside theirs: the one in which Cargo itself builds is locked.
fn build_folder(out: &Path) -> PathBuf {
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out.
    out.ancestors().nth(4).unwrap_or(out).join("playground-engine")
}

fn compile(workspace: &Path, folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--quiet", "-p", "statetrail-playground", "--lib"])
        .args(["--target", TARGET, "--profile", PROFILE, "--target-dir"])
        .arg(folder)
        .current_dir(workspace);
    // What is asked of the build around this one (lints, flags, its own target) is not for this one.
    for name in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET"]
    {
        build.env_remove(name);
    }
    let built = build.output()?;
    if !built.status.success() {
        return Err(format!(
            "the playground's engine does not build for {TARGET}; if the target is missing, \
             `rustup target add {TARGET}` brings it\n{}",
            String::from_utf8_lossy(&built.stderr)
        )
        .into());
    }
    Ok(folder.join(TARGET).join(PROFILE).join("statetrail_playground.wasm"))
}
