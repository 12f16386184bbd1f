//! `make fuzz TARGET=fold`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throughline_fuzz::fold::run(data));
