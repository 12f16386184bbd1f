//! `make fuzz TARGET=abort_message`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throughline_fuzz::abort_message::run(data));
