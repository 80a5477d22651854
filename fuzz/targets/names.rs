#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| raytls_fuzz::names::check(bytes));
