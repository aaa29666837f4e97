//! Each flag and variable that is given to a binary is one that it takes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use statetrail_k8s_check::documents::commands;
use statetrail_k8s_check::policy::{containers, pod_of};
use statetrail_k8s_check::{jobs, name_of, overlays, project_folder, read_yaml, render};
use statetrail_servers::Identity;

use crate::binaries::{released, run, said};

/// Where the manifests mount a client's certificate.
const CERTIFICATES: &str = "/run/kafka/";

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Lets the sink check settings, with files in the place of those that the cluster mounts.
fn check_sink(variables: &[(String, String)], folder: &Path) -> Result<String> {
    let identity = Identity::own()?;
    let (certificate, key) = (identity.certificate_pem()?, identity.key_pem()?);
    for (name, text) in [("ca.crt", &certificate), ("user.crt", &certificate), ("user.key", &key)] {
        fs::write(folder.join(name), text)?;
    }
    let here = format!("{}/", folder.display());
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.clone(), value.replace(CERTIFICATES, &here)))
        .collect();
    let output = run(&released()?.sink, &["--check"], &variables)?;
    ensure!(output.status.success(), "{variables:?}: {}", said(&output));
    Ok(said(&output))
}

/// Lets `statetrail` read its words, without doing what they say.
fn check_statetrail(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    let output = run(&released()?.statetrail, &words, &[])?;
    ensure!(output.status.success(), "statetrail {words:?}: {}", said(&output));
    // The sink reads addresses of stores as `statetrail` does, and says what is wrong without
    // opening one.
    for word in words {
        if let Some(store) = word.strip_prefix("--store=") {
            let settings = ["STORE", "KAFKA_BROKERS", "KAFKA_TOPICS"]
                .map(|name| format!("STATETRAIL_SINK_{name}"));
            let values = [store, "b:1", "t"].map(str::to_owned);
            let variables: Vec<_> = settings.into_iter().zip(values).collect();
            let output = run(&released()?.sink, &["--check"], &variables)?;
            ensure!(output.status.success(), "{store}: {}", said(&output));
        }
    }
    Ok(())
}

#[test]
fn the_binaries_take_what_the_manifests_give_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut tried = 0;
    for overlay in overlays()?.into_iter().chain(jobs()?) {
        for resource in render(&overlay)? {
            let Some(pod) = pod_of(&resource) else { continue };
            for (container, _) in containers(pod) {
                let image = container["image"].as_str().unwrap_or_default();
                let image = image.rsplit('/').next().unwrap_or_default();
                let context = || format!("{}: {}", overlay.display(), name_of(&resource));
                if image.starts_with("statetrail-sink:") {
                    let of =
                        |variable: &Value, key: &str| variable[key].as_str().map(str::to_owned);
                    let variables = container["env"].as_array().context("no variables")?.iter();
                    let variables = variables
                        .map(|variable| Some((of(variable, "name")?, of(variable, "value")?)));
                    let variables: Vec<_> = variables.collect::<Option<_>>().context("no value")?;
                    check_sink(&variables, folder.path()).with_context(context)?;
                    // Unknown ones are refused, or this would say nothing.
                    let wrong: Vec<_> = variables
                        .iter()
                        .map(|(name, value)| (name.replace("TOPICS", "TOPIC"), value.clone()))
                        .collect();
                    ensure!(
                        check_sink(&wrong, folder.path()).is_err(),
                        "an unknown variable is taken"
                    );
                    tried += 1;
                } else if image.starts_with("statetrail:") {
                    let words = texts(&container["args"]);
                    check_statetrail(&words).with_context(context)?;
                    let wrong: Vec<_> =
                        words.iter().map(|word| word.replacen("--", "--un", 1)).collect();
                    ensure!(check_statetrail(&wrong).is_err(), "an unknown flag is taken");
                    tried += 1;
                }
            }
        }
    }
    ensure!(
        tried == 8,
        "{tried} containers instead of three in two overlays, the canary and dead letters"
    );
    Ok(())
}

#[test]
fn the_binaries_take_what_the_compose_file_gives_them() -> Result<()> {
    let compose = read_yaml(&fs::read_to_string(project_folder().join("docker-compose.yml"))?)?;
    let services = &compose["services"];
    for service in ["migrate", "serve"] {
        check_statetrail(&texts(&services[service]["command"])).context(service)?;
    }
    let variables = services["sink"]["environment"].as_object().context("no variables")?.iter();
    let variables = variables.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let variables: Vec<_> = variables.collect::<Option<_>>().context("no value")?;
    check_sink(&variables, tempfile::tempdir()?.path())?;
    let health = texts(&services["sink"]["healthcheck"]["test"]);
    let help = said(&run(&released()?.sink, &["--help"], &[])?);
    ensure!(help.contains(&format!("{} ", health.last().context("no check")?)), "{health:?}");
    let mut words = texts(&services["shop"]["command"]);
    words.push("--help".to_owned());
    let output = run(&released()?.shop, &words, &[])?;
    ensure!(output.status.success(), "{}", said(&output));
    Ok(())
}

/// What is run in the end: here, or in a pod.
fn program_of(words: &[String]) -> &[String] {
    let is_in_pod = words.starts_with(&["kubectl".to_owned(), "exec".to_owned()]);
    let start = words.iter().position(|word| is_in_pod && word == "--").map_or(0, |at| at + 1);
    &words[start..]
}

#[test]
fn the_binaries_take_what_the_documents_tell_to_type() -> Result<()> {
    let mut tried = 0;
    for command in commands()? {
        let context = || format!("{}: {}", command.document, command.words.join(" "));
        let (program, words) = program_of(&command.words).split_first().context("nothing")?;
        match program.trim_start_matches("/usr/bin/") {
            "statetrail" => check_statetrail(words).with_context(context)?,
            "statetrail-sink" => {
                let words: Vec<_> = words.iter().map(String::as_str).chain(["--help"]).collect();
                let output = run(&released()?.sink, &words, &[])?;
                ensure!(output.status.success(), "{}: {}", context(), said(&output));
            }
            _ => continue,
        }
        tried += 1;
    }
    ensure!(tried >= 5, "{tried} commands");
    Ok(())
}

#[test]
fn rules_of_teams_are_right() -> Result<()> {
    for team in fs::read_dir(project_folder().join("k8s/teams"))? {
        let rules = team?.path().join("rules");
        if !rules.is_dir() {
            continue;
        }
        for file in fs::read_dir(&rules)? {
            let file = file?.path();
            if file.ends_with("kustomization.yaml") {
                continue;
            }
            let words = ["rules".as_ref(), "check".as_ref(), file.as_os_str()];
            let output = run(&released()?.statetrail, &words, &[])?;
            ensure!(output.status.success(), "{}", said(&output));
        }
    }
    Ok(())
}
