//! axe-core, which knows what keeps people from using a page. It comes from npm.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const PACKAGE: &str = "axe-core@4.11.0";

/// Set where npm cannot bring it; the pages are not looked at with it then.
const WITHOUT: &str = "STATETRAIL_WITHOUT_AXE";

/// The script, or `None` where it was asked to do without.
pub(crate) fn script() -> Option<&'static str> {
    static SCRIPT: OnceLock<Option<String>> = OnceLock::new();
    let script = SCRIPT.get_or_init(|| {
        if std::env::var_os(WITHOUT).is_some() {
            return None;
        }
        let brought = bring();
        Some(brought.unwrap_or_else(|reason| {
            panic!("npm cannot bring {PACKAGE}: {reason}; {WITHOUT}=1 does without")
        }))
    });
    script.as_deref()
}

fn bring() -> Result<String, String> {
    let folder = crate::common::project_file("target/browser");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let file = folder.join(format!("{PACKAGE}.js"));
    if !file.exists() {
        let unpacked = tempfile::tempdir_in(&folder).map_err(|error| error.to_string())?;
        run("npm", &["pack", "--silent", PACKAGE], unpacked.path())?;
        let mut packed = std::fs::read_dir(unpacked.path()).map_err(|error| error.to_string())?;
        let packed =
            packed.next().ok_or("npm brought nothing")?.map_err(|error| error.to_string())?;
        let packed = packed.path();
        run("tar", &["xzf", &packed.display().to_string(), "package/axe.min.js"], unpacked.path())?;
        let script = unpacked.path().join("package/axe.min.js");
        std::fs::rename(script, &file).map_err(|error| error.to_string())?;
    }
    std::fs::read_to_string(&file).map_err(|error| error.to_string())
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<(), String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
