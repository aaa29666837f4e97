//! The rule set: all rule files in force, and what applies to a container's lines.

use xxhash_rust::xxh64::xxh64;

use crate::diagnostic::{Diagnostic, Place, Report};
use crate::fields::Paths;
use crate::file::{self, Match, Rule, RuleFile, base_name};
use crate::glob::Glob;
use crate::origin::Origin;
use crate::prefilter::Prefilter;
use crate::redact::Redactor;

/// The text of a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// The file's name, as messages shall give it. Files count in the order of their names
    /// without their folders, and no two of a set may have the same one.
    pub name: String,
    /// What the file holds.
    pub text: String,
}

/// All rule files in force.
#[derive(Default)]
pub struct RuleSet {
    files: Vec<RuleFile>,
    /// The number of each file's first rule.
    first_rules: Vec<u32>,
    pub(crate) paths: Paths,
    scopes: Vec<Scope>,
    revision: u64,
    /// Whether files are being put in force. Who finds this set knows that it was broken off.
    in_change: bool,
}

/// What applies to the lines of some containers. Valid until the next reload of its rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeId(u32);

/// The rules and redactors of some containers, ready to be used.
pub(crate) struct Scope {
    /// Which files, in the order in which their rules are tried.
    files: Vec<u32>,
    /// File and rule within it, in the order in which they are tried.
    pub(crate) rules: Vec<(u32, u32)>,
    pub(crate) prefilter: Prefilter,
}

impl RuleSet {
    /// Reads rule files. A file with errors is left out; everything that is wrong is returned.
    pub fn parse(texts: &[RuleText]) -> (RuleSet, Vec<Diagnostic>) {
        let mut rules = RuleSet::default();
        let diagnostics = rules.reload(texts);
        (rules, diagnostics)
    }

    /// Puts these files in force. Of a file with errors the last good version stays, if there
    /// was one under its name; files that are no longer named are dropped. Of two files that
    /// differ only in their folders, the second one is left out. Scopes given out
    /// before are void.
    pub fn reload(&mut self, texts: &[RuleText]) -> Vec<Diagnostic> {
        self.reload_keeping(texts, &[])
    }

