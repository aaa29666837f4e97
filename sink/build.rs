//! Has the unwinder linked in: small base images have glibc and nothing else.
//!
//! The standard library asks the linker for `gcc_s`, which is a shared library. The linker takes
//! what it finds first, so a folder with an archive of that name, which stands for the static
//! parts of the same library, goes before the system's.

use std::path::Path;
use std::{env, fs};

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |name| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("OS") != "linux" || target("ENV") != "gnu" {
        return Ok(());
    }
    let folder = env::var("OUT_DIR").map_err(std::io::Error::other)?;
    fs::write(Path::new(&folder).join("libgcc_s.a"), "INPUT(-lgcc_eh -lgcc)\n")?;
    println!("cargo::rustc-link-search=native={folder}");
    Ok(())
}
