//! Certificates under other names. Every key is replaced by a new one of the same kind, and every signature that held is
//! made again, so that the rules give the verdict that they gave before.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

use super::Words;
use crate::grpc::certificate::Certificate;
use crate::grpc::signature::{Outcome, verify};

/// What became of a certificate.
pub(super) struct Renamed {
    pub(super) der: Vec<u8>,
    /// SHA-256 of the DER and of the SubjectPublicKeyInfo, before and after, lower-case hex.
    pub(super) hashes: [(String, String); 2],
}

/// The certificates under other names, each by its DER. What is no certificate that can be read is left out.
///
/// # Errors
/// The subject and the reason, when there is one whose kind of key or signature cannot be made anew.
pub(super) fn rename(ders: &[Vec<u8>], words: &Words) -> Result<BTreeMap<Vec<u8>, Renamed>, String> {
    let read: Vec<Certificate> = ders.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    for certificate in &read {
        if !keys.contains_key(&certificate.key.spki_sha256) {
            let kind = Kind::of(&certificate.key.algorithm, certificate.key.bits);
            let key = kind.and_then(Key::make).ok_or_else(|| no(certificate, &certificate.key.algorithm))?;
            if key.spki.len() != certificate.key.spki.len() {
                return Err(no(certificate, "an unusual form"));
            }
            keys.insert(certificate.key.spki_sha256.clone(), key);
        }
    }
    let mut renamed = BTreeMap::new();
    for certificate in &read {
        let signer = read.iter().find(|issuer| verify(issuer, certificate) == Outcome::Yes);
        let stranger;
        let signer = match signer.and_then(|issuer| keys.get(&issuer.key.spki_sha256)) {
            Some(key) => key,
            None => {
                let kind = Kind::that_signs(&certificate.signature_algorithm);
                stranger = kind.and_then(Key::make).ok_or_else(|| no(certificate, &certificate.signature_algorithm))?;
                &stranger
            }
        };
        let own = keys.get(&certificate.key.spki_sha256).ok_or_else(|| no(certificate, "no key"))?;
        let der =
            anew(certificate, words, own, signer).ok_or_else(|| no(certificate, &certificate.signature_algorithm))?;
        let hashes = [(certificate.sha256.clone(), hex(&der)), (certificate.key.spki_sha256.clone(), hex(&own.spki))];
        renamed.insert(certificate.der.clone(), Renamed { der, hashes });
    }
    Ok(renamed)
}

fn no(certificate: &Certificate, kind: &str) -> String {
    format!(
        "the certificate {} has a key or signature of a kind that cannot be made anew ({kind})",
        certificate.subject
    )
}

#[derive(Clone, Copy)]
enum Kind {
    Ed25519,
    P256,
    P384,
    Rsa(KeySize),
}

struct Key {
    pair: Pair,
    spki: Vec<u8>,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Kind {
    fn of(algorithm: &str, bits: u32) -> Option<Kind> {
        Some(match (algorithm, bits) {
            ("Ed25519", _) => Kind::Ed25519,
            ("P-256", _) => Kind::P256,
            ("P-384", _) => Kind::P384,
            ("RSA", 2048) => Kind::Rsa(KeySize::Rsa2048),
            ("RSA", 3072) => Kind::Rsa(KeySize::Rsa3072),
            ("RSA", 4096) => Kind::Rsa(KeySize::Rsa4096),
            _ => return None,
        })
    }

    /// A key that could have made such a signature, for one whose maker is not in the evidence.
    fn that_signs(algorithm: &str) -> Option<Kind> {
        Some(match algorithm {
            "Ed25519" => Kind::Ed25519,
            "ecdsa-with-SHA256" => Kind::P256,
            "ecdsa-with-SHA384" => Kind::P384,
            name if name.ends_with("RSAEncryption") => Kind::Rsa(KeySize::Rsa2048),
            _ => return None,
        })
    }
}

impl Key {
    fn make(kind: Kind) -> Option<Key> {
        Some(match kind {
            Kind::Ed25519 => {
                let pair = Ed25519KeyPair::generate().ok()?;
                let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
                Key { spki: spki.as_ref().to_vec(), pair: Pair::Ed25519(pair) }
            }
            Kind::P256 | Kind::P384 => {
                let rules = match kind {
                    Kind::P256 => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
                    _ => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
                };
                let pair = EcdsaKeyPair::generate(rules).ok()?;
                let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
                Key { spki: spki.as_ref().to_vec(), pair: Pair::Ecdsa(pair) }
            }
            Kind::Rsa(size) => {
                let pair = RsaKeyPair::generate(size).ok()?;
                let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
                Key { spki: spki.as_ref().to_vec(), pair: Pair::Rsa(pair) }
            }
        })
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match (&self.pair, algorithm) {
            (Pair::Ed25519(pair), "Ed25519") => Some(pair.sign(message).as_ref().to_vec()),
            (Pair::Ecdsa(pair), "ecdsa-with-SHA256" | "ecdsa-with-SHA384") => {
                // A key of one curve signs with the hash of that curve.
                let wanted = if self.spki.len() < 100 { "ecdsa-with-SHA256" } else { "ecdsa-with-SHA384" };
                (wanted == algorithm).then(|| pair.sign(&random, message).ok()).flatten().map(|s| s.as_ref().to_vec())
            }
            (Pair::Rsa(pair), name) => {
                let padding: &dyn signature::RsaEncoding = match name {
                    "sha256WithRSAEncryption" => &signature::RSA_PKCS1_SHA256,
                    "sha384WithRSAEncryption" => &signature::RSA_PKCS1_SHA384,
                    "sha512WithRSAEncryption" => &signature::RSA_PKCS1_SHA512,
                    _ => return None,
                };
                let mut signed = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signed).ok()?;
                Some(signed)
            }
            _ => None,
        }
    }
}

