//! Writes answers: as text for people, as JSON, JSON lines or CSV for scripts.

mod style;
mod text;

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;
pub use style::{ColorChoice, Painted, Style};
pub use text::{DEFAULT_WIDTH, printable, wrap};

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

/// Where an answer goes, and in which form.
pub struct Output<'w> {
    /// The form that was asked for.
    pub format: OutputFormat,
    /// Colours for text.
    pub style: Style,
    writer: Box<dyn Write + 'w>,
}

impl<'w> Output<'w> {
    /// Answers of that form to that writer.
    pub fn new(format: OutputFormat, style: Style, writer: impl Write + 'w) -> Output<'w> {
        Output { format, style, writer: Box::new(writer) }
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

    /// Writes a list: as JSON one array with an element a line, as JSON lines the elements.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn list<T: Serialize>(
        &mut self,
        items: impl IntoIterator<Item = T>,
    ) -> Result<(), Failure> {
        let array = self.format == OutputFormat::Json;
        let mut separator = if array { "[\n" } else { "" };
        for item in items {
            write!(self.writer, "{separator}")?;
            serde_json::to_writer(&mut self.writer, &item).map_err(io::Error::from)?;
            separator = if array { ",\n" } else { "\n" };
        }
        match (array, separator) {
            (true, "[\n") => writeln!(self.writer, "[]")?,
            (true, _) => writeln!(self.writer, "\n]")?,
            (false, "") => {}
            (false, _) => writeln!(self.writer)?,
        }
        Ok(())
    }

    /// Writes comma-separated values.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn csv<const N: usize>(
        &mut self,
        headings: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Result<(), Failure> {
        let mut csv = csv::Writer::from_writer(&mut self.writer);
        let written = csv
            .write_record(headings)
            .and_then(|()| rows.into_iter().try_for_each(|row| csv.write_record(row)));
        written.map_err(io::Error::from)?;
        csv.flush()?;
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