    /// As [`RuleSet::reload`], and the files and the folders with the names `unread`, which could not
    /// be read, stay as they are.
    pub fn reload_keeping(&mut self, texts: &[RuleText], unread: &[&str]) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        let mut read = Vec::new();
        for (text, namesake) in in_order(texts) {
            let mut report = Report::new(&text.name, &text.text);
            match namesake {
                Some(other) => report_namesake(other, &mut report),
                None => {
                    let file = file::read(&text.name, &text.text, &mut report);
                    read.push((text.name.as_str(), file));
                }
            }
            diagnostics.append(&mut report.diagnostics);
        }
        // Not before: should the reading be broken off, the files in force are whole.
        self.put_in_force(read, unread);
        diagnostics
    }

    /// Whether the files in force are whole; they are not if putting them in force was broken off.
    pub fn is_whole(&self) -> bool {
        !self.in_change
    }

    /// Puts files that were read in force, and in the place of those with errors the ones of before.
    #[cfg_attr(target_family = "wasm", inline(never))]
    fn put_in_force(&mut self, read: Vec<(&str, Option<RuleFile>)>, unread: &[&str]) {
        self.in_change = true;
        // As nothing unwinds, a store that only a trap makes visible would be left out.
        std::hint::black_box(&mut self.in_change);
        let mut old = std::mem::take(&mut self.files);
        for (name, new) in read {
            let kept = old.iter().position(|file| *file.name == *name);
            let in_force = new.or_else(|| kept.map(|index| old.swap_remove(index)));
            self.files.extend(in_force);
        }
        old.retain(|file| unread.iter().any(|unread| is_at_or_below(&file.name, unread)));
        self.keep(old);
        self.prepare();
        self.in_change = false;
    }

    /// Puts files of before among those that were read.
    #[cfg_attr(target_family = "wasm", inline(never))]
    fn keep(&mut self, old: Vec<RuleFile>) {
        for file in old {
            let name = base_name(&file.name);
            let place = self.files.partition_point(|other| base_name(&other.name) < name);
            let namesake =
                self.files.get(place).is_some_and(|other| base_name(&other.name) == name);
            if !namesake {
                self.files.insert(place, file);
            }
        }
    }

    // Within its caller, whose frame stays while files are read, it would cost Fluent Bit's stack.
    #[cfg_attr(target_family = "wasm", inline(never))]
    fn prepare(&mut self) {
        self.scopes.clear();
        self.first_rules.clear();
        self.paths = Paths::default();
        let mut rules = 0;
        for file in &mut self.files {
            self.first_rules.push(rules);
            rules += file.rules.len() as u32;
            for rule in &mut file.rules {
                number_paths(rule, &mut self.paths);
            }
        }
        self.revision = self.hash();
    }

    fn hash(&self) -> u64 {
        let mut bytes = Vec::new();
        for file in &self.files {
            bytes.extend_from_slice(&xxh64(file.name.as_bytes(), 0).to_le_bytes());
            bytes.extend_from_slice(&file.text_hash.to_le_bytes());
        }
        xxh64(&bytes, 0)
    }

    /// What applies to the lines of a container, or `None` if nothing does.
    pub fn scope(&mut self, namespace: &str, container: &str) -> Option<ScopeId> {
        self.scope_of_namespace(namespace, |file| {
            file.containers.is_empty() || file.containers.iter().any(|it| it.matches(container))
        })
    }

    /// What applies to plain files of a namespace, or `None` if nothing does. They are of no container,
    /// so it does not count for which containers a rule file is.
    pub fn scope_of_plain(&mut self, namespace: &str) -> Option<ScopeId> {
        self.scope_of_namespace(namespace, |_| true)
    }

    /// What applies to lines that come from there, or `None` if nothing does.
    pub fn scope_of_origin(&mut self, origin: &Origin) -> Option<ScopeId> {
        match (origin.namespace(), origin.container_name()) {
            (Some(namespace), "") => self.scope_of_plain(namespace),
            (Some(namespace), container) => self.scope(namespace, container),
            (None, _) => self.scope_of_all(),
        }
    }

    /// The files for a namespace that are wanted: those that name it exactly come first.
    fn scope_of_namespace(
        &mut self,
        namespace: &str,
        is_wanted: impl Fn(&RuleFile) -> bool,
    ) -> Option<ScopeId> {
        let applies = |file: &RuleFile, exact: bool| {
            let names_it = |glob: &Glob| glob.is_exact() == exact && glob.matches(namespace);
            file.namespaces.iter().any(names_it) && is_wanted(file)
        };
        let numbers = || 0..self.files.len() as u32;
        let exact = numbers().filter(|number| applies(&self.files[*number as usize], true));
        let mut files: Vec<u32> = exact.collect();
        let globbed = numbers().filter(|number| applies(&self.files[*number as usize], false));
        let further: Vec<u32> = globbed.filter(|number| !files.contains(number)).collect();
        files.extend(further);
        self.scope_of_files(files)
    }

    /// What applies to plain files of which the namespace is not known: every rule file that
    /// names a namespace exactly. `None` if there is no such file.
    pub fn scope_of_all(&mut self) -> Option<ScopeId> {
        let numbers = 0..self.files.len() as u32;
        let has_home = |number: &u32| self.files[*number as usize].home.is_some();
        let files = numbers.filter(has_home).collect();
        self.scope_of_files(files)
    }

    fn scope_of_files(&mut self, files: Vec<u32>) -> Option<ScopeId> {
        if files.is_empty() {
            return None;
        }
        if let Some(known) = self.scopes.iter().position(|scope| scope.files == files) {
            return Some(ScopeId(known as u32));
        }
        let mut rules = Vec::new();
        for file in &files {
            let count = self.files[*file as usize].rules.len() as u32;
            rules.extend((0..count).map(|rule| (*file, rule)));
        }
        let in_order: Vec<&Rule> =
            rules.iter().map(|(file, rule)| self.rule(*file, *rule)).collect();
        let prefilter = Prefilter::new(&in_order);
        self.scopes.push(Scope { files, rules, prefilter });
        Some(ScopeId(self.scopes.len() as u32 - 1))
    }

    pub(crate) fn scope_by_id(&self, id: ScopeId) -> Option<&Scope> {
        self.scopes.get(id.0 as usize)
    }

    pub(crate) fn file(&self, number: u32) -> &RuleFile {
        &self.files[number as usize]
    }

    pub(crate) fn rule(&self, file: u32, rule: u32) -> &Rule {
        &self.files[file as usize].rules[rule as usize]
    }

    /// The number of a rule among all rules of the set.
    pub(crate) fn rule_number(&self, file: u32, rule: u32) -> usize {
        (self.first_rules[file as usize] + rule) as usize
    }

    pub(crate) fn redactors<'s>(&'s self, scope: &'s Scope) -> impl Iterator<Item = &'s Redactor> {
        scope.files.iter().flat_map(|file| &self.file(*file).redactors)
    }

    pub(crate) fn files(&self) -> &[RuleFile] {
        &self.files
    }

    /// The names of all rules, as events carry them, in the order of their numbers.
    pub fn rule_names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().flat_map(|file| &file.rules).map(|rule| &*rule.full_name)
    }

    /// The names of all rules, each with the namespaces for which its file is, as it writes them.
    pub fn rule_namespaces(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.files.iter().flat_map(|file| {
            let namespaces = || file.namespaces.iter().map(Glob::text);
            file.rules.iter().map(move |rule| (&*rule.full_name, namespaces()))
        })
    }

    /// The lines of their files on which rules begin, from 1, in the order of their numbers.
    pub fn rule_lines(&self) -> impl Iterator<Item = usize> {
        self.files.iter().flat_map(|file| &file.rules).map(|rule| rule.place.line)
    }

    /// A namespace and a container to which the first file applies: its samples are taken to be from
    /// there.
    pub fn sample_place(&self) -> Option<(String, String)> {
        self.files.first().map(RuleFile::sample_place)
    }

    /// The names of the files in force.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| &*file.name)
    }

    /// Whether no file is in force.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// A number that changes whenever the files in force change.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