/// The same certificate with other words of the same length, this key, and a signature by that one.
fn anew(certificate: &Certificate, words: &Words, own: &Key, signer: &Key) -> Option<Vec<u8>> {
    let (tag, content, []) = element(&certificate.der)? else { return None };
    let (_, _, after_tbs) = element(content)?;
    let (_, _, after_algorithm) = element(after_tbs)?;
    let mut tbs = content.get(..content.len() - after_tbs.len())?.to_vec();
    let algorithm = after_tbs.get(..after_tbs.len() - after_algorithm.len())?;
    let at = tbs.windows(certificate.key.spki.len()).position(|window| window == certificate.key.spki)?;
    tbs.get_mut(at..at + own.spki.len())?.copy_from_slice(&own.spki);
    let spki = at..at + own.spki.len();
    text(&mut tbs, 0, &spki, words, 0);
    let signature = signer.sign(&certificate.signature_algorithm, &tbs)?;
    let bits = [&[0][..], &signature].concat();
    Some(written(tag, &[&tbs[..], algorithm, &written(0x03, &bits)].concat()))
}

/// Tag, content and what comes after.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

fn written(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let octets = length.to_be_bytes();
    let octets = octets.iter().position(|octet| *octet != 0).map_or(&[][..], |at| &octets[at..]);
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            out.push(0x80 | u8::try_from(octets.len()).unwrap_or(8));
            out.extend_from_slice(octets);
        }
    }
    out.extend_from_slice(content);
    out
}

/// Nested values of a certificate are a dozen deep at most.
const DEPTH: usize = 24;

/// Replaces words in every string of the elements in a row; `base` is where `bytes` stands, and the key at `spki` is passed over.
fn text(bytes: &mut [u8], base: usize, spki: &std::ops::Range<usize>, words: &Words, depth: usize) {
    let mut at = 0;
    let mut is_authority_key_id = false;
    while let Some((tag, content, after)) = bytes.get(at..).and_then(element) {
        let end = bytes.len() - after.len();
        let start = end - content.len();
        if spki.start != base + at && depth < DEPTH {
            if tag == 0x06 {
                is_authority_key_id = content == [0x55, 0x1d, 0x23];
            }
            // An authority key id has a serial number where other names have a host.
            let host = matches!(tag, 0x81 | 0x82 | 0x86) && !words.in_authority_key_id;
            let nested = tag == 0x04 && is_row(content);
            let part = &mut bytes[start..end];
            match tag {
                0x0c | 0x13 | 0x14 | 0x16 | 0x1a => words.replace_bytes(part),
                _ if host => words.replace_bytes(part),
                _ if nested && is_authority_key_id => {
                    text(part, base + start, spki, &words.inside_authority_key_id(), depth + 1);
                }
                _ if nested || tag & 0x20 != 0 => text(part, base + start, spki, words, depth + 1),
                _ => {}
            }
        }
        at = end;
    }
}

fn is_row(mut bytes: &[u8]) -> bool {
    if bytes.is_empty() {
        return false;
    }
    while !bytes.is_empty() {
        match element(bytes) {
            Some((_, _, after)) => bytes = after,
            None => return false,
        }
    }
    true
}

fn hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}
