//! The rules of statetrail: rule files are parsed, checked and compiled; a line of a log becomes
//! the events that its rules make of it.
//!
//! This crate is pure: it reads no file and knows no clock, no network and no store. It compiles
//! to WebAssembly and needs little stack, because the filter in Fluent Bit has 8 KiB of it.
//!
//! A line goes this way: the [`RuleSet`] tells the scope of its container; the prefilter finds
//! the rules of the scope that may match, in one pass; the line is redacted; the candidates are
//! tried in order; the first that matches makes the events (and with `continue`, the next).

mod capture;
mod check;
mod diagnostic;
mod extract;
mod fields;
mod file;
mod glob;
mod json;
mod logfmt;
mod matcher;
mod origin;
mod pattern;
mod prefilter;
mod redact;
mod regex;
mod samples;
mod set;
mod shadow;
mod template;
mod yaml;

pub use check::{check, check_one};
pub use diagnostic::{Diagnostic, Severity};
pub use extract::{Extractor, Json, Line, Matched, NearMiss, Outcome, RuleCount};
pub use origin::{ContainerName, Origin};
pub use samples::{SampleRun, run_samples, shown};
pub use set::{RuleSet, RuleText, ScopeId, is_at_or_below};

/// Deepest nesting of a rule file: it needs eight levels.
pub const DEPTH_MAX: usize = 16;

/// Whether YAML reads a scalar without quotes as a text, not as a number, a truth value or nothing.
pub fn is_plain_text(scalar: &str) -> bool {
    matches!(yaml::resolve_plain(scalar), yaml::Plain::Text)
}

/// The names of the types that a capture may have, as patterns write them.
pub fn capture_types() -> Vec<&'static str> {
    capture::CaptureType::names()
}
