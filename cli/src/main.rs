//! The binary `statetrail`.

fn main() {}
