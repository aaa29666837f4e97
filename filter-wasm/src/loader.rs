//! Brings rule files into force, when the filter starts and whenever they change.

use std::path::PathBuf;
use std::time::SystemTime;

use statetrail_rules::{Diagnostic, Severity};
use xxhash_rust::xxh64::xxh64;

use crate::filter::Filter;
use crate::rule_folders::{RuleFiles, read_node};
use crate::watch::Watch;

/// Longest error that [`Loader::error`] gives, in bytes.
const ERROR_BYTES_MAX: usize = 500;

/// Watches rule files and brings them into force.
#[derive(Debug, Default)]
pub struct Loader {
    watch: Watch,
    /// Hashes of what was said of the files in force: of a file that stays as it is, nothing is
    /// said again.
    said: Vec<u64>,
    /// The first error in the files as they are, in one line.
    error: Option<String>,
    /// Whether rules are being loaded. Who finds this set knows that it trapped.
    loading: bool,
}

impl Loader {
    /// Loads the rules of some folders. Returns what is to be said about them.
    pub fn begin(
        folders: Vec<PathBuf>,
        now: SystemTime,
        filter: &mut Filter,
    ) -> (Loader, Vec<String>) {
        if let Some(node) = read_node(&folders) {
            filter.set_node(&node);
        }
        let (watch, files) = Watch::begin(folders, now);
        let mut loader = Loader { watch, ..Loader::default() };
        let said = loader.put_in_force(&files, filter);
        (loader, said)
    }

    /// See [`Watch::time_may_have_passed`].
    pub fn time_may_have_passed(&mut self, second: u32) -> bool {
        self.watch.time_may_have_passed(second)
    }

    /// Brings the files into force if they have changed. Returns what is to be said about them.
    // Out of the way of records, of which most are not followed by this.
    #[inline(never)]
    pub fn refresh(&mut self, now: SystemTime, filter: &mut Filter) -> Vec<String> {
        let Some(files) = self.watch.look(now) else { return Vec::new() };
        if files.texts.is_empty() && files.problems.is_empty() {
            let said = "all rule files are gone: the rules that were read last stay in force";
            self.error = Some(said.to_owned());
            return vec![said.to_owned()];
        }
        let mut said = self.put_in_force(&files, filter);
        said.push(in_force(filter));
        said
    }

    /// Goes on after a trap. Returns what is to be said if it came while rules were loaded.
    pub fn recover(&mut self, filter: &mut Filter) -> Option<&'static str> {
        if !std::mem::take(&mut self.loading) {
            return None;
        }
        let said = match filter.forget_broken_rules() {
            true => "loading the rules failed: none is in force until the rule files change",
            false => "loading the rules failed: those of before stay until the rule files change",
        };
        self.error = Some(said.to_owned());
        Some(said)
    }

    /// The folders that are watched.
    pub fn folders(&self) -> &[PathBuf] {
        self.watch.folders()
    }

    /// What is wrong with the rule files as they are: the first error, in one line.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    fn put_in_force(&mut self, files: &RuleFiles, filter: &mut Filter) -> Vec<String> {
        self.loading = true;
        // Nothing unwinds, so the compiler would leave out a store that only a trap makes visible.
        std::hint::black_box(&mut self.loading);
        let unread: Vec<&str> = files.problems.iter().map(|problem| &*problem.name).collect();
        let diagnostics = filter.reload_keeping(&files.texts, &unread);
        self.loading = false;
        self.error = first_error(files, &diagnostics);
        self.not_said_before(messages(files, &diagnostics))
    }

    fn not_said_before(&mut self, mut messages: Vec<String>) -> Vec<String> {
        let hashes = messages.iter().map(|message| xxh64(message.as_bytes(), 0)).collect();
        let said = std::mem::replace(&mut self.said, hashes);
        messages.retain(|message| !said.contains(&xxh64(message.as_bytes(), 0)));
        messages
    }
}

// On their own, to keep the frames small that lie below the reading of a rule file.
#[inline(never)]
fn messages(files: &RuleFiles, diagnostics: &[Diagnostic]) -> Vec<String> {
    let problems = files.problems.iter().map(|problem| problem.message.clone());
    problems.chain(diagnostics.iter().map(ToString::to_string)).collect()
}

#[inline(never)]
fn in_force(filter: &Filter) -> String {
    let rules = filter.rules();
    let (files, number) = (rules.file_names().count(), rules.rule_names().count());
    let files_word = if files == 1 { "file" } else { "files" };
    format!("rule files have changed: {number} rules of {files} {files_word} are in force")
}

