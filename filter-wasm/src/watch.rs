//! Sees when rule files change, so that they take force without a restart.
//!
//! Looking means to read every file: two versions may have the same size and the same time (files
//! of images all have one time), so only their content tells. That is done every few seconds, and
//! the time is asked for only when it may have passed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use statetrail_rules::RuleText;
use xxhash_rust::xxh64::xxh64;

use crate::rule_folders::{FileProblem, RuleFiles, read_rule_files};

/// How long a change may go unseen. One that is still being written is taken at the look after
/// the one that saw it first, so that twice this is the longest that a change waits.
pub const LOOK_EVERY: Duration = Duration::from_secs(4);
/// A file that was written within this time before it is read may be written to still.
const BEING_WRITTEN: Duration = Duration::from_secs(1);
/// After so many records the time is asked for even if all of them have the same second.
const RECORDS_MAX: u32 = 64;

/// Watches the rule files of some folders.
#[derive(Debug, Default)]
pub struct Watch {
    folders: Vec<PathBuf>,
    /// The second of the last record, and how many records had it since the time was asked for.
    second: u32,
    records: u32,
    looked: Option<SystemTime>,
    /// What is in force, and what the last look saw.
    in_force: u64,
    seen: u64,
    /// The names of the files in force, and those of them that the last look did not see.
    names: BTreeSet<String>,
    missing: BTreeSet<String>,
}

impl Watch {
    /// Reads the files for the first time.
    pub fn begin(folders: Vec<PathBuf>, now: SystemTime) -> (Watch, RuleFiles) {
        let files = read_rule_files(&folders);
        let seen = fingerprint(&files);
        let mut watch =
            Watch { folders, looked: Some(now), in_force: seen, seen, ..Watch::default() };
        watch.keep_names(&files);
        (watch, files)
    }

    /// The folders that are watched.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Whether so much time may have passed that it is worth asking for it. Records carry
    /// seconds, which are free; a record's time need not be the time of day, so they tell only
    /// that time passes. To be called for every record.
    pub fn time_may_have_passed(&mut self, second: u32) -> bool {
        self.records += 1;
        if second == self.second && self.records < RECORDS_MAX {
            return false;
        }
        self.second = second;
        self.records = 0;
        true
    }

    /// Returns the files if they are others than those in force, have been written to the end,
    /// and it is time to look. They count as in force from then on. That a file is gone is believed
    /// when a second look says so: some programs write by removing first.
    pub fn look(&mut self, now: SystemTime) -> Option<RuleFiles> {
        let passed = self.looked.map(|looked| now.duration_since(looked));
        // A clock that was set back says nothing about how much time has passed.
        if matches!(passed, Some(Ok(passed)) if passed < LOOK_EVERY) {
            return None;
        }
        self.looked = Some(now);
        let files = read_rule_files(&self.folders);
        let seen = fingerprint(&files);
        let seen_before = std::mem::replace(&mut self.seen, seen) == seen;
        if seen == self.in_force {
            self.missing.clear();
            return None;
        }
        let missing_still = self.look_for_missing(&files);
        if !(seen_before || (is_at_rest(&files, now) && missing_still)) {
            return None;
        }
        self.in_force = seen;
        self.keep_names(&files);
        Some(files)
    }

    /// Whether every file that is missing was so at the look before.
    fn look_for_missing(&mut self, files: &RuleFiles) -> bool {
        let seen: BTreeSet<&str> = files.texts.iter().map(|file| &*file.name).collect();
        let missing = |name: &&String| !seen.contains(name.as_str()) && !files.is_unread(name);
        let missing: BTreeSet<String> = self.names.iter().filter(missing).cloned().collect();
        let before = std::mem::replace(&mut self.missing, missing);
        self.missing.is_subset(&before)
    }

    /// Notes which files are in force: also those of before that could not be read.
    fn keep_names(&mut self, files: &RuleFiles) {
        self.names.retain(|name| files.is_unread(name));
        self.names.extend(files.texts.iter().map(|file| file.name.clone()));
        self.missing.clear();
    }
}

/// Whether all files have been left alone for a while.
fn is_at_rest(files: &RuleFiles, now: SystemTime) -> bool {
    let age = |written: SystemTime| now.duration_since(written).ok();
    files.newest.is_none_or(|newest| age(newest).is_some_and(|age| age >= BEING_WRITTEN))
}

