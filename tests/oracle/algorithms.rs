//! Kinds of keys and of signatures, also those that do not belong together.
//!
//! Not drawn, because nothing here makes them: signatures by RSA keys below 2048 bits and by P-224, RSA with SHA-1, SHA-224 and
//! MD5, PSS with a salt of another length, and ECDSA with another hash than the curve's, P-521 apart.

use crate::der::{INTEGER, NULL, bits, number, oid, sequence, wrap};
use crate::keys::Kind;
use crate::pem;
use crate::scene::Scene;
use crate::situations::{Draw, Drawn};

const KINDS: [(usize, Kind); 6] =
    [(4, Kind::P256), (4, Kind::P384), (3, Kind::P521), (2, Kind::Ed25519), (5, Kind::Rsa2048), (3, Kind::Rsa3072)];

/// A root, perhaps a CA, and a leaf of any kinds of keys.
pub(crate) fn algorithms(draw: &mut Draw<'_>) -> Drawn {
    let mut keys = vec![(*draw.rng.weighted(&KINDS), 0)];
    if draw.rng.chance(50) {
        keys.push((*draw.rng.weighted(&KINDS), 1));
    }
    let leaf = [
        (12, Kind::P256),
        (5, Kind::P384),
        (5, Kind::Rsa2048),
        (2, Kind::Rsa3072),
        (1, Kind::P521),
        (1, Kind::Ed25519),
    ];
    keys.push((*draw.rng.weighted(&leaf), 2));
    let mut scene = Scene::with_keys(draw, &keys);
    let is_small = draw.rng.chance(10);
    if is_small {
        scene.all[0].0.spki = draw.pool.rsa_1024().0.clone();
    }
    let mut description =
        format!("keys from the root {keys:?}{}", if is_small { ", but RSA 1024 for the leaf" } else { "" });
    let mut ders = Vec::new();
    for at in 0..scene.all.len() {
        let signer = draw.key(scene.signer(at));
        let schemes = signer.schemes();
        let scheme = *draw.rng.pick(&schemes);
        let mut algorithm = scheme.algorithm(signer);
        if draw.rng.chance(18) {
            algorithm = another(draw);
            description += &format!("; signature of {at} by {scheme:?} is called another");
        } else {
            description += &format!("; signature of {at} by {scheme:?}");
        }
        let facts = &mut scene.all[at].0;
        facts.inner_algorithm = Some(algorithm.clone());
        let tbs = facts.to_be_signed(signer);
        if draw.rng.chance(4) {
            description += ", outside another";
            algorithm = another(draw);
        }
        let mut signature = signer.sign_as(scheme, &tbs);
        if draw.rng.chance(4) {
            description += ", spoiled";
            spoil(draw, &mut signature);
        }
        ders.push(sequence(&[tbs, algorithm, bits(&signature)]));
    }
    let drawn = scene.drawn(draw, &ders, description);
    if is_small { Drawn { key_pem: pem::block("RSA PRIVATE KEY", &draw.pool.rsa_1024().1), ..drawn } } else { drawn }
}

fn spoil(draw: &mut Draw<'_>, signature: &mut Vec<u8>) {
    match draw.rng.below(4) {
        0 => signature.clear(),
        1 => _ = signature.pop(),
        2 => signature.push(0),
        _ => {
            let at = draw.rng.below(signature.len());
            signature[at] ^= 4;
        }
    }
}

/// The AlgorithmIdentifier of some signature, with usual or unusual parameters.
fn another(draw: &mut Draw<'_>) -> Vec<u8> {
    let oids = [
        "1.2.840.113549.1.1.4",
        "1.2.840.113549.1.1.5",
        "1.2.840.113549.1.1.11",
        "1.2.840.113549.1.1.12",
        "1.2.840.113549.1.1.13",
        "1.2.840.113549.1.1.14",
        "1.2.840.10045.4.1",
        "1.2.840.10045.4.3.2",
        "1.2.840.10045.4.3.3",
        "1.2.840.10045.4.3.4",
        "1.3.101.112",
        "1.3.101.113",
        "1.2.3.4",
    ];
    if draw.rng.chance(35) {
        return pss(draw);
    }
    let parameters = [Vec::new(), wrap(NULL, &[]), wrap(INTEGER, &[1])];
    sequence(&[oid(draw.rng.pick::<&str>(&oids)), draw.rng.pick(&parameters).clone()])
}

/// RSASSA-PSS with SHA-256 in several spellings, of which some mean something else.
fn pss(draw: &mut Draw<'_>) -> Vec<u8> {
    let null = |draw: &mut Draw<'_>| if draw.rng.chance(60) { wrap(NULL, &[]) } else { Vec::new() };
    let sha = |draw: &mut Draw<'_>| {
        let arc = *draw.rng.weighted(&[(80, "1"), (10, "2"), (10, "4")]);
        sequence(&[oid(&format!("2.16.840.1.101.3.4.2.{arc}")), null(draw)])
    };
    let hash = wrap(0xa0, &sha(draw));
    let mask = wrap(0xa1, &sequence(&[oid("1.2.840.113549.1.1.8"), sha(draw)]));
    let salt = wrap(0xa2, &number(*draw.rng.weighted(&[(80, 32), (10, 20), (10, 48)])));
    let mut parts = vec![hash, mask, salt];
    if draw.rng.chance(20) {
        parts.push(wrap(0xa3, &number(*draw.rng.pick(&[1, 1, 2]))));
    }
    if draw.rng.chance(15) {
        parts.remove(draw.rng.below(parts.len()));
    }
    sequence(&[oid("1.2.840.113549.1.1.10"), sequence(&parts)])
}
