//! Reads the rule files: every `rules/*.yaml` and `rules/*.yml` in the folders that the filter can see.

use std::path::{Path, PathBuf};
use std::{fs, io};

use statetrail_rules::RuleText;

/// What the folders hold.
#[derive(Debug, Default)]
pub struct RuleFiles {
    /// The files that could be read.
    pub texts: Vec<RuleText>,
    /// Why others could not be read, one line for each.
    pub problems: Vec<String>,
}

/// Reads the rule files of some folders.
pub fn read_rule_files(folders: &[PathBuf]) -> RuleFiles {
    let mut files = RuleFiles::default();
    for folder in folders {
        files.read_folder(&folder.join("rules"));
    }
    files
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
            match fs::read(&path).map(String::from_utf8) {
                Ok(Ok(text)) => {
                    self.texts.push(RuleText { name: path.display().to_string(), text });
                }
                Ok(Err(_)) => self.problem(&path, "not UTF-8 text"),
                Err(error) => self.problem(&path, &error.to_string()),
            }
        }
    }

    fn problem(&mut self, path: &Path, what: &str) {
        self.problems.push(format!("{}: {what}", path.display()));
    }
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
