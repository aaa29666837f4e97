//! Wrong input of every kind: a clear message, the right exit code, nothing lost, no panic.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Answer, LOG, Place, RULES, gzip};

fn import(place: &Place, file: &str) -> Answer {
    place.run(["import", "--rules", "rules.yaml", file])
}

#[test]
fn logs_that_cannot_be_read() {
    let place = Place::new();
    fs::create_dir(place.path("folder")).unwrap();
    place.write("binary", b"\x7fELF\0\0");
    place.write("packed.xz", b"\xfd7zXZ\0data");
    for (file, expected) in [
        ("none.log", "none.log: there is no such file"),
        ("folder", "folder is a directory; name the files in it, such as folder/*.log"),
        ("binary", "binary is not a text: there is a NUL byte at byte 4"),
        ("packed.xz", "xz -dc packed.xz | statetrail import --rules RULES -"),
    ] {
        import(&place, file).expect_code(1).expect_error(expected);
    }
}

#[test]
fn all_missing_files_are_told_and_nothing_is_imported() {
    let place = Place::new();
    place.write("app.log", LOG);
    let answer = place.run(["import", "--rules", "rules.yaml", "a.log", "app.log", "b.log"]);
    answer.expect_code(1).expect_error("a.log: there").expect_error("b.log: there");
    assert!(!place.path("store.db").exists());
}

#[test]
fn a_log_that_breaks_off_does_not_keep_others_out() {
    let place = Place::new();
    place.write("binary", b"\0");
    let packed = gzip(LOG.as_bytes());
    place.write("cut.gz", &packed[..packed.len() - 9]);
    place.write("more.log", "2026-11-22 11:00:00 order o-9 placed amount=9 by ann\n");
    let files = ["import", "--rules", "rules.yaml", "binary", "cut.gz", "more.log"];
    let cut = format!("cut.gz ends in the middle of its gzip data at byte {}", packed.len() - 9);
    place.run(files).expect_code(1).expect_error(&cut).expect_error("binary is not a text");
    let counts = place.counts();
    assert!(counts.events >= 2, "{counts:?}");
    place.write("cut.gz", &packed);
    place.run(["import", "--rules", "rules.yaml", "cut.gz"]).expect_code(0);
    assert_eq!(place.counts().events, 9);
}

#[test]
fn rules_that_cannot_be_used() {
    let place = Place::new();
    place.write("app.log", LOG);
    place.write("broken.yaml", RULES.replace("match:", "mach:"));
    place.write("latin1.yaml", b"namespaces: [\xe9]");
    fs::create_dir(place.path("empty")).unwrap();
    for (rules, expected) in [
        ("none.yaml", "there is no such rule file or folder"),
        ("empty", "holds no rule file"),
        ("broken.yaml", "did you mean `match`?"),
        ("latin1.yaml", "must be UTF-8"),
    ] {
        let answer = place.run(["import", "--rules", rules, "app.log"]);
        answer.expect_code(1).expect_error(expected);
    }
}

