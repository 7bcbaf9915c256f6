//! The fuzzer of [`fuzz::assemble`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::assemble(data));
