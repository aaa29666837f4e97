//! What tests across crates need: the real binary, the filter's module, and log files that arrive in
//! disorder.

mod agreement;
mod binary;
mod disorder;
mod filter;
mod rotating;

pub use agreement::agrees_with_truth;
pub use binary::{project_folder, statetrail, statetrail_sink};
pub use disorder::{Disorder, disordered_copy};
pub use filter::filter_module;
pub use rotating::{Halt, RotatingLogs};
