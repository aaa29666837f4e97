//! The playground's engine: the rules of statetrail, compiled for a browser.
//!
//! [`Desk`] is pure and is what tests ask; [`Playground`] hands its answers to JavaScript as JSON.
//! Places within lines are counted in UTF-16 units, as JavaScript does.

mod desk;
mod views;

use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

pub use desk::Desk;
pub use views::{
    CaptureView, EntityView, FaultView, FieldView, FormView, LineView, MadeView, Mark, MatchView,
    NearView, RuleView, RulesView, RunView, StepView, SuggestionView,
};

/// Rules that are shown to who comes without any.
pub const EXAMPLE_RULES: &str = include_str!("../example/rules.yaml");
/// The lines beside them.
pub const EXAMPLE_LINES: &str = include_str!("../example/lines.log");

/// A [`Desk`] for JavaScript; every answer is JSON.
#[wasm_bindgen]
#[derive(Default)]
pub struct Playground {
    desk: Desk,
}

#[wasm_bindgen]
impl Playground {
    /// An empty one.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Playground {
        Playground::default()
    }

    /// Rules and lines to begin with.
    pub fn example() -> String {
        json(&[EXAMPLE_RULES, EXAMPLE_LINES])
    }

    /// See [`Desk::set_rules`].
    pub fn set_rules(&mut self, text: &str) -> String {
        json(&self.desk.set_rules(text))
    }

    /// See [`Desk::set_lines`].
    pub fn set_lines(&mut self, text: &str) {
        self.desk.set_lines(text);
    }

    /// See [`Desk::run`].
    pub fn run(&mut self) -> String {
        json(&self.desk.run())
    }

    /// See [`Desk::line`].
    pub fn line(&mut self, number: usize) -> String {
        json(&self.desk.line(number))
    }

    /// See [`Desk::add_sample`].
    pub fn add_sample(&mut self, number: usize) -> String {
        json(&self.desk.add_sample(number))
    }

    /// See [`Desk::format`].
    pub fn format(&self) -> String {
        json(&self.desk.format())
    }

    /// See [`Desk::left_over`].
    pub fn left_over(&mut self) -> String {
        json(&self.desk.left_over())
    }

    /// See [`Desk::suggest`].
    pub fn suggest(&self) -> String {
        json(&self.desk.suggest())
    }
}

fn json<T: Serialize + ?Sized>(answer: &T) -> String {
    // Views have no keys that JSON cannot have.
    serde_json::to_string(answer).unwrap_or_default()
}
