//! The servers' jars, brought by Maven once for the whole project.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, folders, java};

/// A server as Maven knows it.
pub(crate) struct Artefacts {
    /// Its name and version, which is also the name of its folder.
    pub name: &'static str,
    /// The pom that lists what it needs.
    pub pom: &'static str,
}

impl Artefacts {
    /// The folder with the jars; brings them first if they are not there.
    pub(crate) fn folder(&self) -> Result<PathBuf, Error> {
        let all = folders::target().join("servers");
        fs::create_dir_all(&all).map_err(Error::file("create", &all))?;
        // Test binaries run side by side: the first one brings the jars, the others wait.
        let lock_file = all.join(format!("{}.lock", self.name));
        let lock = File::create(&lock_file).map_err(Error::file("create", &lock_file))?;
        lock.lock().map_err(Error::file("lock", &lock_file))?;
        let folder = all.join(self.name);
        if !self.is_complete(&folder) {
            self.bring(&all, &folder)?;
        }
        Ok(folder)
    }

    /// The pom comes with the jars, so one that has changed brings them anew.
    fn is_complete(&self, folder: &Path) -> bool {
        fs::read_to_string(folder.join("pom.xml")).is_ok_and(|pom| pom == self.pom)
    }

    fn bring(&self, all: &Path, folder: &Path) -> Result<(), Error> {
        let unfinished =
            tempfile::tempdir_in(all).map_err(Error::file("create a folder in", all))?;
        let pom = unfinished.path().join("pom.xml");
        folders::write(&pom, self.pom)?;
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=."]);
        maven.arg("-f").arg(&pom).current_dir(unfinished.path());
        if let Err(error) = Command::new("mvn").arg("--version").output()
            && error.kind() == io::ErrorKind::NotFound
        {
            return Err(Error::NoMaven);
        }
        java::run(&format!("bringing {} with Maven", self.name), &mut maven)?;
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(Error::file("remove", folder))?;
        }
        fs::rename(unfinished.path(), folder).map_err(Error::file("create", folder))?;
        // It is not where it was, so there is nothing to remove when it is dropped.
        let _moved = unfinished.keep();
        Ok(())
    }
}
