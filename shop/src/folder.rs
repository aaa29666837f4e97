//! Log files, named and written as the kubelet and a container runtime would.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::{Pace, ShopConfig};
use crate::cri::write_cri;
use crate::error::ShopError;
use crate::fleet::Fleet;
use crate::run::generate;
use crate::sink::{LineSink, LogLine};
use crate::summary::Summary;
use crate::truth::TruthSink;

/// How many bytes a file gathers at full speed before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// Writes one log file per container into `folder`, which is created if need be, and returns
/// when the run is over. At a rate it waits for each line's moment; the start of the run should
/// then be now. Other files of the folder are left alone, those of runs with other seeds too.
///
/// # Errors
/// When a setting makes no sense or a file cannot be written.
pub fn generate_to_folder(config: &ShopConfig, folder: &Path) -> Result<Summary, ShopError> {
    generate_to_folder_with_truth(config, folder, None)
}

/// Like [`generate_to_folder`], and hands every change to `truth`.
///
/// # Errors
/// When a setting makes no sense, a file cannot be written or `truth` fails.
pub fn generate_to_folder_with_truth(
    config: &ShopConfig,
    folder: &Path,
    truth: Option<&mut dyn TruthSink>,
) -> Result<Summary, ShopError> {
    config.check()?;
    let mut files = LogFiles::create(config, folder)?;
    let summary = generate(config, &mut files, truth)?;
    files.flush().map_err(|source| ShopError::Write { path: folder.to_owned(), source })?;
    Ok(summary)
}

/// The files of all containers.
struct LogFiles {
    files: Vec<LogFile>,
    part_bytes: usize,
    rate: Option<Rate>,
}

struct LogFile {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
}

/// Lines per second by the real clock.
struct Rate {
    started: Instant,
    lines_per_second: u32,
    lines: u64,
}

impl LogFiles {
    fn create(config: &ShopConfig, folder: &Path) -> Result<LogFiles, ShopError> {
        let error = |path: &Path, source| ShopError::Write { path: path.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(|source| error(folder, source))?;
        let mut files = Vec::new();
        for pod in Fleet::start(config.seed, config.skew).pods() {
            let path = folder.join(pod.file_name());
            let file = File::create(&path).map_err(|source| error(&path, source))?;
            files.push(LogFile { file, path, buffer: Vec::with_capacity(BUFFER_BYTES) });
        }
        let rate = match config.pace {
            Pace::FullSpeed => None,
            Pace::LinesPerSecond(lines_per_second) => {
                Some(Rate { started: Instant::now(), lines_per_second, lines: 0 })
            }
        };
        Ok(LogFiles { files, part_bytes: config.part_bytes, rate })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.files.iter_mut().try_for_each(LogFile::flush)
    }

    /// Waits for the next line's moment. Whoever follows the files must see what was written
    /// before, so that goes out first.
    fn wait(&mut self) -> io::Result<()> {
        let Some(rate) = &mut self.rate else { return Ok(()) };
        let pause = rate.until_next_line();
        if !pause.is_zero() {
            self.flush()?;
            std::thread::sleep(pause);
        }
        Ok(())
    }
}

impl Rate {
    fn until_next_line(&mut self) -> Duration {
        let seconds = self.lines as f64 / f64::from(self.lines_per_second);
        self.lines += 1;
        Duration::from_secs_f64(seconds).saturating_sub(self.started.elapsed())
    }
}

impl LineSink for LogFiles {
    fn line(&mut self, line: &LogLine<'_>) -> io::Result<()> {
        self.wait()?;
        let file = &mut self.files[line.pod.index];
        write_cri(line, self.part_bytes, &mut file.buffer);
        if file.buffer.len() >= BUFFER_BYTES { file.flush() } else { Ok(()) }
    }
}

impl LogFile {
    fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
        })
    }
}
