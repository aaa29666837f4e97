//! The manifests as kustomize renders them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{succeed, tool};

/// The project's own folder.
#[must_use]
pub fn project_folder() -> &'static Path {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.ancestors().nth(2).unwrap_or(crate_folder)
}

/// The folders of all overlays.
///
/// # Errors
/// When there are none.
pub fn overlays() -> Result<Vec<PathBuf>> {
    folders_of("k8s/overlays")
}

/// The folders of what somebody runs by hand.
///
/// # Errors
/// When there are none.
pub fn jobs() -> Result<Vec<PathBuf>> {
    folders_of("k8s/jobs")
}

fn folders_of(folder: &str) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(project_folder().join(folder))? {
        folders.push(entry?.path());
    }
    folders.sort();
    ensure!(!folders.is_empty(), "there is nothing in {folder}");
    Ok(folders)
}

/// The resources that a folder renders to.
///
/// # Errors
/// When kustomize refuses it.
pub fn render(folder: &Path) -> Result<Vec<Value>> {
    let text = succeed(Command::new(tool("kustomize")?).arg("build").arg(folder))?;
    // Texts within a document are indented, so only its end looks like this.
    text.split("\n---\n").map(read_yaml).collect()
}

/// The resources that the base renders to with components.
///
/// # Errors
/// When kustomize refuses one.
pub fn render_with(components: &[&str]) -> Result<Vec<Value>> {
    let folder = tempfile::tempdir()?;
    let here = folder.path().canonicalize()?;
    // Kustomize takes no paths that begin with a slash.
    let up = "../".repeat(here.components().count() - 1);
    let project = project_folder().canonicalize()?;
    let place = |path: &str| format!("{up}.{}", project.join(path).display());
    let components: Vec<_> = components.iter().map(|path| place(path)).collect();
    let file = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [place("k8s/base")],
        "components": components,
    });
    // JSON is YAML.
    fs::write(here.join("kustomization.yaml"), file.to_string())?;
    render(&here)
}

/// The resource of that kind and name, as [`name_of`] writes them.
///
/// # Errors
/// When there is none.
pub fn find<'r>(resources: &'r [Value], name: &str) -> Result<&'r Value> {
    let found = resources.iter().find(|resource| name_of(resource) == name);
    found.with_context(|| format!("there is no {name}"))
}

/// One document of YAML.
///
/// # Errors
/// When it is none.
pub fn read_yaml(text: &str) -> Result<Value> {
    serde_saphyr::from_str(text).with_context(|| format!("not YAML:\n{text}"))
}

/// `Kind/name`.
#[must_use]
pub fn name_of(resource: &Value) -> String {
    let part = |pointer| resource.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    format!("{}/{}", part("/kind"), part("/metadata/name"))
}
