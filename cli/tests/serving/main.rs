//! `statetrail serve` and `token`: the real binary, asked over its port.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod following;
mod outage;
mod same_answers;
mod starting;
mod support;
mod tls;
