//! Several processes and one store. The tests start this very binary once more, which then plays
//! the other process: see `other_process`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pollster::block_on;
use statetrail_event::State;
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{Counts, EntityFilter, EventStore, TrailQuery};
use support::{batch, stock};

const ROLE: &str = "STATETRAIL_TEST_ROLE";
const STORE: &str = "STATETRAIL_TEST_STORE";
const ENTITIES: u64 = 40;
const BATCHES: u64 = 400;
/// The user that owns nothing, on every Unix.
const NOBODY: u32 = 65_534;

/// Held while a process is started and while an executable is written: a process that starts in
/// the meantime would hold the unfinished executable open for a moment, and it could not be run.
static STARTING: Mutex<()> = Mutex::new(());

/// Plays the role that the environment names; as one of the tests it does nothing.
#[test]
fn other_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let path = std::env::var_os(STORE).unwrap();
    let path = Path::new(&path);
    match role.as_str() {
        "write" => write_batches(path),
        "read-only folder" => use_read_only_folder(path),
        "log left behind" => use_log_left_behind(path),
        _ => panic!("there is no role {role}"),
    }
}

/// A command that plays a role.
fn role(executable: &Path, role: &str, store: &Path) -> Command {
    let mut command = Command::new(executable);
    command.args(["other_process", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(STORE, store);
    command
}

/// Goes on where the store ends: a batch for each line that it reads, after which it says how
/// many there are.
fn write_batches(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    let first = block_on(store.counts()).unwrap().events / ENTITIES;
    for (number, line) in (first..BATCHES).zip(std::io::stdin().lines()) {
        line.unwrap();
        block_on(store.append(&batch(number, ENTITIES))).unwrap();
        println!("\nstored {}", number + 1);
    }
}

struct Writer {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    fn start(store: &Path) -> Writer {
        let this = std::env::current_exe().unwrap();
        let mut command = role(&this, "write", store);
        let starting = STARTING.lock().unwrap();
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        drop(starting);
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let input = process.stdin.take().unwrap();
        Writer { process, input, output }
    }

    /// Lets it store that many batches more.
    fn allow(&mut self, batches: u64) {
        self.input.write_all("\n".repeat(batches as usize).as_bytes()).unwrap();
    }

    /// Waits for the next batch; `None` once the writer has ended.
    fn next_stored(&mut self) -> Option<u64> {
        let mut lines = self.output.by_ref().map(|line| line.unwrap());
        lines.find_map(|line| line.strip_prefix("stored ").map(|number| number.parse().unwrap()))
    }
}

/// All of the first batches are there and nothing else, in every table.
fn assert_whole(store: &SqliteStore, batches: u64) {
    let expected = Counts { entities: ENTITIES, events: batches * ENTITIES };
    assert_eq!(block_on(store.counts()).unwrap(), expected);
    for entity in block_on(store.entities(&EntityFilter::default(), None, usize::MAX)).unwrap() {
        let trail = block_on(store.trail(&entity.name, &TrailQuery::default())).unwrap();
        assert_eq!(trail.len() as u64, batches);
        let mut state = State::new();
        for known in &trail {
            state.apply(known.event.key(), &known.event.changes);
        }
        assert_eq!(entity.state, state);
    }
}

#[test]
fn a_writer_that_is_killed_leaves_whole_batches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut stored = 0;
    for batches_before_the_kill in [1, 2, 30, 70, 90] {
        let mut writer = Writer::start(&path);
        writer.allow(BATCHES);
        let mut acknowledged = stored;
        // It is at work when it is killed, on one of the batches behind.
        writer.allow(batches_before_the_kill + 5);
        for _ in 0..batches_before_the_kill {
            acknowledged = writer.next_stored().unwrap();
        }
        writer.process.kill().unwrap();
        while let Some(number) = writer.next_stored() {
            acknowledged = number;
        }
        writer.process.wait().unwrap();

        let store = SqliteStore::open_read_only(&path).unwrap();
        stored = block_on(store.counts()).unwrap().events / ENTITIES;
        assert!(stored >= acknowledged, "{stored} of {acknowledged} batches are there");
        assert_whole(&store, stored);
    }
    let mut writer = Writer::start(&path);
    writer.allow(BATCHES);
    while writer.next_stored().is_some() {}
    assert!(writer.process.wait().unwrap().success());
    assert_whole(&SqliteStore::open(&path).unwrap(), BATCHES);
}

#[test]
fn a_reader_sees_whole_batches_while_another_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut writer = Writer::start(&path);
    writer.allow(BATCHES);
    writer.next_stored().unwrap();
    let store = SqliteStore::open_read_only(&path).unwrap();
    let mut seen = 0;
    while let Some(acknowledged) = writer.next_stored() {
        let counts = block_on(store.counts()).unwrap();
        assert!(counts.events >= acknowledged * ENTITIES, "what is acknowledged is seen");
        assert_eq!(counts.events % ENTITIES, 0, "no batch is seen in part");
        assert!(counts.events >= seen, "nothing disappears");
        seen = counts.events;
    }
    assert!(writer.process.wait().unwrap().success());
    assert_whole(&store, BATCHES);
}

