//! Colours, on a terminal only.

use std::fmt::{self, Display};
use std::io::IsTerminal;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless the environment sets NO_COLOR.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// The style for what is written to `stream`.
    pub fn style_for(self, stream: &impl IsTerminal) -> Style {
        let wanted = match self {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !refused && stream.is_terminal()
            }
        };
        Style { wanted }
    }
}

/// Gives pieces of text their meaning: in colour, or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    wanted: bool,
}

/// A piece of text with its colour.
pub struct Painted<T> {
    text: T,
    code: Option<&'static str>,
}

impl Style {
    /// No colours.
    pub const PLAIN: Style = Style { wanted: false };

    /// The name of an entity or another heading.
    pub fn heading<T: Display>(self, text: T) -> Painted<T> {
        self.paint(text, "1")
    }

    /// What matters less.
    pub fn faint<T: Display>(self, text: T) -> Painted<T> {
        self.paint(text, "2")
    }

    /// What was added or went well.
    pub fn good<T: Display>(self, text: T) -> Painted<T> {
        self.paint(text, "32")
    }

    /// What was removed or failed.
    pub fn bad<T: Display>(self, text: T) -> Painted<T> {
        self.paint(text, "31")
    }

    /// What changed, or deserves a look.
    pub fn notable<T: Display>(self, text: T) -> Painted<T> {
        self.paint(text, "33")
    }

    /// The name of an event.
    pub fn event<T: Display>(self, text: T) -> Painted<T> {
        self.paint(text, "36")
    }

    fn paint<T: Display>(self, text: T, code: &'static str) -> Painted<T> {
        Painted { text, code: self.wanted.then_some(code) }
    }
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            None => self.text.fmt(formatter),
            Some(code) => {
                write!(formatter, "\x1b[{code}m")?;
                self.text.fmt(formatter)?;
                formatter.write_str("\x1b[0m")
            }
        }
    }
}