/// Whether a file has this name or lies in the folder with this name.
pub fn is_at_or_below(file: &str, name: &str) -> bool {
    file.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The files in the order of their names, each with the one before it that has the same name
/// in another folder. The folders do not count: rules may lie elsewhere on a node than here.
pub(crate) fn in_order(texts: &[RuleText]) -> Vec<(&RuleText, Option<&RuleText>)> {
    let mut order: Vec<&RuleText> = texts.iter().collect();
    order.sort_by_key(|text| (base_name(&text.name), &text.name));
    let before = |number: usize| number.checked_sub(1).map(|before| order[before]);
    let named_alike =
        |text: &RuleText, other: &&RuleText| base_name(&text.name) == base_name(&other.name);
    let numbered = order.iter().enumerate();
    numbered
        .map(|(number, text)| (*text, before(number).filter(|other| named_alike(text, other))))
        .collect()
}

pub(crate) fn report_namesake(other: &RuleText, report: &mut Report<'_>) {
    let name = base_name(&other.name);
    report
        .error(Place { line: 1, column: 1, width: 1 }, format!("there is {} already", other.name))
        .expected(format!(
            "events name their rule as `{name}/RULE`: give one of the files another name"
        ));
}

fn number_paths(rule: &mut Rule, paths: &mut Paths) {
    match &mut rule.matches {
        Match::Json(fields) | Match::Logfmt(fields) => {
            for field in fields {
                field.path_number = paths.number(&field.path);
            }
        }
        Match::Text(_) | Match::Regex(_) => {}
    }
}

#[cfg(test)]
mod prefilter_tests;
