//! Following: events as they arrive, for any number of clients.

mod client;
mod hub;
mod ring;

pub(crate) use client::{Client, frames};
pub(crate) use hub::Hub;
