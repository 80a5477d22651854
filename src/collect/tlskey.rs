//! Private keys in PEM: their facts, and the keys themselves for the prober.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use super::tlsfile::{boundary, lines, sequence, sha256, tlv};
use crate::evidence::{KeyFacts, KeyForm};
use crate::grpc::pem;

/// A private key that rustls can use. No `Debug`.
pub(crate) struct Key {
    /// SHA-256 of its SubjectPublicKeyInfo, lower-case hex.
    pub(crate) spki_sha256: String,
    /// The key, overwritten when dropped.
    pub(crate) der: Zeroizing<PrivateKeyDer<'static>>,
}

/// Every block whose label ends in `PRIVATE KEY`, in the order of the file.
pub(crate) fn read(bytes: &[u8]) -> (Vec<KeyFacts>, Vec<Key>) {
    let mut facts = Vec::new();
    let mut keys = Vec::new();
    let mut lines = lines(bytes).peekable();
    while let Some(line) = lines.next() {
        let Some(label) = boundary(line, "BEGIN").filter(|label| label.ends_with("PRIVATE KEY")) else { continue };
        let mut body = Zeroizing::new(Vec::new());
        let mut encrypted = label == "ENCRYPTED PRIVATE KEY";
        let mut closed = false;
        while let Some(line) = lines.next_if(|line| boundary(line, "BEGIN").is_none()) {
            if let Some(end) = boundary(line, "END") {
                closed = end == label;
                break;
            }
            // RFC 1421 headers, as `openssl rsa -aes256` writes them.
            if line.contains(&b':') {
                encrypted |= line.starts_with(b"Proc-Type:") && line.windows(9).any(|part| part == b"ENCRYPTED");
            } else if !line.starts_with(b"DEK-Info") {
                body.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
            }
        }
        let (fact, key) = match (closed, STANDARD.decode(&*body)) {
            (false, _) | (_, Err(_)) => (unknown(KeyForm::Unreadable), None),
            (true, Ok(der)) if encrypted => {
                drop(Zeroizing::new(der));
                (unknown(KeyForm::Encrypted), None)
            }
            (true, Ok(der)) => describe(label, Zeroizing::new(der)),
        };
        facts.push(fact);
        keys.extend(key);
    }
    first_for_grpc(bytes, &mut facts);
    (facts, keys)
}

/// Puts the key that gRPC reads to the front; when it reads none, the first is marked as no use to it.
fn first_for_grpc(bytes: &[u8], facts: &mut Vec<KeyFacts>) {
    let read = pem::private_key(bytes);
    if let Some(Ok((label, der))) = read {
        let form = (label == "ENCRYPTED PRIVATE KEY").then(|| unknown(KeyForm::Encrypted));
        let fact = form.unwrap_or_else(|| describe(&label, der).0);
        match facts.iter().position(|other| *other == fact) {
            Some(at) => facts.swap(0, at),
            None => facts.insert(0, fact),
        }
        return;
    }
    let Some(first) = facts.first_mut() else { return };
    match read {
        // Its generations differ.
        None => first.spki_sha256 = None,
        Some(_) if matches!(first.form, KeyForm::Encrypted | KeyForm::OpenSsh) => {}
        Some(_) => *first = unknown(KeyForm::Unreadable),
    }
}

fn describe(label: &str, mut der: Zeroizing<Vec<u8>>) -> (KeyFacts, Option<Key>) {
    // gRPC does not look at what follows the key in its block.
    let behind = tlv(&der).map_or(0, |(_, _, rest)| rest.len());
    let end = der.len() - behind;
    der.truncate(end);
    let form = match label {
        "OPENSSH PRIVATE KEY" => return (unknown(KeyForm::OpenSsh), None),
        "EC PRIVATE KEY" => KeyForm::Sec1,
        "PRIVATE KEY" => KeyForm::Pkcs8,
        "RSA PRIVATE KEY" => KeyForm::Pkcs1,
        _ => return (unknown(KeyForm::Unreadable), None),
    };
    let is = |form| sequence(&der).is_some_and(|body| is_of_form(form, body));
    if form != KeyForm::Pkcs8 && is(&KeyForm::Pkcs8) {
        // gRPC reads PKCS#8 under the label of the same kind of key.
        let (facts, key) = describe("PRIVATE KEY", der);
        return match (facts.algorithm == "RSA") == (form == KeyForm::Pkcs1) {
            true => (facts, key),
            false => (unknown(KeyForm::Unreadable), None),
        };
    }
    if !is(&form) {
        return (unknown(KeyForm::Unreadable), None);
    }
    let key = match form {
        KeyForm::Pkcs1 => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der.to_vec())),
        KeyForm::Sec1 => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der.to_vec())),
        _ => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der.to_vec())),
    };
    let key = Zeroizing::new(key);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let loaded = provider.key_provider.load_private_key(key.clone_key()).ok();
    if let Some(spki) = loaded.as_ref().and_then(|signer| signer.public_key()) {
        let (algorithm, bits) = algorithm(&spki);
        let spki_sha256 = sha256(&spki);
        let facts = KeyFacts { algorithm, bits, spki_sha256: Some(spki_sha256.clone()), form };
        return (facts, Some(Key { spki_sha256, der: key }));
    }
    // rustls refuses small RSA keys and those of odd sizes; gRPC takes them. Another one that it refuses may be damaged.
    let is_odd = |bits: &u32| *bits < 2048 || *bits > 8192 || !bits.is_multiple_of(512);
    let facts = match rsa_spki(&form, &der).filter(|(_, bits)| is_odd(bits)) {
        Some((spki, bits)) => KeyFacts { algorithm: "RSA".into(), bits, spki_sha256: Some(sha256(&spki)), form },
        None => unknown(form),
    };
    (facts, None)
}

