//! The configurations of Fluent Bit in the cluster say what fluent-bit/events.yaml says, and what a
//! cluster adds; fluent-bit/ itself is tried with a real Fluent Bit in tests/fluent_bit/.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use statetrail_k8s_check::{find, overlays, project_folder, read_yaml, render};

const WASM: &str = "/pipeline/filters/0/accessible_paths";

fn configuration(path: &str) -> Result<Value> {
    read_yaml(&fs::read_to_string(project_folder().join(path)).context(path.to_owned())?)
}

/// Settings as places with values, so that what differs can be named.
fn settings(value: &Value, place: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                settings(value, &format!("{place}/{key}"), all);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                settings(item, &format!("{place}/{index}"), all);
            }
        }
        value => drop(all.insert(format!("{place}: {value}"))),
    }
}

/// What `more` has beyond `less`, by places; a setting that it lacks or has otherwise is an error.
fn added(less: &Value, more: &Value) -> Result<BTreeSet<String>> {
    let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
    settings(less, "", &mut before);
    settings(more, "", &mut after);
    let lost: Vec<_> = before.difference(&after).collect();
    ensure!(lost.is_empty(), "not the same: {lost:#?}");
    let place = |setting: &String| setting.split(": ").next().unwrap_or_default().to_owned();
    Ok(after.difference(&before).map(place).collect())
}

#[test]
fn a_cluster_runs_the_configuration_that_is_explained_and_tested() -> Result<()> {
    let mut shipped = configuration("fluent-bit/events.yaml")?;
    let cluster = configuration("k8s/base/fluent-bit/fluent-bit.yaml")?;
    // The one setting that a cluster has otherwise: it has more folders.
    let folders = cluster.pointer(WASM).and_then(Value::as_str).context("no folders")?;
    ensure!(folders.split(',').next() == shipped.pointer(WASM).and_then(Value::as_str));
    *shipped.pointer_mut(WASM).context("no folders")? = folders.into();
    let added = added(&shipped, &cluster)?;
    let expected = [
        "/pipeline/outputs/0/rdkafka.security.protocol",
        "/pipeline/outputs/0/rdkafka.ssl.ca.location",
        "/pipeline/outputs/0/rdkafka.ssl.certificate.location",
        "/pipeline/outputs/0/rdkafka.ssl.key.location",
        "/service/health_check",
        "/service/http_listen",
        "/service/http_port",
        "/service/http_server",
        "/service/storage.metrics",
    ];
    ensure!(added == expected.map(str::to_owned).into(), "{added:#?}");
    Ok(())
}

#[test]
fn the_chart_gets_the_configuration_of_the_manifests() -> Result<()> {
    let values = configuration("fluent-bit/helm/values.yaml")?;
    let text = values.pointer("/config/extraFiles/statetrail.yaml").and_then(Value::as_str);
    let by_chart = read_yaml(text.context("no configuration")?)?;
    let added = added(&configuration("k8s/base/fluent-bit/fluent-bit.yaml")?, &by_chart)?;
    ensure!(added == ["/service/hot_reload".to_owned()].into(), "{added:#?}");
    // Helm refuses to make an account that is there.
    let account = &values["serviceAccount"];
    ensure!(account["create"] == false && account["name"] == "fluent-bit", "{account}");
    let resources = render(&project_folder().join("k8s/overlays/production"))?;
    find(&resources, "ServiceAccount/fluent-bit")?;
    // The chart names its port otherwise, so it is asked for by its number.
    let monitor = find(&resources, "PodMonitor/fluent-bit")?;
    let asked = &monitor["spec"]["podMetricsEndpoints"][0];
    ensure!(asked["portNumber"] == by_chart["service"]["http_port"], "{asked}");
    ensure!(asked["port"].is_null(), "{asked}");
    Ok(())
}

/// A mount for each file and folder that the configuration names, and the longest message the same
/// all along the way.
#[test]
fn what_the_configuration_names_is_there() -> Result<()> {
    let configuration = configuration("k8s/base/fluent-bit/fluent-bit.yaml")?;
    let mut all = BTreeSet::new();
    settings(&configuration, "", &mut all);
    let output = &configuration["pipeline"]["outputs"][0];
    for overlay in overlays()? {
        let resources = render(&overlay)?;
        let find = |name: &str| find(&resources, name);
        let container = &find("DaemonSet/fluent-bit")?["spec"]["template"]["spec"]["containers"][0];
        let mounts = container["volumeMounts"].as_array().context("no mounts")?;
        let mounts: Vec<&str> =
            mounts.iter().filter_map(|mount| mount["mountPath"].as_str()).collect();
        for setting in &all {
            let value = setting.split(": ").nth(1).unwrap_or_default().trim_matches('"');
            for path in value.split(',').filter(|path| path.starts_with('/')) {
                let is_there = |mount: &&str| path.starts_with(*mount) || mount.starts_with(path);
                ensure!(mounts.iter().any(is_there), "nothing is at {path}");
            }
        }
        for topic in ["KafkaTopic/events", "KafkaTopic/events.dead-letter"] {
            ensure!(
                find(topic)?["spec"]["config"]["max.message.bytes"]
                    == output["rdkafka.message.max.bytes"],
                "{topic} takes other messages than Fluent Bit sends"
            );
        }
        let events = &find("KafkaTopic/events")?["spec"];
        ensure!(events["config"]["message.timestamp.type"] == "LogAppendTime");
        ensure!(output["topics"] == "events");
    }
    Ok(())
}
