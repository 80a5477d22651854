//! Signatures of certificates.

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use super::certificate::{Certificate, PublicKey, Signed};
use super::der::{self, INTEGER, NULL, OID, SEQUENCE};
use super::parse::{self, Algorithm};

/// Whether a signature verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does.
    Yes,
    /// It does not; the code that BoringSSL prints, where known.
    No(Option<&'static str>),
    /// gRPC decides it, but the cryptography here does not know the kind; one clause.
    Cannot(String),
}

/// Whether `certificate` is signed with the key of `issuer`: by the bytes, or for a hypothetical certificate by assumption.
pub fn verify(issuer: &Certificate, certificate: &Certificate) -> Outcome {
    if let Signed::Assumed { issuer_spki_sha256 } = &certificate.signature {
        return if *issuer_spki_sha256 == issuer.key.spki_sha256 { Outcome::Yes } else { Outcome::No(None) };
    }
    if issuer.key.spki.is_empty() {
        // A key that an edit made up has signed nothing yet.
        return Outcome::No(None);
    }
    match parts(certificate) {
        Ok((envelope, inner)) if envelope.algorithm.whole == inner.whole => match envelope.signature {
            Some(signature) => verify_bytes(&issuer.key, &envelope.algorithm, envelope.tbs, signature),
            None => Outcome::Cannot("a signature whose bits are not whole octets".into()),
        },
        Ok(_) => Outcome::No(Some("SIGNATURE_ALGORITHM_MISMATCH")),
        Err(error) => Outcome::Cannot(error),
    }
}

/// Whether gRPC can use a key as an issuer's.
pub(super) fn is_issuer_key(algorithm: &str) -> bool {
    !matches!(algorithm, "secp256k1" | "Ed448" | "RSA-PSS" | parse::EXPLICIT_CURVE)
}

fn parts(certificate: &Certificate) -> Result<(parse::Envelope<'_>, Algorithm<'_>), String> {
    let envelope = parse::envelope(&certificate.der)?;
    let inner = parse::inner_algorithm(envelope.tbs)?;
    Ok((envelope, inner))
}

fn verify_bytes(issuer: &PublicKey, algorithm: &Algorithm<'_>, signed: &[u8], signature: &[u8]) -> Outcome {
    let key = issuer.algorithm.as_str();
    let (spki_algorithm, bits) = match parse::subject_public_key_info(&issuer.spki) {
        Ok((algorithm, Some(bits))) => (algorithm, bits),
        _ => return Outcome::Cannot("an issuer key of an unusual shape".into()),
    };
    let cannot = || Outcome::Cannot(format!("the signature kind {} by a key of kind {key}", algorithm.oid));
    let Some((family, hash)) = kind(algorithm) else {
        return if algorithm.oid == MD5_RSA {
            Outcome::No(Some("DIGEST_AND_KEY_TYPE_NOT_SUPPORTED"))
        } else {
            cannot()
        };
    };
    let (wanted, plain) = match key {
        "RSA" => (matches!(family, Family::Rsa | Family::RsaPss), spki_algorithm.parameters == [5, 0]),
        "Ed25519" => (family == Family::Ed25519, spki_algorithm.parameters.is_empty()),
        "P-256" | "P-384" | "P-521" | "P-224" => (family == Family::Ecdsa, true),
        _ => return cannot(),
    };
    if !plain {
        return Outcome::Cannot("an issuer key with unusual parameters".into());
    }
    if !wanted {
        return Outcome::No(None);
    }
    let Some(rules) =
        rules(key, family, hash).filter(|_| key != "RSA" || rsa_sizes(family, hash).contains(&issuer.bits))
    else {
        return cannot();
    };
    // A key that cannot be read is not a signature that fails.
    let Ok(public) = ParsedPublicKey::new(rules, bits) else {
        return Outcome::Cannot(format!("an issuer key of kind {key} and an unusual form or size"));
    };
    match public.verify_sig(signed, signature) {
        Ok(()) => Outcome::Yes,
        Err(_) => Outcome::No((family == Family::Ecdsa).then_some("BAD_SIGNATURE")),
    }
}

const MD5_RSA: &str = "1.2.840.113549.1.1.4";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Ecdsa,
    Ed25519,
    Rsa,
    RsaPss,
}