/// What is asked for and cannot be had is refused before anything is done, not passed over.
#[test]
fn options_without_meaning_are_refused() {
    let place = Place::with_log();
    let json = ["-o", "json"];
    for (command, form, why) in [
        (&["completions", "bash"][..], "json", "completions are a script of the shell"),
        (&["rules", "schema"], "csv", "a schema is JSON"),
        (&["rules", "fmt", "-"], "jsonl", "what is formatted is a rule file"),
        (&["rules", "check", "rules.yaml", "--github"], "json", "annotations of GitHub"),
        (&["token", "--name", "x"], "csv", "the answer is one document, not rows"),
        (&["serve"], "csv", "the answer is one document, not rows"),
        (&["canary", "--log", "canary.log"], "csv", "the answer is one document, not rows"),
        (&["dlq", "show", "0:17", "--brokers", "127.0.0.1:1"], "csv", "the answer is one document"),
    ] {
        let answer = place.run([command, &["--output", form]].concat()).expect_code(2);
        let answer = answer.expect_error(&format!("--output {form} is not possible here: {why}"));
        assert_eq!(answer.out, "", "{command:?}");
    }
    assert!(!place.path("canary.log").exists());
    let schema = place.run([&["rules", "schema"][..], &json].concat()).expect_code(0);
    assert_eq!(schema.json()["type"], "object");

    let shown = ["rules", "try", "rules.yaml", "app.log", "--show", "3"];
    place.run(shown).expect_code(0);
    place
        .run([&shown[..], &json].concat())
        .expect_code(2)
        .expect_error("--show has no meaning with --output json")
        .expect_error("every line is in the answer");
    for unknown in [&["rules", "try", "rules.yaml", "--shown", "3"][..], &["ls", "-o", "xml"]] {
        let word = if unknown[0] == "ls" { "'xml'" } else { "'--shown'" };
        place.run(unknown).expect_code(2).expect_error(word);
    }
}

#[test]
fn stores_that_cannot_be_used() {
    let place = Place::with_log();
    place.write("text.db", "this is no database, whatever its name says");
    place.write("file", "");
    for (store, code, expected) in [
        ("postgres://x", 2, "unknown kind of store \"postgres\""),
        ("store.db", 2, "write --store sqlite:store.db"),
        ("sqlite:", 2, "the path is missing"),
        ("sqlite:none.db", 5, "there is no store"),
        ("sqlite:text.db", 5, "text.db"),
        ("sqlite:file/store.db", 5, "file/store.db: cannot be opened: Not a directory"),
    ] {
        let answer = place.run(["ls", "--store", store]).expect_code(code);
        answer.expect_error(expected);
    }
    for store in ["sqlite:text.db", "sqlite:file/store.db"] {
        let args = ["import", "--rules", "rules.yaml", "app.log", "--store", store];
        place.run(args).expect_code(5).expect_error("error:");
    }
}

#[test]
fn an_entity_without_a_name() {
    let place = Place::with_log();
    for command in [&["show", ""][..], &["log", ""], &["blame", ""], &["diff", "o-1042", ""]] {
        place.run(command).expect_code(2).expect_error("a value is required");
    }
}

#[test]
fn a_store_of_another_version() {
    let place = Place::with_log();
    set_user_version(&place.path("store.db"), 9_999);
    place.run(["ls"]).expect_code(5).expect_error("use a newer statetrail");
    import(&place, "app.log").expect_code(5).expect_error("use a newer statetrail");
}

#[test]
fn a_damaged_store_is_not_to_be_completed() {
    let place = Place::with_log();
    let mut bytes = fs::read(place.path("store.db")).unwrap();
    // All pages but the first, which tells what the file is.
    bytes[16_384..].fill(0);
    fs::write(place.path("store.db"), bytes).unwrap();
    let answer = import(&place, "app.log").expect_code(5);
    let answer =
        answer.expect_error("damaged").expect_error("import the logs again into a new one");
    assert!(!answer.err.contains("complete it"), "{}", answer.err);
}

#[test]
fn a_settings_file_that_cannot_be_read_is_all_that_is_told() {
    let answer = Place::new().run(["dlq", "ls", "--kafka-config", "none.toml"]).expect_code(2);
    let answer = answer.expect_error("none.toml: the file cannot be read");
    assert!(!answer.err.contains("missing"), "{}", answer.err);
}

