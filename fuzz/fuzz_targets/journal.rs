//! `make fuzz TARGET=journal`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throughline_fuzz::journal::run(data));
