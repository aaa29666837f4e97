//! The table and the JSON lines.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::json;

/// Which direction is better for a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Rates.
    Higher,
    /// Times and sizes.
    Lower,
}

/// A figure of ours, beside a rival's if there is one.
#[derive(Clone, Debug)]
pub struct Case {
    /// What was measured, such as `match10-rules10`.
    pub name: String,
    /// Our figure.
    pub value: f64,
    /// Its unit, such as `MB/s`.
    pub unit: &'static str,
    /// Which direction is better.
    pub better: Better,
    /// Who did the same work, and its figure.
    pub rival: Option<(&'static str, f64)>,
}

/// The cases of one bench.
pub struct Report {
    bench: &'static str,
    cases: Vec<Case>,
}

impl Case {
    /// How many times better than the rival ours is.
    pub fn ratio(&self) -> Option<f64> {
        let (_, rival) = self.rival?;
        Some(match self.better {
            Better::Higher => self.value / rival,
            Better::Lower => rival / self.value,
        })
    }
}

impl Report {
    /// An empty report of the bench `make bench-NAME`.
    pub fn new(bench: &'static str) -> Report {
        println!(
            "{:<28} {:>12} {:<9} {:>12} {:>7}  rival",
            "case", "ours", "unit", "rival", "ratio"
        );
        Report { bench, cases: Vec::new() }
    }

    /// Adds a case and prints its line.
    pub fn add(&mut self, case: Case) {
        let (rival, value) =
            case.rival.map_or(("-", String::from("-")), |(rival, value)| (rival, figure(value)));
        let ratio = case.ratio().map_or(String::from("-"), |ratio| format!("{ratio:.2}"));
        let Case { name, unit, .. } = &case;
        println!("{name:<28} {:>12} {unit:<9} {value:>12} {ratio:>7}  {rival}", figure(case.value));
        self.cases.push(case);
    }

    /// The ratio of one case to another of this report, ours to ours: how cost grows.
    pub fn value_of(&self, name: &str) -> Option<f64> {
        self.cases.iter().find(|case| case.name == name).map(|case| case.value)
    }

    /// Writes the JSON lines.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self) -> io::Result<()> {
        let folder = target_folder().join("bench");
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.jsonl", self.bench));
        let mut file = io::BufWriter::new(fs::File::create(&path)?);
        for case in &self.cases {
            let (rival, rival_value) = case.rival.unzip();
            let line = json!({
                "bench": self.bench, "case": case.name, "value": case.value, "unit": case.unit,
                "rival": rival, "rival_value": rival_value, "ratio": case.ratio(),
            });
            writeln!(file, "{line}")?;
        }
        file.flush()
    }
}

/// `target` of the workspace, or what `CARGO_TARGET_DIR` names.
fn target_folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from)
}

/// Three significant digits or more, with thousands set apart.
fn figure(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
