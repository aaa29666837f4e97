//! Writes answers: as text for people, as JSON, JSON lines or CSV for scripts.

mod style;
mod text;

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;
pub use statetrail_query::views::{
    ChangeView, EntityView, EventView, SetView, StateView, cell, json_cell, moment,
};
pub use style::{ColorChoice, Painted, Style};
use text::TEXT_WIDTH;
pub use text::{
    changes_on_one_line, field_width, printable, state_on_one_line, terminal_width, wrap,
    write_changes, write_fields, write_indented, write_painted,
};

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// For people. May change at any time.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// A JSON document on each line.
    Jsonl,
    /// Comma-separated values with a line of headings.
    Csv,
}

impl OutputFormat {
    /// The word that is typed for it.
    pub fn name(self) -> &'static str {
        match self {
            OutputFormat::Text => "text",
            OutputFormat::Json => "json",
            OutputFormat::Jsonl => "jsonl",
            OutputFormat::Csv => "csv",
        }
    }
}

/// Where an answer goes, and in which form.
///
/// A list is written with [`begin_list`](Output::begin_list), [`item`](Output::item) for each
/// element and [`end_list`](Output::end_list), so that it need not fit into memory.
pub struct Output<'w> {
    /// The form that was asked for.
    pub format: OutputFormat,
    /// Colours for text.
    pub style: Style,
    /// The columns of the terminal; `None` if it is none.
    terminal: Option<usize>,
    writer: Box<dyn Write + 'w>,
    list_items: u64,
}

impl<'w> Output<'w> {
    /// Answers of that form to that writer, which may be a terminal of so many columns.
    pub fn new(
        format: OutputFormat,
        style: Style,
        terminal: Option<usize>,
        writer: impl Write + 'w,
    ) -> Output<'w> {
        Output { format, style, terminal, writer: Box::new(writer), list_items: 0 }
    }

    /// Whether people read it.
    pub fn is_text(&self) -> bool {
        self.format == OutputFormat::Text
    }

    /// Columns that text is broken for.
    pub fn width(&self) -> usize {
        self.terminal.unwrap_or(TEXT_WIDTH)
    }

    /// Whether a line of that many columns can stay one: always, but for a terminal that is
    /// narrower, so that what reads a pipe finds one line for one thing.
    pub fn fits(&self, columns: usize) -> bool {
        self.terminal.is_none_or(|width| columns <= width)
    }

    /// Writes one document: over several lines as JSON, on one as JSON lines.
    ///
    /// # Errors
    /// When the writer fails, as in all methods.
    pub fn document(&mut self, document: &impl Serialize) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Json => serde_json::to_writer_pretty(&mut self.writer, document),
            _ => serde_json::to_writer(&mut self.writer, document),
        }
        .map_err(io::Error::from)?;
        writeln!(self.writer)?;
        Ok(())
    }

    /// Begins a list; `headings` are those of CSV.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn begin_list(&mut self, headings: &[&str]) -> Result<(), Failure> {
        self.list_items = 0;
        match self.format {
            OutputFormat::Csv => self.csv_row(headings),
            _ => Ok(()),
        }
    }

    /// Writes an element of a list: `view` as JSON, `row` as CSV.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn item(
        &mut self,
        view: &impl Serialize,
        row: impl FnOnce() -> Vec<String>,
    ) -> Result<(), Failure> {
        let first = self.list_items == 0;
        self.list_items += 1;
        if self.format == OutputFormat::Csv {
            return self.csv_row(row());
        }
        if self.format == OutputFormat::Json {
            write!(self.writer, "{}", if first { "[\n" } else { ",\n" })?;
        }
        serde_json::to_writer(&mut self.writer, view).map_err(io::Error::from)?;
        if self.format != OutputFormat::Json {
            writeln!(self.writer)?;
        }
        Ok(())
    }

    /// Ends a list.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn end_list(&mut self) -> Result<(), Failure> {
        if self.format == OutputFormat::Json {
            writeln!(self.writer, "{}", if self.list_items == 0 { "[]" } else { "\n]" })?;
        }
        Ok(())
    }

    /// Writes a row of comma-separated values.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn csv_row(
        &mut self,
        cells: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<(), Failure> {
        let mut row = csv::Writer::from_writer(&mut self.writer);
        row.write_record(cells).map_err(io::Error::from)?;
        row.flush()?;
        Ok(())
    }

    /// Hands over what is buffered.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.writer.flush()?;
        Ok(())
    }
}

/// Text is written as to any other writer.
impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
