//! How far an import is, shown on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::report::{EventCounts, grouped};

/// Columns at the end of a line that stay free: a terminal shows `^C` where the cursor is, twice
/// for the impatient, and the line that the cursor moved on to would be removed instead of ours.
const FREE_COLUMNS: u16 = 5;

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
            Some(bytes) => {
                (ProgressBar::new(bytes), "{bar:16} {percent:>3}%  {wide_msg} {eta} left")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {wide_msg}"),
        };
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(Margin(Term::stderr()))));
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

/// Removes what an import shows on its line, when the process ends in the middle.
pub(super) fn clear_line() {
    let stderr = Term::stderr();
    if stderr.is_term() {
        // Nobody is to be told if standard error is closed.
        let _ = stderr.clear_line();
    }
}

/// A terminal of which the last columns are not used.
#[derive(Debug)]
struct Margin(Term);

impl TermLike for Margin {
    fn width(&self) -> u16 {
        self.0.size().1.saturating_sub(FREE_COLUMNS)
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
