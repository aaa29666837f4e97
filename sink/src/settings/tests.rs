//! Faults of settings: each told with its place, all in one run.

use std::path::PathBuf;

use super::layers::Layers;
use super::{Settings, show};
use crate::args;

const GOOD: &str = r#"
store = "sqlite:trail.db"
commit_interval = "2s"
[kafka]
brokers = ["a:9092", "b:9092"]
topics = "events"
[kafka.properties]
fetch.wait.max.ms = 50
"#;

fn of_file(text: &str) -> Layers {
    let mut layers = Layers::of_defaults();
    layers.add_file("sink.toml", text);
    layers
}

fn faults(text: &str) -> Vec<String> {
    Settings::check(of_file(text)).unwrap_err()
}

#[test]
fn a_file_gives_settings() {
    let settings = Settings::check(of_file(GOOD)).unwrap();
    assert_eq!(settings.kafka.brokers, "a:9092,b:9092");
    assert_eq!(settings.kafka.topics, ["events"]);
    assert_eq!(settings.kafka.properties["fetch.wait.max.ms"], "50");
    assert_eq!(settings.commit_interval.as_secs(), 2);
    assert_eq!(settings.dead_letter_topic("events"), "events.dead-letter");
    assert_eq!((settings.budget, settings.batch.events), (12 << 20, 12_000));
}

#[test]
fn a_file_that_is_not_understood_is_the_only_fault() {
    let faults = faults("store = ");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("sink.toml:1: not TOML: "), "{faults:?}");
}

