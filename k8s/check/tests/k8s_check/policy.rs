//! Every resource does as the project demands, and the check finds each thing that does not.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use statetrail_k8s_check::policy::{Rule, check, has_version};
use statetrail_k8s_check::{find, jobs, name_of, overlays, project_folder, read_yaml, render};

#[test]
fn every_resource_does_as_demanded() -> Result<()> {
    for overlay in overlays()?.into_iter().chain(jobs()?) {
        let faults = check(&render(&overlay)?);
        ensure!(faults.is_empty(), "{}: {faults:#?}", overlay.display());
    }
    Ok(())
}

const SINK: &str = "Deployment/sink";
const POD: &str = "/spec/template/spec";
const CONTAINER: &str = "/spec/template/spec/containers/0";
const CONTEXT: &str = "/spec/template/spec/containers/0/securityContext";

/// Each change makes a good resource a bad one, and is told as what it is.
#[test]
fn each_bad_resource_is_found() -> Result<()> {
    let changes = [
        (SINK, "/metadata", "namespace", json!("default"), Rule::Namespace),
        (
            "ValidatingAdmissionPolicy/statetrail-rules-shop",
            "/metadata",
            "namespace",
            json!("statetrail"),
            Rule::Namespace,
        ),
        (SINK, "/spec/template/spec/securityContext", "runAsNonRoot", json!(false), Rule::NonRoot),
        (SINK, "/spec/template/spec/securityContext", "runAsUser", json!(0), Rule::NonRoot),
        (SINK, "/spec/template/spec/securityContext", "runAsUser", Value::Null, Rule::NonRoot),
        (SINK, CONTEXT, "runAsUser", json!(0), Rule::NonRoot),
        (SINK, "/spec/template/spec/securityContext", "seccompProfile", Value::Null, Rule::Seccomp),
        (SINK, POD, "hostNetwork", json!(true), Rule::HostPath),
        (
            "StatefulSet/cassandra",
            "/spec/template/spec/volumes/0",
            "hostPath",
            json!({"path": "/etc"}),
            Rule::HostPath,
        ),
        (
            "DaemonSet/fluent-bit",
            "/spec/template/spec/volumes/5",
            "hostPath",
            json!({"path": "/"}),
            Rule::Privileges,
        ),
        (
            "DaemonSet/fluent-bit",
            "/spec/template/spec/containers/0/volumeMounts/5",
            "readOnly",
            json!(false),
            Rule::Privileges,
        ),
        (SINK, CONTEXT, "readOnlyRootFilesystem", json!(false), Rule::ReadOnlyRoot),
        (SINK, CONTEXT, "allowPrivilegeEscalation", Value::Null, Rule::Privileges),
        (SINK, CONTEXT, "privileged", json!(true), Rule::Privileges),
        (
            SINK,
            CONTEXT,
            "capabilities",
            json!({"drop": ["ALL"], "add": ["NET_ADMIN"]}),
            Rule::Privileges,
        ),
        (SINK, CONTEXT, "capabilities", json!({"drop": ["NET_RAW"]}), Rule::Privileges),
        (
            SINK,
            CONTAINER,
            "resources",
            json!({"requests": {"cpu": 1, "memory": 1}}),
            Rule::Resources,
        ),
        (SINK, CONTAINER, "resources", json!({"limits": {"memory": "1Gi"}}), Rule::Resources),
        (SINK, CONTAINER, "readinessProbe", Value::Null, Rule::Probes),
        (SINK, CONTAINER, "livenessProbe", Value::Null, Rule::Probes),
        (SINK, CONTAINER, "startupProbe", Value::Null, Rule::Probes),
        (SINK, CONTAINER, "image", json!("statetrail-sink:latest"), Rule::ImageVersion),
        (SINK, CONTAINER, "image", json!("registry:5000/statetrail-sink"), Rule::ImageVersion),
        (SINK, POD, "automountServiceAccountToken", json!(true), Rule::Account),
        (SINK, POD, "enableServiceLinks", Value::Null, Rule::Account),
        (SINK, POD, "serviceAccountName", Value::Null, Rule::Account),
        ("ServiceAccount/sink", "", "automountServiceAccountToken", Value::Null, Rule::Account),
        (
            "RoleBinding/rules-shop",
            "",
            "subjects",
            json!([{"kind": "ServiceAccount", "name": "sink"}]),
            Rule::Rights,
        ),
        ("Role/rules-shop", "/rules/0", "resourceNames", json!([]), Rule::Rights),
        ("Role/rules-shop", "", "kind", json!("ClusterRole"), Rule::Rights),
        ("ServiceAccount/sink", "", "kind", json!("Secret"), Rule::Secret),
    ];
    let resources = render(&project_folder().join("k8s/overlays/production"))?;
    for (name, place, key, value, rule) in changes {
        let mut resources = resources.clone();
        let resource = resources.iter_mut().find(|resource| name_of(resource) == name);
        let resource = resource.with_context(|| format!("there is no {name}"))?;
        let object = resource.pointer_mut(place).and_then(Value::as_object_mut);
        let object = object.with_context(|| format!("{name} has no {place}"))?;
        if value.is_null() {
            object.remove(key);
        } else {
            object.insert(key.to_owned(), value.clone());
        }
        let faults = check(&resources);
        ensure!(
            faults.iter().any(|fault| fault.rule == rule),
            "{name}: {key} = {value} at {place} is not told as {rule:?}: {faults:?}"
        );
    }
    Ok(())
}