/// The family and the hash size of a signature algorithm that gRPC takes, in the encodings that are certain.
fn kind(algorithm: &Algorithm<'_>) -> Option<(Family, u16)> {
    let plain = |family, hash| parse::is_absent_or_null(algorithm.parameters).then_some((family, hash));
    match algorithm.oid.as_str() {
        "1.2.840.113549.1.1.5" => plain(Family::Rsa, 1),
        "1.2.840.113549.1.1.14" => plain(Family::Rsa, 224),
        "1.2.840.113549.1.1.11" => plain(Family::Rsa, 256),
        "1.2.840.113549.1.1.12" => plain(Family::Rsa, 384),
        "1.2.840.113549.1.1.13" => plain(Family::Rsa, 512),
        "1.2.840.10045.4.1" => plain(Family::Ecdsa, 1),
        "1.2.840.10045.4.3.1" => plain(Family::Ecdsa, 224),
        "1.2.840.10045.4.3.2" => plain(Family::Ecdsa, 256),
        "1.2.840.10045.4.3.3" => plain(Family::Ecdsa, 384),
        "1.2.840.10045.4.3.4" => plain(Family::Ecdsa, 512),
        "1.2.840.113549.1.1.10" => [(256, 1), (384, 2), (512, 3)]
            .into_iter()
            .find(|(hash, arc)| pss_parameters(*hash, *arc) == algorithm.parameters)
            .map(|(hash, _)| (Family::RsaPss, hash)),
        "1.3.101.112" => algorithm.parameters.is_empty().then_some((Family::Ed25519, 0)),
        _ => None,
    }
}

fn rules(key: &str, family: Family, hash: u16) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (key, family, hash) {
        ("RSA", Family::Rsa, 1) => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        ("RSA", Family::Rsa, 256) => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        ("RSA", Family::Rsa, 384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        ("RSA", Family::Rsa, 512) => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        ("RSA", Family::RsaPss, 256) => &signature::RSA_PSS_2048_8192_SHA256,
        ("RSA", Family::RsaPss, 384) => &signature::RSA_PSS_2048_8192_SHA384,
        ("RSA", Family::RsaPss, 512) => &signature::RSA_PSS_2048_8192_SHA512,
        ("P-256", _, 1) => &signature::ECDSA_P256_SHA1_ASN1,
        ("P-256", _, 256) => &signature::ECDSA_P256_SHA256_ASN1,
        ("P-256", _, 384) => &signature::ECDSA_P256_SHA384_ASN1,
        ("P-256", _, 512) => &signature::ECDSA_P256_SHA512_ASN1,
        ("P-384", _, 256) => &signature::ECDSA_P384_SHA256_ASN1,
        ("P-384", _, 384) => &signature::ECDSA_P384_SHA384_ASN1,
        ("P-384", _, 512) => &signature::ECDSA_P384_SHA512_ASN1,
        ("P-521", _, 1) => &signature::ECDSA_P521_SHA1_ASN1,
        ("P-521", _, 224) => &signature::ECDSA_P521_SHA224_ASN1,
        ("P-521", _, 256) => &signature::ECDSA_P521_SHA256_ASN1,
        ("P-521", _, 384) => &signature::ECDSA_P521_SHA384_ASN1,
        ("P-521", _, 512) => &signature::ECDSA_P521_SHA512_ASN1,
        ("Ed25519", _, _) => &signature::ED25519,
        _ => return None,
    })
}

/// The RSA sizes of which the rules of [`rules`] decide signatures.
fn rsa_sizes(family: Family, hash: u16) -> std::ops::RangeInclusive<u32> {
    if family == Family::RsaPss || hash == 384 { 2048..=8192 } else { 1024..=8192 }
}

/// RSASSA-PSS parameters as everyone writes them: one hash for both uses, a salt as long as it. `arc` is the last arc of
/// the hash's object identifier.
fn pss_parameters(hash: u16, arc: u8) -> Vec<u8> {
    let sha = der::wrap(OID, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc]);
    let hash_algorithm = der::wrap(SEQUENCE, &[sha, der::wrap(NULL, &[])].concat());
    let mgf1 = der::wrap(OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08]);
    let mask = der::wrap(SEQUENCE, &[mgf1, hash_algorithm.clone()].concat());
    let salt = der::wrap(INTEGER, &[u8::try_from(hash / 8).unwrap_or_default()]);
    der::wrap(SEQUENCE, &[der::wrap(0xa0, &hash_algorithm), der::wrap(0xa1, &mask), der::wrap(0xa2, &salt)].concat())
}