/// The format's number stands in the header of every SQLite file, big-endian at byte 60.
fn set_user_version(path: &Path, version: u32) {
    let mut bytes = fs::read(path).unwrap();
    bytes[60..64].copy_from_slice(&version.to_be_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn commands_that_are_typed_wrongly() {
    let place = Place::with_log();
    for (args, expected) in [
        (&["show"][..], "ENTITY"),
        (&["import", "app.log"], "--rules"),
        (&["show", "o-1042", "--at", "soon"], "is no moment that I can read"),
        (&["show", "o-1042", "--at", "2026-02-30"], "no such date"),
        (&["log", "o-1042", "--since", "15m"], "--since"),
        (&["events", "--until", "x"], "--until"),
        (&["diff", "o-1042", "--from", "x"], "--from"),
        (&["show", "o-1042", "--tz", "Europe/Atlantis"], "no time zone"),
        (&["show", "o-1042", "--utc", "--tz", "UTC"], "cannot be used with"),
        (&["find", "order", "--where", "status=="], "where \"=\" is meant"),
        (&["find", "a/b/c"], "namespace/type"),
        (&["ls", "--output", "xml"], "xml"),
        (&["import", "--rules", "rules.yaml", "app.log", "--time-format", "iso"], "datetime"),
        (&["fly"], "fly"),
    ] {
        place.run(args).expect_code(2).expect_error(expected);
    }
}

/// A small file system of its own needs root. Where that is not to be had, the test says so.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_that_was_stored() {
    let place = Place::new();
    let disk = place.path("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=40m", "tmpfs"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("SKIPPED: a full disk needs a small tmpfs, and mount is not allowed here");
        return;
    }
    let lines: String = (0..200_000)
        .map(|n| format!("{} order o-{n} placed amount=1 by ann\n", 1_795_341_600 + n))
        .collect();
    place.write("app.log", lines);
    let store = ["--store", "sqlite:disk/store.db"];
    let args = ["import", "--rules", "rules.yaml", "app.log", "-o", "json"];
    let args = [&args[..], &store[..]].concat();
    let first = place.run(args.clone());
    let again = place.run(args);
    let listed = place.run([&["ls", "-o", "jsonl"], &store[..]].concat());
    let unmounted = Command::new("umount").arg(&disk).status().unwrap();
    assert!(unmounted.success());
    let first =
        first.expect_code(5).expect_error("the disk is full").expect_error("import again").json();
    assert_eq!(first["logs"][0]["extent"], "part");
    // What was read and could not be stored is not counted, neither as lines nor by rule.
    assert_eq!(first["rules"][0]["lines"], first["matched"]);
    again.expect_code(5).expect_error("the disk is full");
    assert!(!listed.expect_code(0).json_lines().is_empty());
}

/// Root may write everywhere, so for root the command runs as nobody in particular.
#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let place = Place::with_log();
    let folder = place.path("closed");
    fs::create_dir(&folder).unwrap();
    fs::copy(place.path("store.db"), folder.join("store.db")).unwrap();
    let everyone = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    everyone(&place.path(""), 0o755);
    everyone(&folder.join("store.db"), 0o444);
    fs::copy(place.path("store.db"), folder.join("secret.db")).unwrap();
    everyone(&folder.join("secret.db"), 0o000);
    everyone(&folder, 0o555);
    let is_root = fs::write(folder.join("probe"), "").is_ok();
    let as_nobody = |args: &[&str]| {
        let mut command = place.command(args);
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        command.output().ok().map(Answer::of)
    };
    if is_root {
        fs::remove_file(folder.join("probe")).unwrap();
    }
    if as_nobody(&["--version"]).is_none_or(|answer| answer.code != Some(0)) {
        eprintln!("SKIPPED: a folder that is closed to nobody; nobody may not run the binary here");
        everyone(&folder, 0o755);
        return;
    }
    let as_nobody = |args: &[&str]| as_nobody(args).expect("it ran before");
    for (store, expected) in
        [("sqlite:closed/store.db", "store.db"), ("sqlite:closed/new.db", "Permission denied")]
    {
        let args = ["import", "--rules", "rules.yaml", "app.log", "--store", store];
        as_nobody(&args).expect_code(5).expect_error(expected);
    }
    let nested = ["import", "--rules", "rules.yaml", "app.log", "--store", "sqlite:closed/a/b.db"];
    as_nobody(&nested).expect_code(5).expect_error("cannot be created");
    as_nobody(&["ls", "--store", "sqlite:closed/store.db"]).expect_code(0);
    let secret = ["--store", "sqlite:closed/secret.db"];
    for command in [&["ls"][..], &["import", "--rules", "rules.yaml", "app.log"]] {
        let answer = as_nobody(&[command, &secret].concat()).expect_code(5);
        let denied = "closed/secret.db: cannot be opened: Permission denied";
        answer.expect_error(denied);
    }
    everyone(&folder, 0o755);
}

