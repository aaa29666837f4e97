//! Reads the rule files: every `rules/*.yaml` and `rules/*.yml` in the folders that the filter can see.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use statetrail_rules::{RuleText, is_at_or_below};

/// What the folders hold.
#[derive(Debug, Default)]
pub struct RuleFiles {
    /// The files that could be read.
    pub texts: Vec<RuleText>,
    /// Why others could not be read.
    pub problems: Vec<FileProblem>,
    /// When the file was written that was written last.
    pub newest: Option<SystemTime>,
}

/// Why a file or folder could not be read.
#[derive(Debug)]
pub struct FileProblem {
    /// Its name; that of a folder stands for all files in it.
    pub name: String,
    /// The reason, with the name before it.
    pub message: String,
}

/// Reads the rule files of some folders.
pub fn read_rule_files(folders: &[PathBuf]) -> RuleFiles {
    let mut files = RuleFiles::default();
    for folder in folders {
        files.read_folder(&folder.join("rules"));
    }
    files
}

/// The name of the node, if one of the folders has a file `node` that says it: there is no other
/// way to tell the filter. An empty one means that the filter shall not tell about itself.
pub fn read_node(folders: &[PathBuf]) -> Option<String> {
    let texts = folders.iter().filter_map(|folder| fs::read_to_string(folder.join("node")).ok());
    texts.map(|text| text.trim().to_owned()).next()
}

impl RuleFiles {
    /// Reads the YAML files of one folder. A folder that is not there holds no files.
    fn read_folder(&mut self, folder: &Path) {
        let paths = match yaml_files(folder) {
            Ok(paths) => paths,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.problem(folder, &error.to_string()),
        };
        for path in paths {
            if let Ok(written) = fs::metadata(&path).and_then(|about| about.modified()) {
                self.newest = self.newest.max(Some(written));
            }
            match fs::read(&path).map(String::from_utf8) {
                Ok(Ok(text)) => {
                    self.texts.push(RuleText { name: path.display().to_string(), text });
                }
                Ok(Err(error)) => {
                    let (line, column) = place_of(error.as_bytes(), error.utf8_error());
                    self.add_problem(&path, &format!("{line}:{column}: not UTF-8 text"), "");
                }
                Err(error) => self.problem(&path, &error.to_string()),
            }
        }
    }

    /// Whether a file, or the folder that it lies in, is there and could not be read.
    pub fn is_unread(&self, name: &str) -> bool {
        self.problems.iter().any(|problem| is_at_or_below(name, &problem.name))
    }

    fn problem(&mut self, path: &Path, what: &str) {
        self.add_problem(path, what, " ");
    }

    fn add_problem(&mut self, path: &Path, what: &str, blank: &str) {
        let name = path.display().to_string();
        let message = format!("{name}:{blank}{what}");
        self.problems.push(FileProblem { name, message });
    }
}

/// Line and column of the first bytes that are not UTF-8.
fn place_of(bytes: &[u8], error: std::str::Utf8Error) -> (usize, usize) {
    let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    (line, String::from_utf8_lossy(&before[line_start..]).chars().count() + 1)
}

fn yaml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_text_is_reported_with_its_place() {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let rules = folder.path().join("rules");
        fs::create_dir(&rules).expect("the folder is new");
        fs::write(rules.join("a.yaml"), b"one\n\xc3\xa9\xff").expect("there is room");
        let files = read_rule_files(&[folder.path().to_owned()]);
        let [problem] = files.problems.as_slice() else { panic!("one problem: {files:?}") };
        assert!(problem.message.ends_with("a.yaml:2:2: not UTF-8 text"), "{}", problem.message);
        assert!(files.texts.is_empty() && files.newest.is_some());
    }
}
