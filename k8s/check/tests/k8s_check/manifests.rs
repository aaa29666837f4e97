//! Every overlay renders, and every resource is as its schema wants it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use statetrail_k8s_check::{Schemas, find, jobs, name_of, overlays, project_folder, render};

/// Fields that hold whatever one wants, by a part of their place.
const FREE: [&str; 12] = [
    "/labels",
    "/annotations",
    "/matchLabels",
    "/podSelector/matchLabels",
    "/data",
    "/config",
    "/limits",
    "/requests",
    "/triggers/0/metadata",
    "/nodeSelector",
    "/jvmOptions/-XX",
    "/spec/selector",
];

fn ensure_as_wanted(schemas: &Schemas, folder: &Path, resources: &[Value]) -> Result<()> {
    for resource in resources {
        let faults = schemas.faults(resource)?;
        ensure!(faults.is_empty(), "{}: {}: {faults:#?}", folder.display(), name_of(resource));
    }
    Ok(())
}

#[test]
fn every_resource_of_every_overlay_is_as_its_schema_wants_it() -> Result<()> {
    let schemas = Schemas::read()?;
    println!("schemas of {} kinds", schemas.count()?);
    for overlay in overlays()? {
        let resources = render(&overlay)?;
        ensure!(resources.len() > 20, "{}: {} resources", overlay.display(), resources.len());
        ensure_as_wanted(&schemas, &overlay, &resources)?;
        println!("{}: {} resources", overlay.display(), resources.len());
    }
    Ok(())
}

#[test]
fn what_is_run_by_hand_is_as_its_schema_wants_it() -> Result<()> {
    let schemas = Schemas::read()?;
    for folder in jobs()? {
        ensure_as_wanted(&schemas, &folder, &render(&folder)?)?;
    }
    Ok(())
}

/// The schemas are strict: a field that nobody knows is found wherever it is put.
#[test]
fn unknown_fields_are_found_at_every_place() -> Result<()> {
    let schemas = Schemas::read()?;
    let mut tried = 0;
    for resource in render(&project_folder().join("k8s/overlays/production"))? {
        let validator = schemas.validator(&resource)?;
        let mut places = Vec::new();
        objects(&resource, String::new(), &mut places);
        for place in places {
            let mut wrong = resource.clone();
            if let Some(object) = wrong.pointer_mut(&place).and_then(Value::as_object_mut) {
                object.insert("unknownField".to_owned(), json!("x"));
            }
            let is_free = FREE.iter().any(|free| place.contains(free));
            ensure!(
                is_free || !validator.is_valid(&wrong),
                "{}: an unknown field at {place} is not found",
                name_of(&resource)
            );
            tried += 1;
        }
    }
    println!("{tried} places");
    ensure!(tried > 500, "{tried}");
    Ok(())
}

fn objects(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let key = key.replace('~', "~0").replace('/', "~1");
                objects(value, format!("{place}/{key}"), places);
            }
            places.push(place);
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, format!("{place}/{index}"), places);
            }
        }
        _ => {}
    }
}

