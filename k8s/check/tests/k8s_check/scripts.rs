//! Scripts and Dockerfiles, as their linters want them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use statetrail_k8s_check::{project_folder, succeed, tool};

/// The project's own files: those that git knows, and new ones that it is not told to pass over.
fn files() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names = succeed(git.current_dir(project_folder()))?;
    let names = names.split_terminator('\0').map(|name| project_folder().join(name));
    // One that was removed is known until that is committed.
    Ok(names.filter(|path| path.is_file()).collect())
}

fn is_shell_script(path: &Path) -> bool {
    let Ok(text) = fs::read(path) else { return false };
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"#!") && (first.ends_with(b"sh"))
}

#[test]
fn scripts_are_as_shellcheck_wants_them() -> Result<()> {
    let all = files()?;
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
    let all = files()?;
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
