//! Signatures of certificates.

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use super::certificate::{Certificate, PublicKey, Signed};
use super::der::{self, INTEGER, NULL, OID, Reader, SEQUENCE};
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
    if let Signed::Assumed { issuer_spki_sha256 } | Signed::Stranger { issuer_spki_sha256 } = &certificate.signature {
        return if *issuer_spki_sha256 == issuer.key.spki_sha256 { Outcome::Yes } else { Outcome::No(None) };
    }
    if issuer.key.spki.is_empty() {
        // A key that an edit made up has signed nothing yet.
        return Outcome::No(None);
    }
    match parts(certificate) {
        Ok((envelope, inner)) if envelope.algorithm.whole == inner.whole => match envelope.signature {
            Some(signature) => verify_bytes(&issuer.key, &envelope.algorithm, envelope.tbs, signature),
            None => Outcome::No(Some("INVALID_BIT_STRING_BITS_LEFT")),
        },
        Ok(_) => Outcome::No(Some("SIGNATURE_ALGORITHM_MISMATCH")),
        Err(error) => Outcome::Cannot(error),
    }
}

/// Whether gRPC can decode a key, as far as its form shows it; that a point is on its curve is seen when it is used.
pub(super) fn is_issuer_key(key: &PublicKey) -> bool {
    if key.spki.is_empty() {
        return true;
    }
    let Ok((algorithm, Some(bits))) = parse::subject_public_key_info(&key.spki) else { return false };
    let is_point = |size: usize| match bits.first() {
        Some(4) => bits.len() == 1 + 2 * size,
        Some(2 | 3) => bits.len() == 1 + size,
        _ => false,
    };
    match key.algorithm.as_str() {
        "RSA" => algorithm.parameters == [NULL, 0] && is_rsa_key(bits).is_ok_and(|is| is),
        "P-224" => is_point(28),
        "P-256" => is_point(32),
        "P-384" => is_point(48),
        "P-521" => is_point(66),
        "Ed25519" => algorithm.parameters.is_empty() && bits.len() == 32,
        "DSA" => true,
        _ => false,
    }
}

fn parts(certificate: &Certificate) -> Result<(parse::Envelope<'_>, Algorithm<'_>), String> {
    let envelope = parse::envelope(&certificate.der)?;
    let inner = parse::inner_algorithm(envelope.tbs)?;
    Ok((envelope, inner))
}

