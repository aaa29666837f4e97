//! The Job that puts the sinks' group back to a moment, `k8s/jobs/reset-offsets`: the script in it, with Kafka's
//! own tool and a real Kafka.

use std::fs::{self, Permissions};
use std::iter;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};
use statetrail_servers::{Kafka, KafkaOptions};
use tempfile::{TempDir, tempdir};

use crate::support::{Sink, SinkSettings, Store, Topic, assert_stored, events};

const MANIFEST: &str = include_str!("../../../k8s/jobs/reset-offsets/reset-offsets.yaml");

/// 2026-11-22T10:00:00Z.
const TO: &str = "2026-11-22T10:00:00.000+00:00";
const TO_MILLIS: i64 = 1_795_341_600_000;

#[test]
fn the_job_puts_the_group_back_to_a_moment() {
    let kafka = Kafka::start_with(&KafkaOptions { tls: true, ..KafkaOptions::default() }).unwrap();
    let topic = Topic::with(kafka.brokers(), "reset", 3, &[("retention.ms", "-1")]);
    let (before, since) = (events(0..100), events(100..200));
    topic.produce_at(Some(TO_MILLIS - 1), &before);
    topic.produce_at(Some(TO_MILLIS), &since);
    let first = Store::sqlite();
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &first));
    assert_stored(&first, &[before, since.clone()].concat());
    topic.wait_until_committed();
    assert_eq!(sink.stop().code, Some(0));

    let job = Job::of(&kafka, &topic);
    let told = job.run("--dry-run");
    assert!(told.contains("NEW-OFFSET"), "{told}");
    assert!(topic.committed().iter().all(|(committed, end)| committed == end), "a dry run");
    job.run("--execute");
    assert!(topic.committed().iter().any(|(committed, end)| committed < end));
    let second = Store::sqlite();
    let sink = Sink::start_ready(&SinkSettings::new(&topic, &second));
    topic.wait_until_committed();
    assert_eq!(sink.stop().code, Some(0));
    assert_stored(&second, &since);
}

/// Where the Job finds its files, below a folder here.
const FOLDERS: [&str; 4] = ["opt/kafka/bin", "run/kafka", "etc/client", "tmp"];

/// The Job's script, with what is elsewhere in a test: the brokers, the group, the topic and the files.
struct Job {
    script: String,
    folder: TempDir,
}

impl Job {
    fn of(kafka: &Kafka, topic: &Topic) -> Job {
        let resources: Vec<Value> = serde_saphyr::from_multiple(MANIFEST).unwrap();
        let find = |kind: &str| resources.iter().find(|it| it["kind"] == kind).unwrap();
        let container = &find("Job")["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["command"], json!(["/bin/sh", "-ec"]));

        let folder = tempdir().unwrap();
        for name in FOLDERS {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let (key, password) = kafka.keystore().unwrap();
        fs::copy(key, folder.path().join("run/kafka/user.p12")).unwrap();
        fs::copy(kafka.ca_pem().unwrap(), folder.path().join("run/kafka/ca.crt")).unwrap();
        write("run/kafka/user.password", password);
        let properties = find("ConfigMap")["data"]["client.properties"].as_str().unwrap();
        write("etc/client/client.properties", &here(properties, &["run/kafka"]));
        let tool =
            kafka.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand").unwrap();
        let tool_file = "opt/kafka/bin/kafka-consumer-groups.sh";
        write(tool_file, &shell_script(&tool));
        let runs = Permissions::from_mode(0o755);
        fs::set_permissions(folder.path().join(tool_file), runs).unwrap();

        let script = here(container["args"][0].as_str().unwrap(), &FOLDERS);
        let tls = kafka.tls_brokers().unwrap();
        let script = replaced(&script, "kafka-kafka-bootstrap:9093", &tls);
        let script =
            replaced(&script, "--group statetrail-sink", &format!("--group {}", topic.name));
        let script = replaced(&script, "--topic events", &format!("--topic {}", topic.name));
        Job { script, folder }
    }

    /// What it prints.
    fn run(&self, mode: &str) -> String {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-ec", &self.script]).env("TO", TO).env("MODE", mode);
        let output = shell.current_dir(self.folder.path()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        told
    }
}

/// With paths from the folder in which it is run.
fn here(text: &str, folders: &[&str]) -> String {
    let in_folder =
        |text: String, name: &&str| replaced(&text, &format!("/{name}/"), &format!("{name}/"));
    folders.iter().fold(text.to_owned(), in_folder)
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no {from} in\n{text}");
    text.replace(from, to)
}

/// A script that runs a command with further arguments.
fn shell_script(command: &Command) -> String {
    let words = iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "))
}
