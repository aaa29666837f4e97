//! The configurations in `fluent-bit/`, with the folders of a test in the place of a node's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use statetrail_servers::FluentBit;
use statetrail_tests::{filter_module, project_folder};

/// Every configuration that is shipped.
pub(crate) fn all() -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(project_folder().join("fluent-bit"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            all.push(path);
        }
    }
    all.sort();
    ensure!(!all.is_empty(), "no configuration is shipped");
    Ok(all)
}

/// A configuration as it is shipped, but for where things are.
pub(crate) fn configuration(path: &Path, folder: &Path, brokers: &str) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut text = text.replace("${KAFKA_BROKERS}", brokers);
    for (there, here) in [
        ("/etc/statetrail/statetrail_filter.wasm", filter_module()?),
        ("/etc/statetrail", folder),
        ("/var/log/containers", &folder.join("containers")),
        ("/var/lib/fluent-bit", &folder.join("lib")),
    ] {
        text = text.replace(there, &here.display().to_string());
    }
    Ok(text)
}

/// A folder with the shipped rules, and with room for logs and what Fluent Bit keeps.
pub(crate) fn folder() -> Result<tempfile::TempDir> {
    let folder = FluentBit::folder()?;
    for name in ["rules", "containers", "lib"] {
        fs::create_dir(folder.path().join(name))?;
    }
    let rules = project_folder().join("fluent-bit/rules/shop.yaml");
    fs::copy(rules, folder.path().join("rules/shop.yaml"))?;
    Ok(folder)
}

#[test]
fn fluent_bit_accepts_every_configuration() -> Result<()> {
    let Some(binary) = FluentBit::binary() else { return Ok(()) };
    let folder = folder()?;
    for path in all()? {
        let text = configuration(&path, folder.path(), "127.0.0.1:9")?;
        FluentBit::dry_run(binary, folder.path(), &text)
            .with_context(|| path.display().to_string())?;
        // One that is wrong is refused, or this would say nothing.
        for wrong in ["function_names:", "event_formats:"] {
            let text = text.replace(&wrong.replace("s:", ":"), wrong);
            let refused = FluentBit::dry_run(binary, folder.path(), &text);
            ensure!(refused.is_err(), "{}: {wrong} is accepted", path.display());
        }
    }
    Ok(())
}

/// What a reader of the documents copies is what is tested.
#[test]
fn the_snippet_of_the_documents_is_the_tested_one() -> Result<()> {
    let readme = fs::read_to_string(project_folder().join("filter-wasm/README.md"))?;
    let shipped = fs::read_to_string(project_folder().join("fluent-bit/add-to-existing.yaml"))?;
    let snippet = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let snippet = snippet.context("the README has no snippet of YAML")?;
    let parts: Vec<&str> = snippet.split("    # ...\n").collect();
    ensure!(parts.len() > 1 && parts.iter().all(|part| part.lines().count() > 3), "{snippet}");
    for part in parts {
        let part = part.trim_start_matches("filters:\n").trim_start_matches("outputs:\n");
        ensure!(shipped.contains(part), "not in add-to-existing.yaml:\n{part}");
    }
    Ok(())
}
