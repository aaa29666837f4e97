//! How far an import is, shown on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::report::{EventCounts, grouped};

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressChoice {
    /// A bar if standard error is a terminal, else nothing.
    #[default]
    Auto,
    /// A line whenever a batch is in the store.
    Lines,
    /// Nothing.
    None,
}

/// Shows how far an import is.
pub enum Progress {
    /// On a terminal.
    Bar(ProgressBar),
    /// In a file or a pipe.
    Lines,
    /// Not at all.
    None,
}

impl Progress {
    /// `stored_bytes` is the size of all logs, if it is known.
    pub fn new(choice: ProgressChoice, stored_bytes: Option<u64>) -> Progress {
        match choice {
            ProgressChoice::Lines => Progress::Lines,
            ProgressChoice::Auto if io::stderr().is_terminal() => Progress::bar(stored_bytes),
            ProgressChoice::Auto | ProgressChoice::None => Progress::None,
        }
    }

    fn bar(stored_bytes: Option<u64>) -> Progress {
        let (bar, template) = match stored_bytes {
            Some(bytes) => (ProgressBar::new(bytes), "{bar:24} {percent:>3}%  {msg}  {eta} left"),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}"),
        };
        // Should the template be wrong, the bar's own look will do.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress::Bar(bar)
    }

    /// A batch is in the store.
    pub fn update(&self, stored_bytes: u64, lines: u64, events: EventCounts) {
        let told = format!("{} lines, {} events", grouped(lines), grouped(events.found));
        match self {
            Progress::Bar(bar) => {
                bar.set_position(stored_bytes);
                bar.set_message(told);
            }
            Progress::Lines => {
                // Nobody is to be told if standard error is closed.
                let _ = writeln!(io::stderr(), "imported {told}");
            }
            Progress::None => {}
        }
    }

    /// Removes what would stand in the way of the report.
    pub fn finish(&self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