fn verify_bytes(issuer: &PublicKey, algorithm: &Algorithm<'_>, signed: &[u8], signature: &[u8]) -> Outcome {
    let key = issuer.algorithm.as_str();
    let bits = match parse::subject_public_key_info(&issuer.spki) {
        Ok((_, Some(bits))) => bits,
        _ => return Outcome::Cannot("an issuer key of an unusual shape".into()),
    };
    let cannot = || Outcome::Cannot(format!("the signature kind {} by a key of kind {key}", algorithm.oid));
    let (family, hash) = match kind(algorithm) {
        Kind::Taken(family, hash) => (family, hash),
        Kind::Refused(code) if key != "DSA" => return Outcome::No(Some(code)),
        Kind::Refused(_) => return cannot(),
    };
    let wanted = match key {
        "RSA" => matches!(family, Family::Rsa | Family::RsaPss),
        "Ed25519" => family == Family::Ed25519,
        "P-256" | "P-384" | "P-521" | "P-224" => family == Family::Ecdsa,
        _ => return cannot(),
    };
    if !wanted {
        return Outcome::No(None);
    }
    let Some(rules) =
        rules(key, family, hash).filter(|_| key != "RSA" || rsa_sizes(family, hash).contains(&issuer.bits))
    else {
        return cannot();
    };
    // A parsed key is checked once more than is needed to verify with it.
    if rules.verify_sig(bits, signed, signature).is_ok() {
        return Outcome::Yes;
    }
    let public = match ParsedPublicKey::new(rules, bits) {
        Ok(public) => public,
        Err(_) if family == Family::Ecdsa && bits.first() == Some(&4) => {
            return Outcome::No(Some(OFF_CURVE));
        }
        // A key that cannot be read is not a signature that fails.
        Err(_) => return Outcome::Cannot(format!("an issuer key of kind {key} and an unusual form or size")),
    };
    match public.verify_sig(signed, signature) {
        Ok(()) => Outcome::Yes,
        Err(_) => Outcome::No((family == Family::Ecdsa).then_some("BAD_SIGNATURE")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Ecdsa,
    Ed25519,
    Rsa,
    RsaPss,
}

/// The issuer's key is no point of its curve.
pub(super) const OFF_CURVE: &str = "POINT_IS_NOT_ON_CURVE";

enum Kind {
    /// With the size of the hash.
    Taken(Family, u16),
    /// No key verifies it; BoringSSL's code.
    Refused(&'static str),
}

/// What gRPC makes of a signature algorithm.
fn kind(algorithm: &Algorithm<'_>) -> Kind {
    let has_parameters = !parse::is_absent_or_null(algorithm.parameters);
    let (family, hash) = match algorithm.oid.as_str() {
        "1.2.840.113549.1.1.5" => (Family::Rsa, 1),
        "1.2.840.113549.1.1.14" => (Family::Rsa, 224),
        "1.2.840.113549.1.1.11" => (Family::Rsa, 256),
        "1.2.840.113549.1.1.12" => (Family::Rsa, 384),
        "1.2.840.113549.1.1.13" => (Family::Rsa, 512),
        "1.2.840.10045.4.1" => (Family::Ecdsa, 1),
        "1.2.840.10045.4.3.1" => (Family::Ecdsa, 224),
        "1.2.840.10045.4.3.2" => (Family::Ecdsa, 256),
        "1.2.840.10045.4.3.3" => (Family::Ecdsa, 384),
        "1.2.840.10045.4.3.4" => (Family::Ecdsa, 512),
        "1.2.840.113549.1.1.10" => {
            return match pss_hash(algorithm.parameters) {
                Ok(hash) => Kind::Taken(Family::RsaPss, hash),
                Err(_) => Kind::Refused("INVALID_PSS_PARAMETERS"),
            };
        }
        "1.3.101.112" if algorithm.parameters.is_empty() => (Family::Ed25519, 0),
        "1.3.101.112" => return Kind::Refused("INVALID_PARAMETER"),
        // Not among those for certificates.
        "1.2.840.113549.1.1.4" => return Kind::Refused("DIGEST_AND_KEY_TYPE_NOT_SUPPORTED"),
        _ => return Kind::Refused("UNKNOWN_SIGNATURE_ALGORITHM"),
    };
    if has_parameters { Kind::Refused("INVALID_PARAMETER") } else { Kind::Taken(family, hash) }
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

/// The hash of RSASSA-PSS parameters. gRPC takes SHA-256, SHA-384 and SHA-512, for the mask the same, a salt as long as the
/// hash and the usual trailer; the hash may have parameters or not.
fn pss_hash(parameters: &[u8]) -> Result<u16, String> {
    const WHAT: &str = "PSS parameters";
    let mut parts = der::only(parameters, SEQUENCE, WHAT)?;
    let mut part = |tag| parts.expect(tag, WHAT).map(|part| part.content);
    let hash = hash(part(0xa0)?)?;
    let mut mask = der::only(part(0xa1)?, SEQUENCE, WHAT)?;
    let is_mgf1 = der::oid(mask.expect(OID, WHAT)?.content)? == "1.2.840.113549.1.1.8";
    let mask_hash = self::hash(mask.rest())?;
    let mut salt = Reader::new(part(0xa2)?);
    let is_long = der::integer(salt.expect(INTEGER, WHAT)?, WHAT)? == [u8::try_from(hash / 8).unwrap_or_default()];
    salt.end(WHAT)?;
    let trailer = parts.optional(0xa3, WHAT)?.map(|trailer| trailer.content);
    parts.end(WHAT)?;
    if is_mgf1 && is_long && mask_hash == hash && trailer.is_none_or(|trailer| trailer == [INTEGER, 1, 1]) {
        return Ok(hash);
    }
    Err("other PSS parameters".into())
}

fn hash(algorithm: &[u8]) -> Result<u16, String> {
    let mut reader = Reader::new(algorithm);
    let algorithm = parse::algorithm(reader.expect(SEQUENCE, "a hash")?)?;
    reader.end("a hash")?;
    match algorithm.oid.as_str() {
        _ if !parse::is_absent_or_null(algorithm.parameters) => Err("a hash with parameters".into()),
        "2.16.840.1.101.3.4.2.1" => Ok(256),
        "2.16.840.1.101.3.4.2.2" => Ok(384),
        "2.16.840.1.101.3.4.2.3" => Ok(512),
        other => Err(format!("the hash {other}")),
    }
}

/// Whether gRPC decodes an RSA key: two positive odd numbers, the exponent of 2 to 33 bits, the modulus up to 16384.
fn is_rsa_key(bits: &[u8]) -> Result<bool, String> {
    let mut reader = der::only(bits, SEQUENCE, "the RSA key")?;
    let mut number = || {
        let octets = der::integer(reader.expect(INTEGER, "the RSA key")?, "the RSA key")?;
        let is_positive = octets.first().is_some_and(|first| *first < 0x80) && octets != [0];
        let digits = octets.strip_prefix(&[0]).unwrap_or(octets);
        let size = digits.len() * 8 - digits.first().map_or(0, |first| first.leading_zeros() as usize);
        Ok::<_, String>((is_positive && digits.last().is_some_and(|last| last & 1 == 1), size))
    };
    let ((is_modulus, modulus), (is_exponent, exponent)) = (number()?, number()?);
    reader.end("the RSA key")?;
    Ok(is_modulus && is_exponent && modulus <= 16384 && (2..=33).contains(&exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An RSA-PSS AlgorithmIdentifier's parameters.
    fn parameters(arcs: [u8; 2], null: &[u8], salt: u8, trailer: &[u8]) -> Vec<u8> {
        let hash = |arc| {
            let sha = der::wrap(OID, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc]);
            der::wrap(SEQUENCE, &[&sha, null].concat())
        };
        let mgf1 = der::wrap(OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08]);
        let mask = der::wrap(SEQUENCE, &[mgf1, hash(arcs[1])].concat());
        let salt = der::wrap(INTEGER, &[salt]);
        let parts = [der::wrap(0xa0, &hash(arcs[0])), der::wrap(0xa1, &mask), der::wrap(0xa2, &salt), trailer.to_vec()];
        der::wrap(SEQUENCE, &parts.concat())
    }

    /// Measured with grpcio 1.58.0 and 1.85.1.
    #[test]
    fn pss_has_one_hash_and_a_salt_as_long() {
        const NULLED: &[u8] = &[NULL, 0];
        assert_eq!(pss_hash(&parameters([1, 1], NULLED, 32, &[])), Ok(256));
        assert_eq!(pss_hash(&parameters([1, 1], &[], 32, &[])), Ok(256));
        assert_eq!(pss_hash(&parameters([3, 3], NULLED, 64, &[0xa3, 3, INTEGER, 1, 1])), Ok(512));
        assert!(pss_hash(&parameters([1, 1], NULLED, 20, &[])).is_err());
        assert!(pss_hash(&parameters([1, 2], NULLED, 32, &[])).is_err());
        assert!(pss_hash(&parameters([4, 4], NULLED, 28, &[])).is_err());
        assert!(pss_hash(&parameters([1, 1], NULLED, 32, &[0xa3, 3, INTEGER, 1, 2])).is_err());
        assert!(pss_hash(&[]).is_err() && pss_hash(NULLED).is_err());
    }

    /// Measured with grpcio 1.58.0 and 1.85.1.
    #[test]
    fn rsa_keys_that_are_decoded() {
        let key = |modulus: &[u8], exponent: &[u8]| {
            let numbers = [der::wrap(INTEGER, modulus), der::wrap(INTEGER, exponent)].concat();
            is_rsa_key(&der::wrap(SEQUENCE, &numbers)) == Ok(true)
        };
        assert!(key(&[0x7f; 128], &[3]) && key(&[0x7f; 128], &[1, 0, 1]) && key(&[0x7f; 128], &[1, 0, 0, 0, 1]));
        for exponent in [&[0][..], &[1], &[2], &[0x83], &[3, 0, 0, 0, 1], &[0, 3]] {
            assert!(!key(&[0x7f; 128], exponent), "{exponent:?}");
        }
        assert!(!key(&[0xff; 128], &[3]) && !key(&[0x7e; 128], &[3]) && !key(&[0x7f; 2049], &[3]));
    }
}
