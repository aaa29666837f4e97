//! Copies what the image holds for Fluent Bit. The image has no shell and no other program, so this
//! needs nothing but the kernel.

use std::fs;
use std::io;
use std::path::Path;

/// The filter, which lies beside the folder of rules.
pub const FILTER: &str = "statetrail_filter.wasm";
/// The folder of rules.
pub const RULES: &str = "rules";

/// Copies filter and rules from one folder into another. A file is there in full or not at all, so
/// it may be repeated while somebody reads.
///
/// # Errors
/// When a file cannot be read or written: which one.
pub fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.join(RULES)).map_err(|error| about(&to.join(RULES), &error))?;
    copy(&from.join(FILTER), &to.join(FILTER))?;
    let rules = from.join(RULES);
    for entry in fs::read_dir(&rules).map_err(|error| about(&rules, &error))? {
        let name = entry?.file_name();
        copy(&rules.join(&name), &to.join(RULES).join(&name))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    // Not `.yaml`: half of a rule file must not be taken for one.
    let unfinished = to.with_extension("unfinished");
    fs::copy(from, &unfinished).map_err(|error| about(from, &error))?;
    fs::rename(&unfinished, to).map_err(|error| about(to, &error))
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
