//! Logs of the sample shop, cut into parts of equal length that follow each other in time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use statetrail_shop::{Amount, LogLine, ShopConfig, generate, write_cri};

/// New orders per hour, whatever the length of the run: so that as many orders are open at a
/// time in the last part as in the first.
const ORDERS_PER_HOUR: u32 = 900;

/// Writes `parts` folders of `lines` lines each, of which half change an entity, and returns
/// them in the order of time. Every container has a file in every folder.
///
/// # Errors
/// When a file cannot be written.
pub fn write_parts(folder: &Path, parts: usize, lines: u64) -> Result<Vec<PathBuf>> {
    let config = ShopConfig {
        amount: Amount::Lines(lines * parts as u64),
        orders_per_hour: ORDERS_PER_HOUR,
        ..ShopConfig::default()
    };
    let mut writer = PartWriter {
        folder: folder.to_owned(),
        lines_per_part: lines,
        lines: 0,
        part_bytes: config.part_bytes,
        parts: Vec::new(),
        files: Vec::new(),
        buffer: Vec::new(),
    };
    generate(&config, &mut |line: &LogLine<'_>| writer.line(line), None)?;
    for file in writer.files.iter_mut().flatten() {
        file.flush()?;
    }
    Ok(writer.parts)
}

struct PartWriter {
    folder: PathBuf,
    lines_per_part: u64,
    lines: u64,
    part_bytes: usize,
    parts: Vec<PathBuf>,
    /// By the pod's index.
    files: Vec<Option<BufWriter<File>>>,
    buffer: Vec<u8>,
}

impl PartWriter {
    fn line(&mut self, line: &LogLine<'_>) -> std::io::Result<()> {
        if self.lines.is_multiple_of(self.lines_per_part) {
            self.begin_part()?;
        }
        self.lines += 1;
        self.buffer.clear();
        write_cri(line, self.part_bytes, &mut self.buffer);
        let index = line.pod.index;
        if index >= self.files.len() {
            self.files.resize_with(index + 1, || None);
        }
        if self.files[index].is_none() {
            let part = self.parts.last().map_or(self.folder.as_path(), PathBuf::as_path);
            let file = File::create(part.join(line.pod.file_name()))?;
            self.files[index] = Some(BufWriter::with_capacity(1 << 18, file));
        }
        match &mut self.files[index] {
            Some(file) => file.write_all(&self.buffer),
            None => Ok(()),
        }
    }

    fn begin_part(&mut self) -> std::io::Result<()> {
        for file in self.files.drain(..).flatten() {
            file.into_inner()?.flush()?;
        }
        let part = self.folder.join(format!("part-{:02}", self.parts.len()));
        std::fs::create_dir_all(&part)?;
        self.parts.push(part);
        Ok(())
    }
}
