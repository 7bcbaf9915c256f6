//! The fuzzer of [`fuzz::emulate`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::emulate(data));
