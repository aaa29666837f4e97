//! What the Dockerfile says of the images; tests/released builds them.

use std::fs;

use anyhow::{Result, ensure};
use statetrail_k8s_check::policy::has_version;
use statetrail_k8s_check::project_folder;

/// A stage: what it is made from, its name, its instructions.
struct Stage<'a> {
    from: &'a str,
    name: &'a str,
    lines: Vec<&'a str>,
}

fn stages(text: &str) -> Vec<Stage<'_>> {
    let mut stages: Vec<Stage<'_>> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.nth(1)) {
            (Some("FROM"), Some(from), name) => {
                stages.push(Stage { from, name: name.unwrap_or_default(), lines: Vec::new() });
            }
            _ => stages.last_mut().into_iter().for_each(|stage| stage.lines.push(line)),
        }
    }
    stages
}

#[test]
fn images_are_made_from_nothing_and_run_as_nobody() -> Result<()> {
    let text = fs::read_to_string(project_folder().join("images/Dockerfile"))?;
    let stages = stages(&text);
    let is_stage = |name: &str| stages.iter().any(|stage| stage.name == name);
    for stage in &stages {
        let from = stage.from;
        ensure!(from == "scratch" || is_stage(from) || has_version(from), "{from} may move");
    }
    let images: Vec<&Stage<'_>> = stages.iter().filter(|stage| stage.from == "scratch").collect();
    ensure!(images.iter().map(|image| image.name).eq(["sink", "statetrail", "filter"]));
    for image in images {
        let has = |start: &str| image.lines.iter().any(|line| line.trim_start().starts_with(start));
        ensure!(has("USER 65532:65532") && has("ENTRYPOINT ["), "{}", image.name);
        ensure!(!has("RUN") && !has("ADD"), "{} has no shell", image.name);
        for label in ["title", "description", "version", "licenses"] {
            let label = format!("org.opencontainers.image.{label}=");
            ensure!(
                image.lines.iter().any(|line| line.contains(&label)),
                "{}: {label}",
                image.name
            );
        }
    }
    // The toolchain is the one that the project names.
    let toolchain = fs::read_to_string(project_folder().join("rust-toolchain.toml"))?;
    let version = toolchain.split("channel = \"").nth(1).and_then(|rest| rest.split('"').next());
    ensure!(version.is_some_and(|version| text.contains(&format!("FROM rust:{version}-"))));
    Ok(())
}

/// One version everywhere: of the project, and of what comes from others.
#[test]
fn versions_agree() -> Result<()> {
    let read = |path: &str| fs::read_to_string(project_folder().join(path));
    let (compose, manifests) = (read("docker-compose.yml")?, read("k8s/base/kustomization.yaml")?);
    let (dockerfile, cargo) = (read("images/Dockerfile")?, read("Cargo.toml")?);
    let version = cargo.split("\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    let version = version.unwrap_or_default();
    ensure!(compose.matches(&format!(":{version}\n")).count() == 5, "compose has another version");
    ensure!(manifests.matches(&format!("newTag: {version}\n")).count() == 3);
    ensure!(dockerfile.matches(&format!("image.version=\"{version}\"")).count() == 3);
    for image in ["cassandra:5.0.6", "fluent/fluent-bit:5.1.1"] {
        ensure!(compose.contains(image), "{image} in docker-compose.yml");
        let base = ["cassandra", "fluent-bit"].map(|name| read(&format!("k8s/base/{name}.yaml")));
        let base: String = base.into_iter().collect::<Result<_, _>>()?;
        ensure!(base.contains(image), "{image} in k8s/base");
    }
    // What the tests run for real.
    ensure!(read("servers/cassandra/pom.xml")?.contains("<version>5.0.6</version>"));
    ensure!(read("servers/kafka/pom.xml")?.contains("<version>4.1.1</version>"));
    ensure!(compose.contains("apache/kafka:4.1.1"));
    ensure!(read("k8s/base/kafka.yaml")?.contains("version: 4.1.1"));
    Ok(())
}
