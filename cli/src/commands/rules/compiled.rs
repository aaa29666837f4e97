//! Samples in the compiled filter, handed over as Fluent Bit does.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use statetrail_event::cloudevents;
use statetrail_filter_host::{EVENTS, Guest, Handover, Reply, engine};
use statetrail_rules::{RuleText, SampleRun, shown};
use wasmtime::{ExternType, Module};

use crate::failure::{Exit, Failure};

/// Where the filter finds its rules.
const FOLDER: &str = "/etc/statetrail";
/// A container's id, as the kubelet writes it.
const CONTAINER_ID: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What the filter exports for Fluent Bit to call: the functions, with their numbers of parameters and
/// results, all of them of 32 bits.
const FUNCTIONS: [(&str, usize, usize); 4] =
    [("_initialize", 0, 0), ("malloc", 1, 1), ("free", 1, 0), (EVENTS, 6, 1)];

/// The filter's module.
pub(super) struct Compiled(Module);

/// What the filter replies.
#[derive(Deserialize)]
struct Replied {
    event: Option<String>,
}

impl Compiled {
    /// Loads a module.
    ///
    /// # Errors
    /// When it cannot be read or is not the filter.
    pub(super) fn load(path: &Path) -> Result<Compiled, Failure> {
        let failed = |what: String| {
            let message = format!("{}: {what}", path.display());
            Failure::new(Exit::Failed, message).hint("`make filter` builds statetrail_filter.wasm")
        };
        let bytes = fs::read(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        if !bytes.starts_with(b"\0asm") {
            return Err(failed(
                "not a WASM module; one compiled ahead of time runs in Fluent Bit only".to_owned(),
            ));
        }
        let module = Module::from_binary(engine(), &bytes)
            .map_err(|error| failed(format!("not a WASM module: {error}")))?;
        let foreign = |import: &wasmtime::ImportType<'_>| {
            import.module() != "wasi_snapshot_preview1"
                || !matches!(import.ty(), ExternType::Func(_))
        };
        if !exports_all(&module) || module.imports().any(|import| foreign(&import)) {
            return Err(failed("a WASM module, but not statetrail's filter".to_owned()));
        }
        Ok(Compiled(module))
    }

    /// What the filter gives for the lines of a file's samples, from a container of its namespace.
    ///
    /// # Errors
    /// When the filter does not start, traps, or replies what Fluent Bit could not pass on.
    pub(super) fn run(
        &self,
        text: &RuleText,
        (namespace, container): (&str, &str),
        samples: &[SampleRun],
    ) -> Result<Vec<Vec<String>>, Failure> {
        let failed = |what: String| Failure::new(Exit::Failed, format!("the filter {what}"));
        let unwritten = |error: std::io::Error| {
            Failure::new(Exit::Failed, format!("a temporary folder cannot be written: {error}"))
        };
        let folder = tempfile::tempdir().map_err(unwritten)?;
        fs::create_dir(folder.path().join("rules")).map_err(unwritten)?;
        // The filter reads files of that ending alone, and the name is in nothing that is compared.
        fs::write(folder.path().join("rules/rules.yaml"), &text.text).map_err(unwritten)?;
        let mut guest = Guest::start(&self.0, &[(FOLDER, folder.path())])
            .map_err(|told| failed(format!("does not start: {}", told.trim_end())))?;
        let container = if container.is_empty() { "app" } else { container };
        let tag =
            format!("kube.var.log.containers.sample_{namespace}_{container}-{CONTAINER_ID}.log");
        let mut all = Vec::new();
        for sample in samples {
            // Keys of a record are texts: this cannot fail.
            let record = serde_json::json!({ "log": sample.line }).to_string();
            let reply = guest
                .call(EVENTS, &tag, (1, 0), record.as_bytes(), Handover::Json)
                .map_err(|trap| failed(format!("traps on a sample of {}: {trap}", sample.rule)))?;
            all.push(events_of(reply).map_err(|told| failed(format!("replies {told}")))?);
        }
        Ok(all)
    }
}

/// Whether a module exports what Fluent Bit calls, in the form in which it calls it.
fn exports_all(module: &Module) -> bool {
    let is_there = |(name, parameters, results): (&str, usize, usize)| {
        let Some(ExternType::Func(function)) = module.get_export(name) else { return false };
        let mut types = function.params().chain(function.results());
        (function.params().len(), function.results().len()) == (parameters, results)
            && types.all(|value| value.is_i32())
    };
    FUNCTIONS.into_iter().all(is_there)
        && matches!(module.get_export("memory"), Some(ExternType::Memory(_)))
}

fn events_of(reply: Reply) -> Result<Vec<String>, String> {
    let text = match reply {
        Reply::Null => return Ok(Vec::new()),
        Reply::Input => return Err("with the record itself".to_owned()),
        Reply::Text(text) => text,
    };
    let replied: Replied = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let Some(event) = replied.event else { return Ok(Vec::new()) };
    let events = cloudevents::read(event.as_bytes()).map_err(|error| error.to_string())?;
    // The filter tells nothing about itself where no node is named.
    Ok(events.iter().map(shown).collect())
}
