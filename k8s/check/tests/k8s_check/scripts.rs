//! Scripts and Dockerfiles, as their linters want them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use statetrail_k8s_check::{project_folder, succeed, tool};

/// Folders in which nothing of the project is.
const LEFT_OUT: [&str; 3] = ["target", ".git", "node_modules"];

fn files(folder: &Path, all: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            if !LEFT_OUT.contains(&name.as_str()) {
                files(&path, all)?;
            }
        } else {
            all.push(path);
        }
    }
    Ok(())
}

fn is_shell_script(path: &Path) -> bool {
    let Ok(text) = fs::read(path) else { return false };
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"#!") && (first.ends_with(b"sh"))
}

#[test]
fn scripts_are_as_shellcheck_wants_them() -> Result<()> {
    let mut all = Vec::new();
    files(project_folder(), &mut all)?;
    let scripts: Vec<_> = all.iter().filter(|path| is_shell_script(path)).collect();
    ensure!(scripts.len() >= 4, "{scripts:?}");
    let mut check = Command::new(tool("shellcheck")?);
    succeed(check.args(["--external-sources", "--source-path=SCRIPTDIR"]).args(&scripts))?;
    let folder = tempfile::tempdir()?;
    let bad = folder.path().join("bad");
    fs::write(&bad, "#!/bin/bash\nrm -r $1\n")?;
    ensure!(succeed(Command::new(tool("shellcheck")?).arg(&bad)).is_err(), "a bad script is taken");
    Ok(())
}

#[test]
fn dockerfiles_are_as_hadolint_wants_them() -> Result<()> {
    let mut all = Vec::new();
    files(project_folder(), &mut all)?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let dockerfiles: Vec<_> = all.iter().filter(|path| name(path).contains("Dockerfile")).collect();
    ensure!(!dockerfiles.is_empty(), "there is no Dockerfile");
    succeed(Command::new(tool("hadolint")?).args(&dockerfiles))?;
    let folder = tempfile::tempdir()?;
    let bad = folder.path().join("Dockerfile");
    fs::write(&bad, "FROM debian:latest\nRUN cd /tmp\n")?;
    ensure!(succeed(Command::new(tool("hadolint")?).arg(&bad)).is_err(), "a bad one is taken");
    Ok(())
}
