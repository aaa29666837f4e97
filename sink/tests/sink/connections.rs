//! What is wrong before anything is read: one line that says what, where and what to do, with a
//! code of its own. And what is right: TLS and SCRAM.

use std::path::Path;
use std::process::{Command, Output};

use rustix::process::Signal;
use statetrail_servers::{Cassandra, Kafka, KafkaOptions, Scram};
use statetrail_store::sqlite::SqliteStore;
use tempfile::tempdir;

use crate::support::{Sink, SinkSettings, Store, Topic, assert_stored, events, wait_until};

fn run(arguments: &[&str]) -> Output {
    let mut sink = Command::new(env!("CARGO_BIN_EXE_statetrail-sink"));
    sink.args(arguments).args(["--http-listen", "off"]).env_clear().output().unwrap()
}

/// The exit code and the one line on standard error that is no log line.
fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: Vec<&str> = told.lines().filter(|line| line.starts_with("error: ")).collect();
    let [error] = errors.as_slice() else { panic!("not one line: {told}") };
    (output.status.code(), (*error).to_owned())
}

fn address(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

#[test]
fn what_is_not_there_is_named_with_a_code() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "there", 1);
    let folder = tempdir().unwrap();
    let store = address(&folder.path().join("store.db"));
    let no_folder = address(&folder.path().join("missing/store.db"));
    let no_store = folder.path().join("text.db");
    std::fs::write(&no_store, "this is a text and no database, and long enough to tell").unwrap();
    let no_store = address(&no_store);
    let nodes = Cassandra::shared().unwrap().contact_points().join(",");
    let no_keyspace = format!("cassandra://{nodes}/nowhere");
    let make_it = format!("make it with statetrail migrate --store {no_keyspace}");
    let letters = topic.dead_letter_name();
    let cases = [
        (store.as_str(), "127.0.0.1:1", &*topic.name, &*letters, 10, "Connection refused"),
        (&store, "127.0.0.1:1", &topic.name, &letters, 10, "no broker of 127.0.0.1:1 answers"),
        (
            "cassandra://127.0.0.1:1/trail",
            kafka.brokers(),
            &topic.name,
            &letters,
            13,
            "does not answer: it refused the connection",
        ),
        (&no_keyspace, kafka.brokers(), &topic.name, &letters, 15, &make_it),
        (&store, kafka.brokers(), "nowhere", &letters, 11, "topic nowhere is missing"),
        (
            &no_folder,
            kafka.brokers(),
            &topic.name,
            &letters,
            14,
            "missing/store.db: cannot be opened",
        ),
        (&no_store, kafka.brokers(), &topic.name, &letters, 16, "not a statetrail store"),
    ];
    for (store, brokers, name, letters, code, told) in cases {
        let arguments = [
            "--store",
            store,
            "--kafka-brokers",
            brokers,
            "--kafka-topics",
            name,
            "--dead-letter-topic",
            letters,
            "--startup-timeout",
            "1s",
        ];
        let (exit, error) = failure(&arguments);
        assert_eq!(exit, Some(code), "{error}");
        assert!(error.contains(told), "{error}");
    }
    let unmade = folder.path().join("unmade.db");
    let output = run(&[
        "--store",
        &address(&unmade),
        "--kafka-brokers",
        kafka.brokers(),
        "--kafka-topics",
        &topic.name,
        "--check-connections",
    ]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains(&format!("topic {}: 1 partitions", topic.name)), "{told}");
    assert!(!unmade.exists(), "a check makes no store");
    // Twice, as a check that made the topic would find it the second time.
    for _ in 0..2 {
        let mistyped = [
            "--store",
            &store,
            "--kafka-brokers",
            kafka.brokers(),
            "--kafka-topics",
            &topic.name,
            "--dead-letter-topic",
            "mistyped",
            "--check-connections",
        ];
        let (exit, error) = failure(&mistyped);
        assert_eq!(exit, Some(11), "{error}");
        assert!(error.contains("dead-letter topic mistyped is missing"), "{error}");
    }
}

#[test]
fn an_address_that_is_taken_is_told_before_anything_is_read() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_statetrail-sink"))
        .args(["--store", "sqlite:unmade.db", "--kafka-brokers", "127.0.0.1:1"])
        .args(["--kafka-topics", "trail", "--http-listen", &address])
        .env_clear()
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let error = format!("error: http.listen {address} cannot be used: ");
    assert!(told.lines().any(|line| line.starts_with(&error)), "{told}");
    assert_eq!(output.status.code(), Some(18), "{told}");
}

#[test]
fn a_flag_that_does_not_exist_is_told_in_one_line() {
    let output = run(&["--batch-max-event", "5"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), told.lines().count()), (Some(2), 1), "{told}");
    assert!(told.starts_with("error: unexpected argument '--batch-max-event' found, "), "{told}");
    assert!(told.contains("'--batch-max-events': see statetrail-sink --help"), "{told}");
}

