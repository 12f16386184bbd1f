//! `make fuzz TARGET=traceparent`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throughline_fuzz::traceparent::run(data));
