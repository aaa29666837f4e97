//! The filter as Fluent Bit meets it: compiled to WASM, loaded once, called for every record
//! with arguments that the guest's own `malloc` made room for, and read as a C string.
//!
//! Everything here drives the compiled module in wasmtime. The module is built by the tests
//! themselves, with the profile that is shipped.

mod agreement;
mod corpus;
mod guest;
mod hostile;
mod large;
mod loading;
mod own_entity;
mod reloading;
mod replies;
mod stack;
mod stack_meter;
mod step_meter;
mod steps;
mod wasm;
