#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use raytls_fuzz::mutate::{self, Random};
use raytls_fuzz::verdict::{self, Piece, Situation};

fuzz_target!(|bytes: &[u8]| verdict::check(&Situation::read(bytes)));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random(u64::from(seed) << 1 | 1);
    let mut situation = Situation::read(&data[..size]);
    let changed = match random.below(8) {
        0 => false,
        1 => {
            let at = random.below(situation.options.len());
            situation.options[at] = random.below(256) as u8;
            true
        }
        2 => {
            let mut name = situation.name.into_bytes();
            octets(&mut name);
            situation.name = String::from_utf8_lossy(&name).into_owned();
            true
        }
        3 => {
            let from = if random.below(2) == 0 { &situation.chain } else { &situation.trust };
            let piece = from.get(random.below(from.len())).cloned();
            let to = if random.below(2) == 0 { &mut situation.chain } else { &mut situation.trust };
            let place = random.below(to.len() + 1);
            match piece {
                Some(piece) if random.below(2) == 0 => to.insert(place, piece),
                _ if place < to.len() => drop(to.remove(place)),
                _ => {}
            }
            true
        }
        4 => {
            let to = if random.below(2) == 0 { &mut situation.chain } else { &mut situation.trust };
            let (a, b) = (random.below(to.len()), random.below(to.len()));
            if !to.is_empty() {
                to.swap(a, b);
            }
            true
        }
        _ => {
            let to = if random.below(3) < 2 { &mut situation.chain } else { &mut situation.trust };
            let at = random.below(to.len());
            match to.get_mut(at) {
                Some(Piece::Der(der)) => match mutate::der(der, random.below(1 << 30) as u32, &mut octets) {
                    Some(changed) => *der = changed,
                    None => octets(der),
                },
                Some(Piece::Text(text)) => octets(text),
                None => {}
            }
            true
        }
    };
    let bytes = situation.write();
    if !changed || bytes.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..bytes.len()].copy_from_slice(&bytes);
    bytes.len()
});

/// Lets libFuzzer change octets, which may grow by some.
fn octets(content: &mut Vec<u8>) {
    let size = content.len();
    content.resize(size + 64, 0);
    let size = fuzzer_mutate(content, size, size + 64);
    content.truncate(size);
}
