//! The Cassandra store against a real Cassandra: the suite that every store passes, and what
//! only this store has.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod backup;
mod cluster;
mod faults;
mod following;
mod own;
mod plain;
mod refused;
mod retained;
mod tended;
mod versions;