#[test]
fn versions_of_images_are_told_from_names_that_move() {
    let digest = format!("a/b@sha256:{}", "0".repeat(64));
    for image in ["a:1.2", "h:5000/a/b:5.0.6", "a/b:0.1.0-rc.1", &digest] {
        assert!(has_version(image), "{image}");
    }
    for image in ["a", "a:latest", "a:5", "h:5000/a", "a:stable", ""] {
        assert!(!has_version(image), "{image}");
    }
}

/// What has several replicas is spread, and not taken away all at once.
#[test]
fn production_survives_the_loss_of_a_node() -> Result<()> {
    let resources = render(&project_folder().join("k8s/overlays/production"))?;
    let find = |name: &str| find(&resources, name);
    for name in ["Deployment/sink", "Deployment/serve", "StatefulSet/cassandra"] {
        let pod = &find(name)?["spec"]["template"]["spec"];
        ensure!(pod["affinity"]["podAntiAffinity"].is_object(), "{name} may share one node");
        ensure!(pod["topologySpreadConstraints"].is_array(), "{name} may share one zone");
        let short = name.rsplit('/').next().unwrap_or_default();
        ensure!(find(&format!("PodDisruptionBudget/{short}"))?["spec"]["maxUnavailable"] == 1);
    }
    ensure!(
        find("Deployment/sink")?["spec"]["replicas"].is_null(),
        "KEDA and the manifest would argue"
    );
    for (name, place, least) in [
        ("KafkaNodePool/broker", "/spec/replicas", 3),
        ("KafkaNodePool/controller", "/spec/replicas", 3),
        ("KafkaTopic/events", "/spec/replicas", 3),
        ("KafkaTopic/events.dead-letter", "/spec/replicas", 3),
        ("StatefulSet/cassandra", "/spec/replicas", 3),
        ("Deployment/serve", "/spec/replicas", 2),
        ("ScaledObject/sink", "/spec/minReplicaCount", 2),
    ] {
        let number = find(name)?.pointer(place).and_then(Value::as_u64);
        ensure!(number.is_some_and(|number| number >= least), "{name}: {place} is {number:?}");
    }
    // More sinks than partitions would have nothing to do.
    let partitions = find("KafkaTopic/events")?["spec"]["partitions"].as_u64();
    ensure!(partitions >= find("ScaledObject/sink")?["spec"]["maxReplicaCount"].as_u64());
    Ok(())
}

/// A node that joins takes its data from the others before it answers clients, and nobody may end it then.
#[test]
fn a_cassandra_node_may_take_hours_to_join() -> Result<()> {
    for overlay in overlays()? {
        let resources = render(&overlay)?;
        let cassandra = find(&resources, "StatefulSet/cassandra")?;
        let container = &cassandra["spec"]["template"]["spec"]["containers"][0];
        let asks = |probe: &str| &container[probe]["tcpSocket"]["port"];
        // Whatever ends a node asks the port that is open while it joins.
        ensure!(asks("startupProbe") == "nodes" && asks("livenessProbe") == "nodes");
        ensure!(asks("readinessProbe") == "cql", "a node is ready before it has joined");
        let startup = &container["startupProbe"];
        let seconds = |key: &str| startup[key].as_u64().context("no number");
        ensure!(seconds("periodSeconds")? * seconds("failureThreshold")? >= 3_600);
    }
    Ok(())
}

/// The canary is of the version of what it watches.
#[test]
fn the_canary_runs_the_image_of_the_server() -> Result<()> {
    let resources = render(&project_folder().join("k8s/overlays/production"))?;
    let image = |name: &str| {
        let image = find(&resources, name)?.pointer("/spec/template/spec/containers/0/image");
        image.and_then(Value::as_str).with_context(|| format!("{name} has no image"))
    };
    ensure!(image("Deployment/canary")? == image("Deployment/serve")?, "it runs another image");
    // The rules for its lines come with the filter, and are for where it runs.
    let rules = fs::read_to_string(project_folder().join("fluent-bit/rules/canary.yaml"))?;
    let namespaces = &read_yaml(&rules)?["namespaces"];
    ensure!(namespaces.as_array().is_some_and(|it| it.contains(&json!("statetrail"))));
    Ok(())
}
