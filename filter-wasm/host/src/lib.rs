//! Fluent Bit's side of the filter, for tests, fuzz targets and `statetrail rules test`: the compiled module, loaded once,
//! called for every record with arguments that the guest's own `malloc` made room for, and read as
//! a C string.

mod clock;
mod guest;
mod reply;

pub use guest::{ANNOTATE, EVENTS, Guest, Handover, Host, engine, function};
pub use reply::{Reply, check_readable};
