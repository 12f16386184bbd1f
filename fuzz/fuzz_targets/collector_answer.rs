//! `make fuzz TARGET=collector_answer`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throughline_fuzz::collector_answer::run(data));
