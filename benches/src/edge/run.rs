//! One run of Fluent Bit over a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions};
use statetrail_servers::{filter_compiled_ahead, filter_module};

use super::floor;

/// The tag of a container's log.
const TAG: &str = "kube.var.log.containers.checkout-7d9f6c5b8-x2x7k_shop_app-\
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";

/// Which filter stands between input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// None at all.
    None,
    /// A guest that returns a constant.
    Floor,
    /// The same job in Lua.
    Lua,
    /// Ours, in the interpreter.
    Ours,
    /// Ours, compiled ahead of time.
    Ahead,
}

/// A folder with everything that a run needs but the records.
pub struct Bench {
    fluent_bit: PathBuf,
    module: PathBuf,
    compiled: Option<PathBuf>,
    folder: tempfile::TempDir,
}

impl Bench {
    /// Prepares for runs of the binary that `FLUENT_BIT` names; `None`, and says so, without it.
    ///
    /// # Errors
    /// When the filter cannot be built.
    pub fn new() -> Result<Option<Bench>> {
        let Some(fluent_bit) = std::env::var_os("FLUENT_BIT").filter(|path| !path.is_empty())
        else {
            eprintln!("NOT MEASURED: name the binary of a real Fluent Bit with FLUENT_BIT");
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("statetrail-bench-edge-").tempdir()?;
        fs::create_dir(folder.path().join("rules"))?;
        // The filter would tell about itself, which Lua does not.
        fs::write(folder.path().join("node"), "")?;
        fs::write(folder.path().join("floor.wasm"), floor::module())?;
        let module = filter_module()?;
        let compiled = filter_compiled_ahead(&module)?;
        if compiled.is_none() {
            eprintln!("not measured ahead of time: name the compiler with WAMRC");
        }
        Ok(Some(Bench { fluent_bit: fluent_bit.into(), module, compiled, folder }))
    }

    /// Where rule files, the script and records go.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What can be measured: without a compiler, nothing that is compiled ahead of time.
    #[must_use]
    pub fn ways(&self) -> Vec<Way> {
        let mut ways = vec![Way::None, Way::Floor, Way::Lua, Way::Ours];
        ways.extend(self.compiled.is_some().then_some(Way::Ahead));
        ways
    }

    /// Runs Fluent Bit over a file of records in the folder and returns the CPU time that it
    /// spent as a user. What comes out is written to `output`, or nowhere.
    ///
    /// # Errors
    /// When it fails or takes long.
    pub fn run(&self, way: Way, records: &str, output: Option<&str>) -> Result<Duration> {
        let configuration = self.path().join("fluent-bit.yaml");
        fs::write(&configuration, self.configuration(way, records, output))?;
        let mut child = Command::new(&self.fluent_bit)
            .arg("-w")
            .arg(self.path())
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.path().join("log"))?)
            .spawn()
            .context("cannot run Fluent Bit")?;
        let user = user_time_at_end(&child);
        ensure!(child.wait()?.success(), "Fluent Bit failed: {}", self.log());
        let log = self.log();
        ensure!(!log.contains("[error]") && !log.contains("statetrail:"), "it complains: {log}");
        user
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    fn configuration(&self, way: Way, records: &str, output: Option<&str>) -> String {
        let wasm = |module: &Path, function: &str| {
            format!(
                "  filters:\n    - {{name: wasm, match: '*', wasm_path: {}, function_name: {function}, \
                 event_format: json, accessible_paths: {}}}\n",
                module.display(),
                self.path().display()
            )
        };
        let filter = match way {
            Way::None => String::new(),
            Way::Floor => wasm(&self.path().join("floor.wasm"), floor::FUNCTION),
            Way::Ours => wasm(&self.module, "statetrail_events"),
            Way::Ahead => wasm(self.compiled.as_ref().unwrap_or(&self.module), "statetrail_events"),
            Way::Lua => "  filters:\n    - {name: lua, match: '*', script: events.lua, \
                         call: statetrail_events, time_as_table: true}\n"
                .to_owned(),
        };
        let output = match output {
            Some(file) => format!(
                "    - {{name: file, match: '*', path: {}, file: {file}, format: plain}}\n",
                self.path().display()
            ),
            None => "    - {name: 'null', match: '*'}\n".to_owned(),
        };
        format!(
            "\
service: {{flush: 1, grace: 5, log_level: warn}}
parsers:
  - {{name: records, format: json, time_key: time, time_format: '%Y-%m-%dT%H:%M:%S.%LZ'}}
pipeline:
  inputs:
    - {{name: tail, path: {records}, tag: {TAG}, parser: records, read_from_head: true, \
              exit_on_eof: true, buffer_max_size: 1M}}
{filter}  outputs:
{output}"
        )
    }
}

/// Waits for a process to end and returns its CPU time as a user, which the system tells until
/// the process is reaped.
fn user_time_at_end(child: &Child) -> Result<Duration> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::Pid(Pid::from_child(child)), options)?;
    crate::process::user_time_of(child.id()).context("the system does not tell CPU times")
}
