#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| statetrail_fuzz::formatted_rules(data));