#[test]
fn flags_and_variables_are_named_once() {
    let mut layers = of_file(GOOD);
    layers.set("store", "trail.db", "--store");
    layers.set("batch.max_events", "0", "STATETRAIL_SINK_BATCH_MAX_EVENTS");
    let faults = Settings::check(layers).unwrap_err();
    let expected = [
        "--store: trail.db: the kind of store is missing; a store is sqlite:PATH or \
         cassandra://HOST:PORT/KEYSPACE",
        "STATETRAIL_SINK_BATCH_MAX_EVENTS is \"0\": not a whole number above 0",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn every_fault_is_told_with_its_place() {
    for (text, expected) in [
        ("stor = 1", "sink.toml:1: unknown setting stor, did you mean store?"),
        (
            "\n[kafka]\nbroker = 'x'",
            "sink.toml:3: unknown setting kafka.broker, did you mean kafka.brokers?",
        ),
        ("zzz = 1", "sink.toml:1: unknown setting zzz"),
        ("kafka = 5", "sink.toml:1: unknown setting kafka"),
        ("a = = 1", "sink.toml:1: not TOML: "),
        ("store = 'redis:x'", "sink.toml:1: store: redis:x: unknown kind of store \"redis\""),
        ("store = { a = 1 }", "sink.toml:1: store has no value of that kind"),
        ("commit_interval = 5", "sink.toml:1: commit_interval is \"5\": not a duration"),
        (
            "batch.max_events = 0",
            "sink.toml:1: batch.max_events is \"0\": not a whole number above 0",
        ),
        ("memory.budget = '1MiB'", "sink.toml:1: memory.budget: below two times batch.max_bytes"),
        ("kafka.topics = 'a b'", "\"a b\" is no topic"),
        ("kafka.topics = ['^x.*']", "\"^x.*\" is no topic"),
        (
            "kafka.brokers = 'b:1'\nkafka.topics = 't'\ndead_letter.topic = 't'",
            "the dead letters of t would be read as events again",
        ),
        ("http.listen = '9464'", "not an address such as 0.0.0.0:9464"),
        ("log.level = 'loud'", "none of error, warn, info, debug"),
        ("kafka.security.tls.ca_file = '/no/such'", "the file cannot be read"),
        (
            "kafka.security.sasl.username = 'u'",
            "kafka.security.sasl.username is set, so kafka.security.sasl.mechanism has to be set too",
        ),
        ("kafka.security.sasl.mechanism = 'GSSAPI'", "none of SCRAM-SHA-512"),
        ("kafka.properties.'group.id' = 'x'", "group.id cannot be set: say it with kafka.group"),
        (
            "kafka.properties.enable.auto.commit = true",
            "enable.auto.commit cannot be set: the sink itself commits",
        ),
        ("kafka.properties.'sasl.password' = 'x'", "sasl.password cannot be set: name a file"),
        ("kafka.properties.'no.such' = 'x'", "No such configuration property"),
        ("kafka.properties.'fetch.wait.max.ms' = 'x'", "fetch.wait.max.ms"),
    ] {
        let faults = faults(text);
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{text}: {faults:#?}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let faults = faults("commit_interval = 'x'\nlog.level = 'y'\nunknown = 1\n");
    for part in [
        "commit_interval",
        "log.level",
        "unknown",
        "store is missing",
        "kafka.brokers is missing",
        "kafka.topics is missing",
    ] {
        assert!(faults.iter().any(|fault| fault.contains(part)), "{part}: {faults:#?}");
    }
    assert_eq!(faults.len(), 6, "{faults:#?}");
    let missing = faults.iter().find(|fault| fault.contains("brokers")).unwrap();
    assert!(
        missing.contains("--kafka-brokers") && missing.contains("STATETRAIL_SINK_KAFKA_BROKERS")
    );
}

#[test]
fn flags_come_before_variables_and_variables_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sink.toml");
    std::fs::write(&file, GOOD).unwrap();
    let variables = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    let file_text = file.display().to_string();
    let check = |flags: &[&str], pairs: &[(&str, &str)]| {
        let words = ["statetrail-sink"].iter().chain(flags).map(std::ffi::OsString::from);
        let mut pairs = pairs.to_vec();
        pairs.push(("STATETRAIL_SINK_CONFIG", &file_text));
        Settings::check(args::parse(words, || variables(&pairs)).unwrap().layers)
    };
    assert_eq!(check(&[], &[]).unwrap().kafka.group, "statetrail-sink");
    let variable = [("STATETRAIL_SINK_KAFKA_TOPICS", "v1,v2"), ("PATH", "/bin")];
    assert_eq!(check(&[], &variable).unwrap().kafka.topics, ["v1", "v2"]);
    assert_eq!(check(&["--kafka-topics=f"], &variable).unwrap().kafka.topics, ["f"]);
    let wrong = check(&[], &[("STATETRAIL_SINK_KAFKA_TOPIC", "x")]).unwrap_err();
    let hint =
        "unknown variable STATETRAIL_SINK_KAFKA_TOPIC, did you mean STATETRAIL_SINK_KAFKA_TOPICS?";
    assert_eq!(wrong, [hint]);
    let wrong = check(&["--commit-interval=0s"], &[]).unwrap_err();
    assert!(wrong[0].starts_with("--commit-interval is \"0s\""), "{wrong:?}");
    let property = check(&["--kafka-property=fetch.wait.max.ms=7"], &[]).unwrap();
    assert_eq!(property.kafka.properties["fetch.wait.max.ms"], "7");
}

#[test]
fn secrets_are_read_from_files_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    let write = |text: &str| std::fs::write(&password, text).unwrap();
    let path = |path: &PathBuf| path.display().to_string();
    let text = format!(
        "{GOOD}'ssl.keystore.password' = 'hidden'\n[kafka.security.sasl]\nmechanism = 'PLAIN'\n\
         username = 'u'\npassword_file = '{}'\n",
        path(&password)
    );
    assert!(faults(&text).iter().any(|fault| fault.contains("the file cannot be read")));
    write("\n");
    assert!(faults(&text).iter().any(|fault| fault.contains("the file is empty")));
    write("s3cret\n");
    let settings = Settings::check(of_file(&text)).unwrap();
    assert_eq!(settings.kafka.sasl.as_ref().unwrap().password.reveal(), "s3cret");
    assert!(!format!("{settings:?}").contains("s3cret"));
    let shown = show(&of_file(&text));
    assert!(shown.contains("\"***\"") && !shown.contains("hidden") && !shown.contains("s3cret"));

    let wrong = "store = 'cassandra://u:s3cret@host/k'";
    assert!(!faults(wrong).iter().any(|fault| fault.contains("s3cret")), "{:?}", faults(wrong));
}

#[test]
fn what_is_shown_gives_the_same_settings_again() {
    let first = Settings::check(of_file(GOOD)).unwrap();
    let again = Settings::check(of_file(&show(&of_file(GOOD)))).unwrap();
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
}
