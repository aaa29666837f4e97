//! What `make bench-sink` is made of: events of a given kind, real servers, and the rivals that
//! write the same events with the same driver.

pub mod bare;
pub mod events;
pub mod run;
pub mod servers;
pub mod topic;
