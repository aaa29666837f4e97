//! Commands in the documents name files that are there, and folders that render. What they tell the
//! binaries is checked by tests/released.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use statetrail_k8s_check::documents::{DOCUMENTS, commands};
use statetrail_k8s_check::{Schemas, find, project_folder, read_yaml, render};

/// Programs that the documents may ask for.
const PROGRAMS: [&str; 14] = [
    "kubectl",
    "minikube",
    "docker",
    "helm",
    "statetrail",
    "statetrail-sink",
    "make",
    "curl",
    "git",
    "cd",
    "base64",
    "fluent-bit",
    "buildah",
    "tar",
];

#[test]
fn commands_name_what_is_there() -> Result<()> {
    let commands = commands()?;
    ensure!(commands.len() > 30, "{} commands", commands.len());
    let makefile = fs::read_to_string(project_folder().join("Makefile"))?;
    for command in &commands {
        let place = format!("{}: {}", command.document, command.words.join(" "));
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        ensure!(PROGRAMS.contains(&words[0]), "{place}: an unknown program");
        for (index, word) in words.iter().enumerate() {
            let next = words.get(index + 1).copied();
            match (*word, next) {
                ("-k", Some(folder)) => {
                    render(&project_folder().join(folder)).with_context(|| place.clone())?;
                }
                ("-f" | "--values", Some(path)) if words[0] != "curl" && is_of_project(path) => {
                    ensure!(fs::exists(project_folder().join(path))?, "{place}: no {path}");
                }
                _ => {}
            }
        }
        if words[0] == "make" {
            ensure!(makefile.contains(&format!("\n{}:", words[1])), "{place}: no such target");
        }
        if let ["docker", "build", ..] = words.as_slice() {
            let target = words.iter().skip_while(|word| **word != "--target").nth(1);
            let dockerfile = fs::read_to_string(project_folder().join("images/Dockerfile"))?;
            let target = target.with_context(|| place.clone())?;
            ensure!(dockerfile.contains(&format!(" AS {target}\n")), "{place}: no such image");
        }
    }
    Ok(())
}

fn is_of_project(path: &str) -> bool {
    !path.starts_with("http") && path != "-" && !path.starts_with('/')
}

/// Blocks of YAML are YAML, and files that the text links to are there.
#[test]
fn links_and_blocks_are_right() -> Result<()> {
    for document in DOCUMENTS.into_iter().chain(["README.md", "ARCHITECTURE.md", "docs/sink.md"]) {
        let path = project_folder().join(document);
        let text = fs::read_to_string(&path).with_context(|| document.to_owned())?;
        let folder = path.parent().context("no folder")?;
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let is_file = !link.is_empty() && !link.contains("://");
            ensure!(!is_file || fs::exists(folder.join(link))?, "{document}: no {link}");
        }
        for block in text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            read_yaml(block).with_context(|| document.to_owned())?;
        }
    }
    Ok(())
}

/// What the documents say of an image volume is one that Kubernetes takes.
#[test]
fn the_image_volume_of_the_documents_is_one() -> Result<()> {
    let text = fs::read_to_string(project_folder().join("docs/install.md"))?;
    let block = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let volume = read_yaml(block.context("no block")?)?[0].clone();
    let resources = render(&project_folder().join("k8s/overlays/production"))?;
    let mut fluent_bit = find(&resources, "DaemonSet/fluent-bit")?.clone();
    let pod = &mut fluent_bit["spec"]["template"]["spec"];
    pod["initContainers"] = Value::Array(Vec::new());
    let volumes = pod["volumes"].as_array_mut().context("no volumes")?;
    let place = volumes.iter_mut().find(|other| other["name"] == volume["name"]);
    *place.context("no such volume")? = volume;
    let faults = Schemas::read()?.faults(&fluent_bit)?;
    ensure!(faults.is_empty(), "{faults:#?}");
    Ok(())
}
