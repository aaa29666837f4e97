//! A real Fluent Bit, whose binary the environment names.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::server::{Launch, Server};
use crate::{Error, folders};

/// Names the binary.
const VARIABLE: &str = "FLUENT_BIT";

/// The file of its configuration in [`FluentBit::folder`].
const CONFIGURATION: &str = "fluent-bit.yaml";

/// A Fluent Bit with a folder of its own, in which its configuration and its files are.
///
/// Dropped, it is killed and its folder removed.
#[derive(Debug)]
pub struct FluentBit {
    // Before `folder`: it ends before its folder is removed.
    server: Server,
    folder: TempDir,
}

impl FluentBit {
    /// The binary that `FLUENT_BIT` names. Without it says loudly that a test is left out.
    #[must_use]
    pub fn binary() -> Option<&'static Path> {
        static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
        let binary = BINARY.get_or_init(|| folders::variable(VARIABLE).map(PathBuf::from));
        if binary.is_none() {
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("this").to_owned();
            eprintln!(
                "NOT TESTED: {test} needs a real Fluent Bit; name its binary with {VARIABLE}"
            );
        }
        binary.as_deref()
    }

    /// A folder for one, to be filled before [`FluentBit::start`].
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn folder() -> Result<TempDir, Error> {
        folders::data("fluent-bit")
    }

    /// Starts one with this configuration (YAML) and waits until it works. It runs in the folder,
    /// so the configuration may name files without theirs. It must log at level `info`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(
        binary: &'static Path,
        folder: TempDir,
        configuration: &str,
    ) -> Result<Self, Error> {
        let path = folder.path().join(CONFIGURATION);
        folders::write(&path, configuration)?;
        let server = Server::start(Launch {
            name: "fluent-bit".to_owned(),
            program: binary,
            arguments: vec![
                "-w".to_owned(),
                folder.path().display().to_string(),
                "-c".to_owned(),
                path.display().to_string(),
            ],
            data: folder.path().to_path_buf(),
            logs: folders::logs("fluent-bit")?,
            ready: vec!["stream processor started"],
        })?;
        eprintln!("Fluent Bit's log: {}", server.log().display());
        server.wait_until_ready()?;
        Ok(Self { server, folder })
    }

    /// Where it runs.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Its process.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// What it has logged since it was last started.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String, Error> {
        self.server.read_log()
    }

    /// Waits until its log satisfies a condition.
    ///
    /// # Errors
    /// When it ends before or that takes minutes.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) -> Result<(), Error> {
        self.server.wait_until(what, condition)
    }

    /// Waits until a condition holds that does not show in the log.
    ///
    /// # Errors
    /// As [`FluentBit::wait_until`].
    pub fn wait_for(&self, what: &str, condition: impl Fn() -> bool) -> Result<(), Error> {
        self.server.wait_until(what, |_| condition())
    }

    /// Lets Fluent Bit check a configuration without starting it.
    ///
    /// # Errors
    /// When it does not accept it: what it said.
    pub fn dry_run(binary: &Path, folder: &Path, configuration: &str) -> Result<(), Error> {
        let path = folder.join(CONFIGURATION);
        folders::write(&path, configuration)?;
        let mut check = Command::new(binary);
        check.args(["--dry-run", "-w"]).arg(folder).arg("-c").arg(&path);
        let output = check.output().map_err(Error::file("run", binary))?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        // It ends without an error for some faults that it names.
        if output.status.success() && !said.contains("[error]") {
            return Ok(());
        }
        Err(Error::Tool { what: format!("checking {}", path.display()), output: said })
    }
}
