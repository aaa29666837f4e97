#![no_main]

libfuzzer_sys::fuzz_target!(
    // Starts the filter: what is covered on the way there says nothing about the first input.
    init: statetrail_fuzz::exported_events(b""),
    |data: &[u8]| statetrail_fuzz::exported_events(data)
);
