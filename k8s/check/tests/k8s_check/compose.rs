//! docker-compose.yml is as the specification wants it, and every service is bounded.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use statetrail_k8s_check::policy::has_version;
use statetrail_k8s_check::{faults, project_folder, schema_folder, succeed, tool};

/// Services whose images write into themselves when they start.
const WRITERS: [&str; 3] = ["kafka", "cassandra", "topics"];
/// Services whose images have nothing that could ask whether they are well.
const UNASKED: [&str; 3] = ["fluent-bit", "serve", "shop"];

/// The file with everything filled in, as `docker compose config` shows it.
fn config() -> Result<Value> {
    let mut config = Command::new(tool("compose-config")?);
    config.args(["-format", "json", "docker-compose.yml"]).current_dir(project_folder());
    Ok(serde_json::from_str(&succeed(&mut config)?)?)
}

#[test]
fn the_file_is_as_the_specification_wants_it() -> Result<()> {
    let schema = fs::read_to_string(schema_folder()?.join("compose-spec.json"))?;
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema)?)?;
    let mut config = config()?;
    let found = faults(&validator, &config);
    ensure!(found.is_empty(), "{found:#?}");
    config["services"]["sink"]["mem_limits"] = json!("1g");
    ensure!(!faults(&validator, &config).is_empty(), "an unknown setting is taken");
    Ok(())
}

#[test]
fn every_service_is_bounded_and_asked_whether_it_is_well() -> Result<()> {
    let config = config()?;
    let services = config["services"].as_object().context("no services")?;
    for (name, service) in services {
        let writes = WRITERS.contains(&name.as_str());
        ensure!(
            has_version(service["image"].as_str().unwrap_or_default()),
            "{name}: its image moves"
        );
        ensure!(!service["mem_limit"].is_null(), "{name} may take all memory");
        ensure!(service["read_only"] == true || writes, "{name} may write into its image");
        let security = service["security_opt"].to_string();
        ensure!(security.contains("no-new-privileges:true"), "{name} may get privileges");
        let runs_once = service["restart"] == "on-failure";
        ensure!(
            runs_once || !service["healthcheck"].is_null() || UNASKED.contains(&name.as_str()),
            "nobody asks whether {name} is well"
        );
        for port in service["ports"].as_array().into_iter().flatten() {
            ensure!(port["host_ip"] == "127.0.0.1", "{name} can be reached from other machines");
        }
    }
    Ok(())
}

/// Who waits for whom, and for what.
#[test]
fn services_start_in_order() -> Result<()> {
    let config = config()?;
    for (service, before, condition) in [
        ("topics", "kafka", "service_healthy"),
        ("migrate", "cassandra", "service_healthy"),
        ("fluent-bit", "topics", "service_completed_successfully"),
        ("fluent-bit", "filter", "service_completed_successfully"),
        ("sink", "topics", "service_completed_successfully"),
        ("sink", "migrate", "service_completed_successfully"),
        ("serve", "migrate", "service_completed_successfully"),
        ("shop", "fluent-bit", "service_started"),
    ] {
        let found = &config["services"][service]["depends_on"][before]["condition"];
        ensure!(found == condition, "{service} waits for {before} until {found}");
    }
    // What is mounted of the project is there.
    for service in config["services"].as_object().context("no services")?.values() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            if volume["type"] == "bind" {
                let source = volume["source"].as_str().context("a mount of nothing")?;
                ensure!(fs::exists(source)?, "{source} is not there");
            }
        }
    }
    Ok(())
}

/// What cannot be brought into its container, because nothing can be written there: `docker compose`
/// mounts files, and refuses whatever it would have to copy.
fn copied_into_read_only(config: &Value) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (name, service) in config["services"].as_object().context("no services")? {
        for kind in ["configs", "secrets"] {
            for used in service[kind].as_array().into_iter().flatten() {
                let source = used["source"].as_str().context("a use of nothing")?;
                let is_file = match config[kind][source]["file"].as_str() {
                    Some(file) => fs::exists(file)?,
                    None => false,
                };
                if service["read_only"] == true && !is_file {
                    found.push(format!("{kind}/{source} of {name}"));
                }
            }
        }
    }
    Ok(found)
}

#[test]
fn what_read_only_services_are_given_is_a_file() -> Result<()> {
    let mut config = config()?;
    let found = copied_into_read_only(&config)?;
    ensure!(found.is_empty(), "{found:?}");
    // Both are used, so both are found when they are no files.
    config["configs"]["node"] = json!({"content": "laptop"});
    config["configs"]["tokens"] = json!({"environment": "TOKENS"});
    let found = copied_into_read_only(&config)?;
    ensure!(found == ["configs/node of fluent-bit", "configs/tokens of serve"], "{found:?}");
    Ok(())
}
