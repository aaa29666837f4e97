//! Where things are: jars and logs below `target`, data in the system's temporary folder, and
//! servers of others where the environment says.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::Error;

/// A variable of the environment; one that is empty is as good as none.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How long logs are kept.
const LOGS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace().join(folder),
        None => workspace().join("target"),
    }
}

/// The project's own folder.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Writes a small file.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::file("write", path))
}

/// How many bytes those files below a folder have whose names pass.
pub(crate) fn bytes_below(folder: &Path, passes: &dyn Fn(&str) -> bool) -> Result<u64, Error> {
    let mut bytes = 0;
    for path in entries(folder)? {
        let metadata = path.metadata().map_err(Error::file("read", &path))?;
        if metadata.is_dir() {
            bytes += bytes_below(&path, passes)?;
        } else if path.file_name().is_some_and(|name| passes(&name.to_string_lossy())) {
            bytes += metadata.len();
        }
    }
    Ok(bytes)
}

/// What stands in a folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    let paths = read.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().map_err(Error::file("read", folder))
}

/// A folder for a server's data, removed when it is dropped.
pub(crate) fn data(server: &str) -> Result<TempDir, Error> {
    tempfile::Builder::new()
        .prefix(&format!("statetrail-{server}-"))
        .tempdir()
        .map_err(Error::file("create a folder in", &std::env::temp_dir()))
}

/// A new folder for a server's logs, named after the test that starts it.
pub(crate) fn logs(server: &str) -> Result<PathBuf, Error> {
    static OLD_ONES_REMOVED: Once = Once::new();
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let all = target().join("server-logs");
    OLD_ONES_REMOVED.call_once(|| remove_old(&all));
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("thread").replace("::", "-");
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = all.join(format!("{test}-{}-{count}-{server}", std::process::id()));
    fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
    Ok(folder)
}

/// Nothing depends on it: what cannot be removed stays.
fn remove_old(all: &Path) {
    let now = SystemTime::now();
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let changed = entry.metadata().and_then(|it| it.modified()).unwrap_or(now);
        if now.duration_since(changed).is_ok_and(|age| age > LOGS_KEPT) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}