#[inline(never)]
fn first_error(files: &RuleFiles, diagnostics: &[Diagnostic]) -> Option<String> {
    let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
    let mut error = match (files.problems.first(), diagnostics.iter().find(is_error)) {
        (Some(problem), _) => problem.message.clone(),
        (None, Some(fault)) => {
            format!("{}:{}:{}: {}", fault.file, fault.line, fault.column, fault.message)
        }
        (None, None) => return None,
    };
    error.truncate(error.floor_char_boundary(ERROR_BYTES_MAX));
    Some(error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::watch::LOOK_EVERY;

    fn rule_file(verb: &str) -> String {
        format!(
            "namespaces: [shop]\nrules:\n  - name: {verb}\n    match: 'order <order> {verb}'\n    \
             emit: [{{entity: order/<order>, event: {verb}}}]\n    samples:\n      \
             - line: 'order o-1 {verb}'\n        events: [{{entity: order/o-1, event: {verb}}}]\n"
        )
    }

    /// What a file becomes, which rules are in force then, and what is said besides.
    type Step<'a> = (&'a str, &'a [u8], &'a [&'a str], &'a [&'a str]);

    fn write(folder: &Path, name: &str, bytes: &[u8]) {
        fs::write(folder.join("rules").join(name), bytes).expect("there is room for a file");
    }

    #[test]
    fn a_broken_file_keeps_its_last_version_and_is_told_of_once() {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        fs::create_dir(folder.path().join("rules")).expect("the folder is new");
        write(folder.path(), "a.yaml", rule_file("paid").as_bytes());
        write(folder.path(), "b.yaml", rule_file("shipped").as_bytes());
        let mut filter = Filter::default();
        let mut now = SystemTime::now();
        let folders = vec![folder.path().to_owned()];
        let (mut loader, said) = Loader::begin(folders, now, &mut filter);
        assert_eq!(said, [""; 0]);
        let broken = b"namespaces: [shop]\nrules:\n  - name: x\n    mach: a\n";
        let (sent, due) = (rule_file("sent"), rule_file("due"));
        let steps: [Step<'_>; 6] = [
            ("a.yaml", broken, &["paid", "shipped"], &["a.yaml:4:5\n"]),
            ("b.yaml", b"a\n\xff", &["paid", "shipped"], &["b.yaml:2:1: not UTF-8"]),
            ("b.yaml", sent.as_bytes(), &["paid", "sent"], &[]),
            ("c.yaml", b"a\n\xff", &["paid", "sent"], &["c.yaml:2:1: not UTF-8"]),
            ("a.yaml", due.as_bytes(), &["due", "sent"], &[]),
            ("a.yaml", broken, &["due", "sent"], &["a.yaml:4:5\n"]),
        ];
        for (name, bytes, rules, expected) in steps {
            write(folder.path(), name, bytes);
            now += LOOK_EVERY;
            let mut said = loader.refresh(now, &mut filter);
            let last = said.pop().expect("the change is told of");
            assert!(last.contains("2 rules of 2 files"), "{last}");
            assert_eq!(said.is_empty(), expected.is_empty(), "{said:?}");
            for expected in expected {
                let about = said.iter().filter(|said| said.contains(expected)).count();
                assert_eq!(about, 1, "{expected}: {said:?}");
            }
            let in_force: Vec<&str> = filter.rules().rule_names().collect();
            let in_force: Vec<&str> =
                in_force.iter().filter_map(|name| name.split('/').nth(1)).collect();
            assert_eq!(in_force, rules);
        }
        let error = loader.error().expect("a file is broken");
        assert!(error.contains("c.yaml:2:1"), "{error}");
    }

    #[test]
    fn rules_stay_when_a_folder_cannot_be_read_or_is_gone_for_a_moment() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().expect("there is room"));
        for (folder, name, verb) in [(&one, "a.yaml", "paid"), (&other, "b.yaml", "sent")] {
            fs::create_dir(folder.path().join("rules")).expect("the folder is new");
            write(folder.path(), name, rule_file(verb).as_bytes());
        }
        let mut filter = Filter::default();
        let mut now = SystemTime::now();
        let folders = vec![one.path().to_owned(), other.path().to_owned()];
        let (mut loader, _) = Loader::begin(folders, now, &mut filter);
        let in_force = |filter: &Filter| filter.rules().rule_names().count();
        let (rules, aside) = (one.path().join("rules"), one.path().join("aside"));
        // Gone for one look.
        fs::rename(&rules, &aside).expect("it is there");
        now += LOOK_EVERY;
        assert_eq!(loader.refresh(now, &mut filter), [""; 0]);
        assert_eq!(in_force(&filter), 2);
        // Then something that cannot be read as a folder.
        fs::write(&rules, "").expect("there is room");
        for _ in 0..3 {
            now += LOOK_EVERY;
            loader.refresh(now, &mut filter);
            assert_eq!(in_force(&filter), 2);
        }
        assert!(
            loader.error().is_some_and(|error| error.contains("rules")),
            "{:?}",
            loader.error()
        );
        fs::remove_file(&rules).expect("it is there");
        fs::rename(&aside, &rules).expect("it is there");
        for _ in 0..2 {
            now += LOOK_EVERY;
            loader.refresh(now, &mut filter);
        }
        assert_eq!((in_force(&filter), loader.error()), (2, None));
    }

    #[test]
    fn rules_stay_when_all_files_are_gone() {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        fs::create_dir(folder.path().join("rules")).expect("the folder is new");
        write(folder.path(), "a.yaml", rule_file("paid").as_bytes());
        let mut filter = Filter::default();
        let now = SystemTime::now();
        let (mut loader, _) = Loader::begin(vec![folder.path().to_owned()], now, &mut filter);
        fs::remove_dir_all(folder.path().join("rules")).expect("the folder is there");
        assert_eq!(loader.refresh(now + LOOK_EVERY, &mut filter), [""; 0], "it may come back");
        let said = loader.refresh(now + LOOK_EVERY * 2, &mut filter);
        assert!(matches!(said.as_slice(), [said] if said.contains("gone")), "{said:?}");
        assert_eq!(filter.rules().rule_names().count(), 1);
        assert!(loader.error().is_some());
    }
}
