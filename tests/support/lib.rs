//! What tests across crates need: the real binary, and log files that arrive in disorder.

mod binary;
mod disorder;

pub use binary::{project_folder, statetrail};
pub use disorder::{Disorder, disordered_copy};
