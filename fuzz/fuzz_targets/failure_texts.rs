//! `make fuzz TARGET=failure_texts`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throughline_fuzz::failure_texts::run(data));