/// Wrong values, of which each schema must find its own.
#[test]
fn wrong_values_are_found() -> Result<()> {
    let schemas = Schemas::read()?;
    let resources = render(&project_folder().join("k8s/overlays/production"))?;
    let wrong = [
        ("Deployment/serve", "/spec/replicas", json!("two")),
        (
            "Deployment/sink",
            "/spec/template/spec/containers/0/resources/limits/memory",
            json!("1 GB"),
        ),
        (
            "Deployment/sink",
            "/spec/template/spec/containers/0/ports/0/containerPort",
            json!("metrics"),
        ),
        ("KafkaTopic/events", "/spec/partitions", json!(0)),
        ("KafkaTopic/events", "/spec/replicas", json!(true)),
        ("KafkaUser/sink", "/spec/authentication/type", json!("password")),
        ("KafkaUser/sink", "/spec/authorization/acls/0/operations/0", json!("Reading")),
        ("KafkaUser/sink", "/spec/authorization/acls/0/resource/type", json!("topics")),
        ("KafkaNodePool/broker", "/spec/roles/0", json!("zookeeper")),
        ("KafkaNodePool/broker", "/spec/storage/volumes/0/type", json!("disk")),
        ("Kafka/kafka", "/spec/kafka/listeners/0/type", json!("external")),
        ("Kafka/kafka", "/spec/kafka/listeners/0/port", json!("9093")),
        ("ScaledObject/sink", "/spec/maxReplicaCount", json!("12")),
        ("PodMonitor/sink", "/spec/podMetricsEndpoints/0/interval", json!("often")),
        ("PrometheusRule/statetrail", "/spec/groups/0/rules/0/for", json!("two minutes")),
    ];
    for (name, place, value) in wrong {
        let mut resource = find(&resources, name)?.clone();
        let Some(there) = resource.pointer_mut(place) else { anyhow::bail!("{name}: no {place}") };
        *there = value.clone();
        ensure!(!schemas.faults(&resource)?.is_empty(), "{name}: {value} at {place} is not found");
    }
    // A version that has gone has no schema.
    let old = json!({"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "Kafka"});
    ensure!(schemas.faults(&old).is_err(), "v1beta2 has a schema");
    Ok(())
}

/// What one part is told must be what another one has.
#[test]
fn names_that_parts_know_each_other_by_agree() -> Result<()> {
    for overlay in overlays()? {
        let resources = render(&overlay)?;
        let text = serde_json::to_string(&resources)?;
        let has = |name: &str| resources.iter().any(|resource| name_of(resource) == name);
        for name in ["Kafka/kafka", "KafkaTopic/events", "KafkaTopic/events.dead-letter"] {
            ensure!(has(name), "there is no {name}");
        }
        // Strimzi makes these names of the cluster's and the users'.
        ensure!(text.contains("kafka-kafka-bootstrap:9093"));
        for user in ["fluent-bit", "sink"] {
            ensure!(
                has(&format!("KafkaUser/{user}")) && text.contains(&format!("\"name\":\"{user}\""))
            );
        }
        for account in ["fluent-bit", "sink", "serve", "migrate", "cassandra"] {
            ensure!(has(&format!("ServiceAccount/{account}")), "no account {account}");
        }
        // The team's file is where Fluent Bit looks for rules.
        let pod = &find(&resources, "DaemonSet/fluent-bit")?["spec"]["template"]["spec"];
        let pod = serde_json::to_string(pod)?;
        ensure!(pod.contains(r#""name":"rules-shop""#), "{pod}");
        ensure!(has("ConfigMap/rules-shop") && has("Role/rules-shop"));
    }
    Ok(())
}

/// Bytes of an event in each copy, as docs/operate.md tells them.
const IN_CASSANDRA: u64 = 249;
const IN_KAFKA: u64 = 129;
const DAY: u64 = 86_400;

/// A size such as 10Gi.
fn bytes(text: &str) -> Result<u64> {
    for (unit, shift) in [("Gi", 30), ("Ti", 40)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.parse::<u64>()? << shift);
        }
    }
    anyhow::bail!("{text} is no size that is used here")
}

/// What is kept fits on the disks that are asked for.
#[test]
fn disks_are_large_enough_for_what_is_kept() -> Result<()> {
    let document = fs::read_to_string(project_folder().join("docs/operate.md"))?;
    ensure!(document.contains(&format!("| Cassandra, each copy | {IN_CASSANDRA} |")));
    ensure!(document.contains(&format!("| Kafka, each copy, lz4 | {IN_KAFKA} |")));
    for overlay in overlays()? {
        let resources = render(&overlay)?;
        let value = |name: &str, place: &str| {
            let value = find(&resources, name)?.pointer(place);
            value.with_context(|| format!("{name} has no {place}"))
        };
        let size = |name: &str, place: &str| {
            bytes(
                value(name, place)?
                    .as_str()
                    .with_context(|| format!("{name}: {place} is no text"))?,
            )
        };
        // Each broker has a copy of everything at most.
        let of_topic = |key: &str| {
            let number = value("KafkaTopic/events", &format!("/spec/{key}"))?;
            number.as_u64().with_context(|| format!("{key} of the topic is no number"))
        };
        let kept = of_topic("config/retention.bytes")? + of_topic("config/segment.bytes")?;
        let disk = size("KafkaNodePool/broker", "/spec/storage/volumes/0/size")?;
        ensure!(of_topic("partitions")? * kept < disk, "{}: Kafka's disks fill", overlay.display());
        if !overlay.ends_with("production") {
            continue;
        }
        let words = value("Job/migrate", "/spec/template/spec/containers/0/args")?;
        let words = words.as_array().context("no words")?;
        let said = |key: &str| {
            let value = words.iter().find_map(|word| word.as_str()?.strip_prefix(key));
            value.with_context(|| format!("{key} is not said"))
        };
        ensure!(said("--replication=dc1=")? == "3", "not a copy for each node");
        // The busiest hour has ten times the average.
        let average = said("--rate=")?.parse::<u64>()? / 10;
        let days = said("--retention=")?.trim_end_matches('d').parse::<u64>()?;
        let disk = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage";
        let disk = size("StatefulSet/cassandra", disk)?;
        // As much again for compaction.
        let needed = average * DAY * days * IN_CASSANDRA * 2;
        ensure!(needed < disk, "Cassandra needs {needed} bytes of {disk} on each node");
        let of_week = average * DAY * 7 * IN_KAFKA;
        let kept = of_topic("partitions")? * of_topic("config/retention.bytes")?;
        ensure!(of_week < kept, "Kafka keeps less than seven usual days");
    }
    Ok(())
}
