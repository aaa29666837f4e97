//! One module per command.

pub mod rules_check;
