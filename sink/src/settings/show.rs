//! The settings in effect, as a file that would give the same again.

use std::fmt::Write;

use super::definitions::{DEFINITIONS, PROPERTIES};
use super::layers::Layers;
use super::shown_property;

/// The settings as TOML, each with where it comes from. Secrets are not in it: the settings hold
/// the names of their files, and properties that are secrets are starred out.
pub fn show(layers: &Layers) -> String {
    let mut shown = String::new();
    let mut line = |key: &str, text: &str, origin: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(shown, "{key} = {text:?}  # {origin}");
    };
    for definition in &DEFINITIONS {
        if let Some(given) = layers.given.get(definition.key) {
            line(definition.key, &given.text, &given.origin);
        }
    }
    for (name, given) in &layers.properties {
        let key = format!("{PROPERTIES}.{name:?}");
        line(&key, shown_property(name, &given.text), &given.origin);
    }
    shown
}
