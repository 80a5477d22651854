#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use raytls_fuzz::{certificate, mutate};

fuzz_target!(|der: &[u8]| certificate::check(der));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 4 != 0
        && let Some(changed) = mutate::der(&data[..size], seed, &mut octets)
        && changed.len() <= max_size
    {
        data[..changed.len()].copy_from_slice(&changed);
        return changed.len();
    }
    fuzzer_mutate(data, size, max_size)
});

/// Lets libFuzzer change octets, which may grow by some.
fn octets(content: &mut Vec<u8>) {
    let size = content.len();
    content.resize(size + 64, 0);
    let size = fuzzer_mutate(content, size, size + 64);
    content.truncate(size);
}
