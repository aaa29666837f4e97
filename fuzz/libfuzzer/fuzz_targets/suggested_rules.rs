#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| statetrail_fuzz::suggested_rules(data));
