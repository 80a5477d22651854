//! What must hold of any input holds of the seeds.

use std::fs;
use std::path::Path;

use raytls_fuzz::verdict::Situation;
use raytls_fuzz::{certificate, mutate, names, pem, tree, verdict};

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let seeds = fs::read_dir(folder).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    });
    let seeds = seeds.collect::<Vec<_>>();
    assert!(!seeds.is_empty());
    seeds
}

#[test]
fn pem() {
    seeds("pem").iter().for_each(|(_, bytes)| pem::check(bytes));
}

#[test]
fn certificate() {
    seeds("certificate").iter().for_each(|(_, der)| certificate::check(der));
}

#[test]
fn names() {
    seeds("names").iter().for_each(|(_, bytes)| names::check(bytes));
}

#[test]
fn verdict() {
    for (name, bytes) in seeds("verdict") {
        let situation = Situation::read(&bytes);
        assert_eq!(situation.write(), bytes, "{name}");
        for options in [[0, 7, 7, 0], [1, 7, 7, 1], [0, 7, 7, 1], [0, 7, 0, 0], [0, 7, 2, 0], [1, 2, 3, 16]] {
            verdict::check(&Situation { options, ..situation.clone() });
        }
    }
}

#[test]
fn trees_are_written_as_they_were_read_and_changed_in_one_place() {
    for (name, der) in seeds("certificate") {
        let Some(nodes) = tree::read(&der, 0) else { continue };
        assert_eq!(tree::write(&nodes), der, "{name}");
        for seed in 0..40 {
            mutate::der(&der, seed, &mut |content| content.push(0)).unwrap();
        }
    }
}
