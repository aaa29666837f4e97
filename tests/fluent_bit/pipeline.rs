//! A Fluent Bit that reads a file and writes what the filter makes of it into another one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use statetrail_servers::FluentBit;
use statetrail_tests::filter_module;

/// A container's tag.
pub(crate) const TAG: &str = "kube.var.log.containers.checkout-1_shop_app-\
    0123456789012345678901234567890123456789012345678901234567890123.log";

/// A Fluent Bit with the filter between in_tail and out_file.
pub(crate) struct Pipeline {
    pub(crate) fluent_bit: FluentBit,
    input: File,
    output: PathBuf,
}

impl Pipeline {
    /// Starts one in a folder that [`prepared_folder`] made.
    pub(crate) fn start(
        binary: &'static Path,
        folder: tempfile::TempDir,
        function: &str,
    ) -> Result<Pipeline> {
        let output = folder.path().join("out.jsonl");
        let path = folder.path().join("in.log");
        let input = OpenOptions::new().create(true).append(true).open(path)?;
        let configuration = format!(
            "\
service: {{flush: 0.2, grace: 5, log_level: info}}
pipeline:
  inputs:
    - name: tail
      path: in.log
      tag: {TAG}
      key: log
      refresh_interval: 1
      read_from_head: true
  filters:
    - name: wasm
      match: kube.*
      wasm_path: {module}
      function_name: {function}
      event_format: json
      accessible_paths: {folder}
  outputs:
    - name: file
      match: kube.*
      path: {folder}
      file: out.jsonl
      format: plain
",
            module = filter_module()?.display(),
            folder = folder.path().display(),
        );
        let fluent_bit = FluentBit::start(binary, folder, &configuration)?;
        Ok(Pipeline { fluent_bit, input, output })
    }

    /// Appends a line to the file that is read.
    pub(crate) fn write(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}").context("writing a line")
    }

    /// The records that have come out so far.
    pub(crate) fn records(&self) -> Result<Vec<Value>> {
        let text = match fs::read_to_string(&self.output) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        // The last one may still be written.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete.lines().map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
    }
}

/// A folder with these rule files.
pub(crate) fn prepared_folder(files: &[(&str, &str)]) -> Result<tempfile::TempDir> {
    let folder = FluentBit::folder()?;
    fs::create_dir(folder.path().join("rules"))?;
    for (name, text) in files {
        fs::write(folder.path().join("rules").join(name), text)?;
    }
    Ok(folder)
}
