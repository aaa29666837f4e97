//! The dashboard of `statetrail serve`, looked at with a real Chromium.
//!
//! Pictures of every page are kept in `target/screenshots`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod axe;
mod browser;
#[path = "../common/mod.rs"]
mod common;
mod live;
mod looks;
mod playground;
mod serving;
mod time;
mod tokens;
mod trouble;
