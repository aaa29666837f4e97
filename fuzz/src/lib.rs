//! One function for each kind of input that comes from outside: it takes any bytes and panics if
//! something that must always hold does not. The tests of this crate call them on stable Rust;
//! `libfuzzer/` hands them to cargo-fuzz.
#![allow(clippy::missing_panics_doc, reason = "a panic is how a target reports what it found")]

mod cloudevents;
mod container_lines;
#[cfg(feature = "exported")]
mod exported;
mod patterns;
mod records;
mod rule_files;
mod workshop;

pub use cloudevents::cloudevents;
pub use container_lines::cri_lines;
#[cfg(feature = "exported")]
pub use exported::{exported_annotate, exported_events};
pub use patterns::patterns;
pub use records::{json_records, msgpack_records};
pub use rule_files::rule_files;
pub use workshop::{formatted_rules, suggested_rules};

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("cloudevents", cloudevents),
    ("cri_lines", cri_lines),
    #[cfg(feature = "exported")]
    ("exported_annotate", exported_annotate),
    #[cfg(feature = "exported")]
    ("exported_events", exported_events),
    ("formatted_rules", formatted_rules),
    ("json_records", json_records),
    ("msgpack_records", msgpack_records),
    ("patterns", patterns),
    ("rule_files", rule_files),
    ("suggested_rules", suggested_rules),
];
