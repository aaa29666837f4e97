//! Log files that grow and rotate as under a kubelet.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use statetrail_shop::{LineSink, LogLine, write_cri};

/// The longest piece of a line that a container runtime writes.
const PART_BYTES: usize = 16 * 1024;

/// Writes lines at a rate into `pods/POD/0.log`, with links to them in `containers/`. Every so often
/// all files are renamed, as the kubelet does with those that have become large, and new ones begin.
pub struct RotatingLogs {
    folder: PathBuf,
    files: BTreeMap<String, File>,
    lines_per_second: u32,
    rotate_every: Duration,
    rotations: u32,
    begun: Instant,
    lines: u64,
}

impl RotatingLogs {
    /// Writes below a folder that has a folder `containers`.
    #[must_use]
    pub fn new(folder: &Path, lines_per_second: u32, rotate_every: Duration) -> RotatingLogs {
        RotatingLogs {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            lines_per_second,
            rotate_every,
            rotations: 0,
            begun: Instant::now(),
            lines: 0,
        }
    }

    /// How often the files were renamed.
    #[must_use]
    pub fn rotations(&self) -> u32 {
        self.rotations
    }

    fn open(&mut self, file_name: String) -> io::Result<&mut File> {
        if !self.files.contains_key(&file_name) {
            let pod = self.folder.join("pods").join(&file_name);
            fs::create_dir_all(&pod)?;
            let path = pod.join("0.log");
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            let link = self.folder.join("containers").join(&file_name);
            if !link.is_symlink() {
                symlink(&path, link)?;
            }
            self.files.insert(file_name.clone(), file);
        }
        self.files.get_mut(&file_name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.rotations += 1;
        for file_name in self.files.keys() {
            let pod = self.folder.join("pods").join(file_name);
            let rotated = pod.join(format!("0.log.20261122-{:06}", self.rotations));
            fs::rename(pod.join("0.log"), rotated)?;
            // The runtime opens the new one at once.
            File::create(pod.join("0.log"))?;
        }
        self.files.clear();
        Ok(())
    }
}

impl LineSink for RotatingLogs {
    fn line(&mut self, line: &LogLine<'_>) -> io::Result<()> {
        let due = Duration::from_secs_f64(self.lines as f64 / f64::from(self.lines_per_second));
        self.lines += 1;
        thread::sleep(due.saturating_sub(self.begun.elapsed()));
        if self.begun.elapsed() > self.rotate_every * (self.rotations + 1) {
            self.rotate()?;
        }
        let mut bytes = Vec::new();
        write_cri(line, PART_BYTES, &mut bytes);
        self.open(line.pod.file_name())?.write_all(&bytes)
    }
}
