//! Lines of the sample shop as the records that Fluent Bit reads them from, with a stated share of
//! lines that tell something.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;
use statetrail_shop::{Amount, LogLine, ShopConfig, generate};

use super::workload::kubernetes;

/// The shop's rules, as they are shipped.
pub const RULES: &str = include_str!("../../../fluent-bit/rules/shop.yaml");

/// Lines of a shop, as its services wrote them.
pub struct ShopLines {
    /// Those that change an entity.
    telling: Vec<String>,
    /// The others.
    noise: Vec<String>,
}

impl ShopLines {
    /// So many lines of a shop at work.
    ///
    /// # Errors
    /// When the shop cannot be set up so.
    pub fn new(lines: u64) -> Result<ShopLines> {
        let config = ShopConfig { amount: Amount::Lines(lines), ..ShopConfig::default() };
        let mut shop = ShopLines { telling: Vec::new(), noise: Vec::new() };
        let mut take = |line: &LogLine<'_>| {
            let record = record(line);
            match line.kind.changes() {
                Some(_) => shop.telling.push(record),
                None => shop.noise.push(record),
            }
            Ok(())
        };
        generate(&config, &mut take, None)?;
        Ok(shop)
    }

    /// Writes so many records, one a line, of which `percent` of a hundred are of lines that change
    /// something. Returns the number of those.
    ///
    /// # Errors
    /// When the shop has too few lines, or the file cannot be written.
    pub fn write_records(&self, path: &Path, count: usize, percent: usize) -> Result<usize> {
        let telling = count * percent / 100;
        let noise = count - telling;
        ensure!(telling <= self.telling.len() && noise <= self.noise.len(), "too few lines");
        let mut file = BufWriter::new(File::create(path)?);
        for record in self.telling[..telling].iter().chain(&self.noise[..noise]) {
            writeln!(file, "{record}")?;
        }
        file.flush()?;
        Ok(telling)
    }
}

/// The record of a line, with the map that the kubernetes filter adds.
fn record(line: &LogLine<'_>) -> String {
    let log = String::from_utf8_lossy(line.text);
    let mut record = json!({"time": line.time.to_string(), "stream": "stdout", "log": log});
    record["kubernetes"] = kubernetes();
    record.to_string()
}
