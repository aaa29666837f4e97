//! Log files that grow and rotate as under a kubelet.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use statetrail_shop::{LineSink, LogLine, write_cri};

/// The longest piece of a line that a container runtime writes.
const PART_BYTES: usize = 16 * 1024;

/// Writes lines at a rate into `pods/POD/0.log`, with links to them in `containers/`. After so many
/// lines all files are renamed, as the kubelet does with those that have become large, and new ones
/// begin.
pub struct RotatingLogs {
    folder: PathBuf,
    files: BTreeMap<String, File>,
    lines_per_second: u32,
    rotate_every: u64,
    begun: Instant,
    lines: u64,
    halts: BTreeMap<u64, (Sender<()>, Receiver<()>)>,
}

/// A place at which the writer stands still until this is dropped.
pub struct Halt {
    reached: Receiver<()>,
    _go_on: Sender<()>,
}

impl Halt {
    /// Waits until the writer stands there.
    ///
    /// # Errors
    ///
    /// If it ended before.
    pub fn reached(&self) -> io::Result<()> {
        self.reached.recv().map_err(|_| io::Error::other("the writer ended before"))
    }
}

impl RotatingLogs {
    /// Writes below a folder that has a folder `containers`.
    #[must_use]
    pub fn new(folder: &Path, lines_per_second: u32, rotate_every: u64) -> RotatingLogs {
        RotatingLogs {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            lines_per_second,
            rotate_every,
            begun: Instant::now(),
            lines: 0,
            halts: BTreeMap::new(),
        }
    }

    /// Lets the writer stand still when it has written so many lines, and renamed the files if it was
    /// time to.
    pub fn halt_after(&mut self, lines: u64) -> Halt {
        let (tell, reached) = mpsc::channel();
        let (go_on, wait) = mpsc::channel();
        self.halts.insert(lines, (tell, wait));
        Halt { reached, _go_on: go_on }
    }

    fn halt(&mut self) {
        if let Some((tell, wait)) = self.halts.remove(&self.lines) {
            let begun = Instant::now();
            // Nobody who waits, and a halt that was dropped, mean both that it goes on.
            let _ = tell.send(());
            let _ = wait.recv();
            self.begun += begun.elapsed();
        }
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
        let number = self.lines / self.rotate_every;
        for file_name in self.files.keys() {
            let pod = self.folder.join("pods").join(file_name);
            let rotated = pod.join(format!("0.log.20261122-{number:06}"));
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
        if self.lines > 0 && self.lines.is_multiple_of(self.rotate_every) {
            self.rotate()?;
        }
        self.halt();
        let due = Duration::from_secs_f64(self.lines as f64 / f64::from(self.lines_per_second));
        thread::sleep(due.saturating_sub(self.begun.elapsed()));
        self.lines += 1;
        let mut bytes = Vec::new();
        write_cri(line, PART_BYTES, &mut bytes);
        self.open(line.pod.file_name())?.write_all(&bytes)
    }
}