/// A number that is another one when a file has another content, appears or goes. A sum, because
/// folders list their files in any order.
fn fingerprint(files: &RuleFiles) -> u64 {
    let of_text = |file: &RuleText| xxh64(file.text.as_bytes(), xxh64(file.name.as_bytes(), 0));
    let of_problem = |problem: &FileProblem| xxh64(problem.message.as_bytes(), 1);
    let texts = files.texts.iter().map(of_text);
    texts.chain(files.problems.iter().map(of_problem)).fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Looks one moment after another at a folder.
    struct Looker {
        folder: tempfile::TempDir,
        watch: Watch,
        now: SystemTime,
    }

    impl Looker {
        fn new() -> Looker {
            let folder = tempfile::tempdir().expect("there is room for a folder");
            fs::create_dir(folder.path().join("rules")).expect("the folder is new");
            fs::write(folder.path().join("rules/a.yaml"), "one").expect("there is room");
            let now = SystemTime::now();
            let (watch, files) = Watch::begin(vec![folder.path().to_owned()], now);
            assert_eq!(files.texts.len(), 1);
            Looker { folder, watch, now }
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.folder.path().join("rules").join(name), text).expect("there is room");
        }

        fn after(&mut self, seconds: u64) -> Option<Vec<String>> {
            self.now += Duration::from_secs(seconds);
            let files = self.watch.look(self.now)?;
            let mut texts: Vec<String> = files.texts.into_iter().map(|file| file.text).collect();
            texts.sort_unstable();
            Some(texts)
        }
    }

    #[test]
    fn a_change_is_seen_once_and_not_too_often_looked_for() {
        let mut looker = Looker::new();
        assert_eq!(looker.after(9), None, "nothing has changed");
        // The time of writing is the real one, of which the looker is ahead.
        looker.write("a.yaml", "two");
        assert_eq!(looker.after(3), None, "too early to look");
        assert_eq!(looker.after(1), Some(vec!["two".to_owned()]));
        assert_eq!(looker.after(9), None, "it is in force");
        looker.write("b.yaml", "three");
        assert_eq!(looker.after(4), Some(vec!["three".to_owned(), "two".to_owned()]));
        fs::remove_file(looker.folder.path().join("rules/a.yaml")).expect("the file is there");
        assert_eq!(looker.after(4), None, "it may come back");
        assert_eq!(looker.after(4), Some(vec!["three".to_owned()]));
    }

    #[test]
    fn a_file_that_is_gone_for_a_moment_changes_nothing() {
        let mut looker = Looker::new();
        looker.write("b.yaml", "two");
        assert!(looker.after(4).is_some());
        for _ in 0..3 {
            fs::remove_file(looker.folder.path().join("rules/a.yaml")).expect("the file is there");
            assert_eq!(looker.after(4), None);
            looker.write("a.yaml", "one");
            assert_eq!(looker.after(4), None);
        }
    }

    #[test]
    fn what_is_being_written_waits_until_it_stays_as_it_is() {
        let mut looker = Looker::new();
        // Of a time that has not come yet it cannot be told how long it is ago.
        looker.now -= Duration::from_secs(100);
        looker.watch.looked = None;
        looker.write("a.yaml", "tw");
        assert_eq!(looker.after(0), None);
        looker.write("a.yaml", "two");
        assert_eq!(looker.after(4), None, "it has gone on");
        assert_eq!(looker.after(4), Some(vec!["two".to_owned()]));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_looking() {
        let mut looker = Looker::new();
        looker.now -= Duration::from_secs(3_600);
        looker.write("a.yaml", "two");
        assert_eq!(looker.after(0), None, "seen for the first time");
        assert_eq!(looker.after(4), Some(vec!["two".to_owned()]));
    }

    #[test]
    fn the_time_is_asked_for_when_the_second_changes_or_after_many_records() {
        let mut watch = Watch::default();
        assert!(watch.time_may_have_passed(7));
        let asked = (0..630).filter(|_| watch.time_may_have_passed(7)).count();
        assert_eq!(asked, 9);
        assert!(watch.time_may_have_passed(6));
        assert!(!watch.time_may_have_passed(6));
    }
}