/// Whether a key begins as its label says: gRPC does not look for other forms.
fn is_of_form(form: &KeyForm, body: &[u8]) -> bool {
    let Some((0x02, _version, rest)) = tlv(body) else { return false };
    let Some((second, _, rest)) = tlv(rest) else { return false };
    // An EC key under the label of one has to name its curve.
    if *form == KeyForm::Sec1 && rest.first() != Some(&0xa0) {
        return false;
    }
    second
        == (match form {
            KeyForm::Pkcs1 => 0x02,
            KeyForm::Sec1 => 0x04,
            _ => 0x30,
        })
}

fn unknown(form: KeyForm) -> KeyFacts {
    KeyFacts { algorithm: "unknown".into(), bits: 0, spki_sha256: None, form }
}

fn algorithm(spki: &[u8]) -> (String, u32) {
    const UNKNOWN: (&str, u32) = ("unknown", 0);
    let found = SubjectPublicKeyInfo::from_der(spki).ok().map(|(_, info)| {
        if let Ok(PublicKey::RSA(rsa)) = info.parsed() {
            return ("RSA", u32::try_from(rsa.key_size()).unwrap_or(0));
        }
        let curve = info.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok()).map(|oid| oid.to_id_string());
        match (info.algorithm.algorithm.to_id_string().as_str(), curve.as_deref()) {
            ("1.3.101.112", _) => ("Ed25519", 256),
            (_, Some("1.2.840.10045.3.1.7")) => ("P-256", 256),
            (_, Some("1.3.132.0.34")) => ("P-384", 384),
            (_, Some("1.3.132.0.35")) => ("P-521", 521),
            _ => UNKNOWN,
        }
    });
    let (name, bits) = found.unwrap_or(UNKNOWN);
    (name.into(), bits)
}

/// SubjectPublicKeyInfo and size of an RSA key (RFC 8017 appendix A.1, RFC 5958, RFC 3279 section 2.3.1).
fn rsa_spki(form: &KeyForm, der: &[u8]) -> Option<(Vec<u8>, u32)> {
    const RSA: &[u8] = &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let body = sequence(der)?;
    let body = match form {
        KeyForm::Pkcs1 => body,
        KeyForm::Pkcs8 => {
            let (_, _version, rest) = tlv(body)?;
            let (_, id, rest) = tlv(rest)?;
            // The OID, without the outer header and the NULL.
            if id.get(..11) != RSA.get(2..13) {
                return None;
            }
            let (tag, inner, _) = tlv(rest)?;
            sequence(inner).filter(|_| tag == 0x04)?
        }
        _ => return None,
    };
    let mut numbers = [&[][..]; 9];
    let mut rest = body;
    for number in &mut numbers {
        let (2, content, after) = tlv(rest)? else { return None };
        (*number, rest) = (content, after);
    }
    // A two-prime key, without the field for more.
    let ([0], true) = (numbers[0], rest.is_empty()) else { return None };
    let (modulus, exponent) = (numbers[1], numbers[2]);
    let significant = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let bits = significant.len() as u32 * 8 - significant.first()?.leading_zeros();
    let numbers = element(0x30, &[element(0x02, modulus), element(0x02, exponent)].concat());
    let bit_string = element(0x03, &[&[0][..], &numbers].concat());
    Some((element(0x30, &[RSA, &bit_string].concat()), bits))
}

fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len().to_be_bytes();
    let octets: Vec<u8> = length.into_iter().skip_while(|octet| *octet == 0).collect();
    let mut out = vec![tag];
    match body.len() {
        short @ 0..=0x7f => out.push(short as u8),
        _ => {
            out.push(0x80 | octets.len() as u8);
            out.extend(octets);
        }
    }
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Throw-away keys made for these tests by `openssl genrsa -traditional`.
    const RSA_1024: &str = include_str!("../../fixtures/keys/rsa1024-pkcs1.key");
    const RSA_2048: &str = include_str!("../../fixtures/keys/rsa2048-pkcs1.key");

    fn facts(pem: &str) -> KeyFacts {
        read(pem.as_bytes()).0.remove(0)
    }

    #[test]
    fn the_key_of_a_certificate_is_known_by_its_spki() {
        for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
            let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let (facts, keys) = read(pair.serialize_pem().as_bytes());
            let spki = rcgen::PublicKeyData::subject_public_key_info(&pair);
            assert_eq!(facts[0].spki_sha256.as_deref(), Some(sha256(&spki).as_str()));
            assert_eq!((keys.len(), &facts[0].form), (1, &KeyForm::Pkcs8));
            assert_ne!(facts[0].bits, 0);
        }
    }

    #[test]
    fn small_rsa_keys_have_facts_but_are_no_use_to_the_prober() {
        // `openssl rsa -pubout -outform DER | sha256sum`
        let expected = include_str!("../../fixtures/keys/spki.sha256");
        let mut expected = expected.lines();
        let (found, keys) = read(RSA_1024.as_bytes());
        assert_eq!((found[0].algorithm.as_str(), found[0].bits, keys.len()), ("RSA", 1024, 0));
        assert_eq!(found[0].spki_sha256.as_deref(), expected.next());
        let (found, keys) = read(RSA_2048.as_bytes());
        assert_eq!((found[0].bits, keys.len(), &found[0].form), (2048, 1, &KeyForm::Pkcs1));
        assert_eq!(found[0].spki_sha256.as_deref(), expected.next());
        let der = pem(RSA_2048);
        assert_eq!(rsa_spki(&KeyForm::Pkcs1, &der).map(|(spki, _)| sha256(&spki)), found[0].spki_sha256);
    }

    fn pem(text: &str) -> Vec<u8> {
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        STANDARD.decode(body).unwrap()
    }

    fn with(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    /// As measured with grpcio 1.49 to 1.85.
    #[test]
    fn what_follows_a_key_in_its_block_is_not_looked_at() {
        let der = [pem(RSA_2048), vec![0, 0]].concat();
        assert_eq!(facts(&with("RSA PRIVATE KEY", &der)), facts(RSA_2048));
    }

    #[test]
    fn an_ec_key_without_its_curve_is_unreadable() {
        let der = [element(0x02, &[1]), element(0x04, &[7; 32])].concat();
        assert_eq!(facts(&with("EC PRIVATE KEY", &element(0x30, &der))).form, KeyForm::Unreadable);
    }

    /// gRPC refuses it; nothing here says so for certain.
    #[test]
    fn a_spoiled_rsa_key_is_not_taken_for_a_good_one() {
        let mut der = pem(RSA_2048);
        *der.last_mut().unwrap() ^= 2;
        let found = facts(&with("RSA PRIVATE KEY", &der));
        assert_eq!((found.form, found.spki_sha256), (KeyForm::Pkcs1, None));
    }

    #[test]
    fn half_a_key_is_unreadable() {
        let half = &RSA_2048[..RSA_2048.len() / 2];
        assert_eq!(facts(half).form, KeyForm::Unreadable);
        let lines: Vec<&str> = RSA_2048.lines().collect();
        let shortened = [&lines[..10], &lines[lines.len() - 1..]].concat().join("\n");
        assert_eq!(facts(&shortened).form, KeyForm::Unreadable);
        assert_eq!(facts("-----BEGIN PRIVATE KEY-----\n???\n-----END PRIVATE KEY-----\n").form, KeyForm::Unreadable);
    }

    #[test]
    fn encrypted_and_foreign_forms_are_named() {
        let encrypted = RSA_2048.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1);
        assert_eq!(facts(&encrypted).form, KeyForm::Encrypted);
        assert_eq!(facts(&RSA_2048.replace("RSA PRIVATE", "ENCRYPTED PRIVATE")).form, KeyForm::Encrypted);
        assert_eq!(facts(&RSA_2048.replace("RSA PRIVATE", "OPENSSH PRIVATE")).form, KeyForm::OpenSsh);
    }
}