#[test]
fn a_check_reads_the_files_and_asks_kafkas_client() {
    let folder = tempdir().unwrap();
    let (missing, store) = (folder.path().join("missing"), address(&folder.path().join("s.db")));
    let user = format!("cassandra://db/trail?user=u&password_file={}", missing.display());
    let tls = format!("cassandra://db/trail?ca_file={}", missing.display());
    for (store, more, code, told) in [
        (&*user, "", 14, "missing cannot be read"),
        ("cassandra://db/trail?user=u", "", 14, "STATETRAIL_CASSANDRA_PASSWORD"),
        (&*tls, "", 14, "missing cannot be used for TLS"),
        (&*store, "transactional.id=x", 2, "dead letters are sent one by one"),
        // Each by itself is right.
        (&*store, "session.timeout.ms=600000,max.poll.interval.ms=1000", 2, "kafka consumer: "),
    ] {
        let mut arguments = vec!["--check", "--store", store];
        arguments.extend(["--kafka-brokers", "k:9092", "--kafka-topics", "events"]);
        for property in more.split(',').filter(|it| !it.is_empty()) {
            arguments.extend(["--kafka-property", property]);
        }
        let (ended, error) = failure(&arguments);
        assert_eq!(ended, Some(code), "{error}");
        assert!(error.contains(told), "no {told:?} in: {error}");
    }
}

#[test]
fn a_store_of_another_version_is_refused() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "version", 1);
    let folder = tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(SqliteStore::open(&path).unwrap());
    // Where SQLite keeps the number that a program gives its form.
    let mut file = std::fs::read(&path).unwrap();
    file[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&path, file).unwrap();
    let (code, error) = failure(&[
        "--store",
        &address(&path),
        "--kafka-brokers",
        kafka.brokers(),
        "--kafka-topics",
        &topic.name,
    ]);
    assert_eq!(code, Some(16), "{error}");
    assert!(error.contains("has format 99"), "{error}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let kafka = Kafka::shared().unwrap();
    let topic = Topic::new(kafka.brokers(), "twice", 1);
    // It takes no message, so that there is something left to do.
    let closed = Topic::with(kafka.brokers(), "closed-twice", 1, &[("max.message.bytes", "50")]);
    let store = Store::sqlite();
    topic.send(None, Some(b"poison"), &[]);
    topic.flush();
    let settings = SinkSettings::new(&topic, &store).with(&[
        "--dead-letter-topic",
        &closed.dead_letter_name(),
        "--drain-timeout=10m",
    ]);
    let sink = Sink::start_ready(&settings);
    wait_until("the letter is on its way", || sink.metric("sink_messages_total") >= 1.0);
    sink.signal(Signal::TERM);
    wait_until("it stops", || sink.log().contains("stopping"));
    sink.signal(Signal::TERM);
    assert_eq!(sink.wait().code, Some(130));
}

#[test]
fn tls_and_scram() {
    let scram = Scram { user: "ann".to_owned(), password: "correct".to_owned() };
    let options = KafkaOptions { scram: Some(scram), tls: true, ..KafkaOptions::default() };
    let kafka = Kafka::start_with(&options).unwrap();
    let topic = Topic::new(kafka.brokers(), "secure", 1);
    let folder = tempdir().unwrap();
    topic.produce(&events(0..10));
    let right = folder.path().join("right");
    let wrong = folder.path().join("wrong");
    std::fs::write(&right, "correct\n").unwrap();
    std::fs::write(&wrong, "mistaken\n").unwrap();
    let user = |password: &Path| {
        [
            "--kafka-security-sasl-mechanism=SCRAM-SHA-512".to_owned(),
            "--kafka-security-sasl-username=ann".to_owned(),
            format!("--kafka-security-sasl-password-file={}", password.display()),
        ]
    };
    let trust = [format!("--kafka-security-tls-ca-file={}", kafka.ca_pem().unwrap().display())];
    let mistrust = ["--kafka-security-tls-enabled=true".to_owned()];
    // Properties of Kafka's client hold for all of its connections.
    let unverified = [
        mistrust[0].clone(),
        "--kafka-property=enable.ssl.certificate.verification=false".to_owned(),
    ];

    let scram_brokers = kafka.scram_brokers().unwrap();
    let tls_brokers = kafka.tls_brokers().unwrap();
    let right_user = user(&right);
    let good: [(&str, &[String]); 3] =
        [(&scram_brokers, &right_user), (&tls_brokers, &trust), (&tls_brokers, &unverified)];
    for (index, (brokers, flags)) in good.into_iter().enumerate() {
        let store = Store::sqlite();
        let group = format!("--kafka-group=secure-{index}");
        let mut settings = SinkSettings::new(&topic, &store).with(&[&group]);
        settings.brokers = brokers.to_owned();
        settings.more.extend(flags.iter().cloned());
        let sink = Sink::start_ready(&settings);
        assert_stored(&store, &events(0..10));
        assert_eq!(sink.stop().code, Some(0));
    }
    let wrong_user = user(&wrong);
    let bad: [(&str, &[String]); 2] = [(&scram_brokers, &wrong_user), (&tls_brokers, &mistrust)];
    for (brokers, flags) in bad {
        let store = address(&folder.path().join("bad.db"));
        let mut arguments =
            vec!["--store", &store, "--kafka-brokers", brokers, "--kafka-topics", &topic.name];
        arguments.extend(flags.iter().map(String::as_str));
        let (exit, error) = failure(&arguments);
        assert_eq!(exit, Some(12), "{error}");
        assert!(error.contains("does not let us in") && !error.contains("mistaken"), "{error}");
    }
}
