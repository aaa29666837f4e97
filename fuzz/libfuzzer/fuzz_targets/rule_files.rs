#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| statetrail_fuzz::rule_files(data));
