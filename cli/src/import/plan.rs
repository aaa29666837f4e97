//! Which logs an import reads, where their lines come from and which rules apply to them.

use std::path::PathBuf;

use statetrail_input::{self as input, Place};
use statetrail_rules::{ContainerName, Origin, RuleSet, ScopeId};

use crate::failure::{Exit, Failure};

/// A log that will be read.
#[derive(Clone, Debug)]
pub struct PlannedLog {
    /// Where it is.
    pub place: Place,
    /// Where its lines come from.
    pub origin: Origin,
    /// The rules that apply to its lines; `None` if there are none.
    pub scope: Option<ScopeId>,
    /// Its size in bytes as it is stored; a pipe has none.
    pub stored_bytes: Option<u64>,
}

impl PlannedLog {
    /// Whether its next line may take long to come: standard input, or another pipe.
    pub fn is_live(&self) -> bool {
        self.stored_bytes.is_none()
    }
}

/// Plans to read what was typed. The namespace is the given one, else that of the kubelet's file
/// name; a plain file without either takes every rule file that names a namespace exactly.
///
/// # Errors
/// When a file does not exist or is a directory; all such files are told.
pub fn plan(
    files: &[PathBuf],
    namespace: Option<&str>,
    rules: &mut RuleSet,
) -> Result<Vec<PlannedLog>, Failure> {
    let mut logs = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        let place = Place::typed(file);
        match input::check(&place) {
            Err(problem) => problems.push(problem.to_string()),
            Ok(stored_bytes) => logs.push(planned(place, stored_bytes, namespace, rules)),
        }
    }
    if problems.is_empty() {
        return Ok(logs);
    }
    let hint = "nothing was imported; name files that can be read, or - for standard input";
    Err(Failure::new(Exit::Failed, problems.join("\n")).hint(hint))
}

fn planned(
    place: Place,
    stored_bytes: Option<u64>,
    namespace: Option<&str>,
    rules: &mut RuleSet,
) -> PlannedLog {
    let path = place.path().map(|path| path.display().to_string());
    let file = path.as_deref();
    let container = file.and_then(container_of);
    let origin = match container {
        Some(name) => {
            let name = ContainerName { namespace: namespace.unwrap_or(name.namespace), ..name };
            Origin::container(name, None, file)
        }
        None => Origin::plain(namespace, None, file),
    };
    let scope = rules.scope_of_origin(&origin);
    PlannedLog { place, origin, scope, stored_bytes }
}

/// The container whose log a file is, by the kubelet's two ways of naming files.
fn container_of(path: &str) -> Option<ContainerName<'_>> {
    let unpacked = path.strip_suffix(".gz").or(path.strip_suffix(".zst")).unwrap_or(path);
    ContainerName::from_container_log(unpacked).or_else(|| ContainerName::from_pod_log(path))
}