/// The import reads a pipe that never ends, so nothing but the signal can end it.
#[cfg(unix)]
#[test]
fn ctrl_c_in_the_middle_keeps_what_is_stored_and_importing_again_completes_it() {
    let place = Place::new();
    let line = |n: u64| format!("{} order o-{n} placed amount=1 by ann\n", 1_795_341_600 + n);
    let mut command = place.command([
        "import",
        "--rules",
        "rules.yaml",
        "-",
        "--progress",
        "lines",
        "-o",
        "json",
    ]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        let mut fed = String::new();
        for n in 0.. {
            let line = line(n);
            fed.push_str(&line);
            if stdin.write_all(line.as_bytes()).is_err() {
                break;
            }
        }
        fed
    });
    let report = Answer::of_interrupted_import(child).json();
    assert_eq!(report["interrupted"], true);
    let stored = place.counts().events;
    assert_eq!(report["events_new"], stored);
    assert!(stored > 0);
    let fed = feeder.join().unwrap();
    place.write("all.log", &fed);
    let report = place.run(["import", "--rules", "rules.yaml", "all.log", "-o", "json"]);
    let report = report.expect_code(0).json();
    assert_eq!(report["events_known"], stored);
    assert_eq!(place.counts().events, fed.lines().count() as u64);
}

/// Whoever pipes a live log into an import sees each line stored before the next one is written,
/// and loses nothing that was written when it is ended.
#[cfg(unix)]
#[test]
fn lines_of_a_slow_pipe_are_stored_before_the_next_ones_come() {
    let place = Place::new();
    let args = ["import", "--rules", "rules.yaml", "-", "--progress", "lines", "-o", "json"];
    let mut command = place.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
    for number in 1..=3 {
        let time = 1_795_341_600 + number;
        let line = format!("{time} order o-{number} placed amount=1 by ann\n");
        stdin.write_all(line.as_bytes()).unwrap();
        let told = progress.next().unwrap().unwrap();
        assert!(told.starts_with("imported "), "{told}");
        assert_eq!(place.counts().events, number);
    }
    let ended = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(ended.unwrap().success());
    let report = Answer::of(child.wait_with_output().unwrap()).expect_code(130).json();
    assert_eq!(report["events_new"], 3);
    assert_eq!(place.counts().events, 3);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let place = Place::with_log();
    for args in [
        &["events"][..],
        &["events", "-o", "csv"],
        &["ls", "-o", "json"],
        &["show", "o-1042"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = place.command(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let answer = Answer::of(output).expect_code(0);
        assert_eq!(answer.err, "", "{args:?}");
    }
}

#[test]
fn two_rule_files_of_the_same_name_are_refused() {
    let place = Place::new();
    place.write("app.log", LOG);
    place.write("a/rules.yaml", RULES);
    for command in [
        &["import", "--rules", "a", "--rules", ".", "app.log"][..],
        &["rules", "check", "a", "rules.yaml"],
    ] {
        let told = place.run(command).expect_code(1);
        let told = told.err + &told.out;
        assert!(told.contains("rules.yaml:1:1") && told.contains("a/rules.yaml"), "{told}");
        assert!(told.contains("another name"), "{told}");
    }
    // One file is no two files, however it is written.
    let twice = ["import", "--rules", "./rules.yaml", "--rules", "a/../rules.yaml", "app.log"];
    place.run(twice).expect_code(0);
}