#[test]
fn two_writers_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut writer = Writer::start(&path);
    writer.allow(BATCHES);
    writer.next_stored().unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let mut number = 0;
    while writer.next_stored().is_some() {
        let other = batch(number, ENTITIES).into_iter().map(|mut known| {
            known.event.entity = stock(number % 3 + 1_000);
            known.event.seq = 1;
            known
        });
        let other: Vec<_> = other.take(1).collect();
        assert_eq!(block_on(store.append(&other)).unwrap().new, 1);
        number += 1;
    }
    assert!(writer.process.wait().unwrap().success());
    let counts = block_on(store.counts()).unwrap();
    let expected =
        Counts { entities: ENTITIES + number.min(3), events: BATCHES * ENTITIES + number };
    assert_eq!(counts, expected);
}

/// As in an import, a batch is ready whenever another one is stored.
#[test]
fn a_writer_that_never_rests_lets_another_one_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let busy = SqliteStore::open(&path).unwrap();
    let (appended, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let same = batch(1, 2_000);
    let write_on = || {
        while !done.load(Ordering::Relaxed) {
            block_on(busy.append(&same)).unwrap();
            appended.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(write_on);
        }
        while appended.load(Ordering::Relaxed) < 4 {
            std::thread::yield_now();
        }
        let write = || block_on(SqliteStore::open(&path)?.append(&batch(2, ENTITIES)));
        let written = write();
        done.store(true, Ordering::Relaxed);
        assert_eq!(written.unwrap().new, ENTITIES);
    });
}

/// Runs a role as somebody who may not write into the store's folder. Root may write anywhere, so
/// root becomes nobody; the executable is copied to where nobody can run it.
fn run_without_write_permission(role_name: &str, store: &Path) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let executable = folder.path().join("test");
    let starting = STARTING.lock().unwrap();
    fs::copy(std::env::current_exe().unwrap(), &executable).unwrap();
    drop(starting);
    fs::set_permissions(&executable, Permissions::from_mode(0o755)).unwrap();

    let store_folder = store.parent().unwrap();
    fs::set_permissions(store_folder, Permissions::from_mode(0o555)).unwrap();
    let mut command = role(&executable, role_name, store);
    command.current_dir("/");
    if is_root(folder.path()) {
        command.uid(NOBODY).gid(NOBODY);
    }
    let starting = STARTING.lock().unwrap();
    let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(starting);
    let output = process.wait_with_output().unwrap();
    fs::set_permissions(store_folder, Permissions::from_mode(0o755)).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

fn is_root(own_folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(own_folder).unwrap().uid() == 0
}

#[test]
fn a_read_only_folder_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store 100%?#.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(&batch(1, ENTITIES))).unwrap();
    drop(store);
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    run_without_write_permission("read-only folder", &path);
}

fn use_read_only_folder(path: &Path) {
    assert_whole(&SqliteStore::open_read_only(path).unwrap(), 1);

    let message = |path: &Path| SqliteStore::open(path).err().unwrap().to_string();
    let existing = message(path);
    assert!(existing.contains("cannot be written"), "{existing}");
    let new = message(&path.with_file_name("new.db"));
    assert!(new.contains("new.db: cannot be opened"), "{new}");
}

#[test]
fn a_log_left_behind_in_a_read_only_folder_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(&batch(1, ENTITIES))).unwrap();
    // As a killed writer leaves them: the file and the log, without the index of the log.
    let left = folder.path().join("left");
    fs::create_dir(&left).unwrap();
    for name in ["store.db", "store.db-wal"] {
        fs::copy(folder.path().join(name), left.join(name)).unwrap();
        fs::set_permissions(left.join(name), Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    run_without_write_permission("log left behind", &left.join("store.db"));
}

fn use_log_left_behind(path: &Path) {
    let error = SqliteStore::open_read_only(path).err().unwrap().to_string();
    assert!(error.contains("writer that was killed"), "{error}");
}
