//! `make fuzz TARGET=observe`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throughline_fuzz::observe::run(data));
