//! DER to [`Certificate`]. Refuses what gRPC refuses as no certificate, and notes what it takes but the rules do not decide.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::certificate::{Certificate, PublicKey, Signed, hex, sha256};
use super::constraints::Constrained;
use super::der::{self, BIT_STRING, Element, INTEGER, NULL, OID, Reader, SEQUENCE};
use super::profile::Profile;
use super::value::Notes;
use super::{distinguished, extensions};

/// See [`Certificate::parse`].
pub(super) fn certificate(der: &[u8], profile: Profile) -> Result<Certificate, String> {
    let envelope = envelope(der)?;
    let mut notes = Notes::new(profile);
    let mut tbs = der::only(envelope.tbs, SEQUENCE, "the certificate")?;

    let version = version(&mut tbs)?;
    let serial = der::integer(tbs.expect(INTEGER, "the serial number")?, "the serial number")?;
    algorithm(tbs.expect(SEQUENCE, "the inner signature algorithm")?)?;
    let issuer = distinguished::name(tbs.expect(SEQUENCE, "the issuer")?.content, &mut notes)?;
    let mut validity = Reader::new(tbs.expect(SEQUENCE, "the validity")?.content);
    let (not_before, is_plain) = time_as(validity.any()?, profile)?;
    let (not_after, is_plain_too) = time_as(validity.any()?, profile)?;
    validity.end("the validity")?;
    let subject = distinguished::name(tbs.expect(SEQUENCE, "the subject")?.content, &mut notes)?;
    let key = public_key(tbs.expect(SEQUENCE, "the public key")?)?;
    for tag in [0x81, 0x82] {
        if let Some(id) = tbs.optional(tag, "a unique identifier")? {
            der::bits(id.content, "a unique identifier")?;
            if version == 1 {
                return Err("a unique identifier in a version 1 certificate".into());
            }
        }
    }
    let extensions = match tbs.optional(0xa3, "the extensions")? {
        Some(_) if version < 3 => return Err(format!("extensions in a version {version} certificate")),
        Some(element) => extensions::read(element.content, &mut notes)?,
        None => extensions::Extensions::default(),
    };
    tbs.end("the certificate")?;

    Ok(Certificate {
        der: der.to_vec(),
        sha256: sha256(der),
        version,
        serial: hex(serial),
        subject: subject.text,
        issuer: issuer.text,
        subject_canonical: subject.canonical,
        issuer_canonical: issuer.canonical,
        common_name: subject.common_names.first().cloned().flatten(),
        not_before,
        not_after,
        names: extensions.names,
        key,
        key_usage: extensions.key_usage,
        purposes: extensions.purposes,
        ca: extensions.ca,
        path_len: extensions.path_len,
        subject_key_id: extensions.subject_key_id,
        authority_key_id: extensions.authority_key_id,
        authority_serial: extensions.authority_serial,
        authority_issuer: extensions.authority_issuer,
        netscape_type: extensions.netscape_type,
        constraints: extensions.constraints,
        constrained: Constrained {
            attributes: subject.attributes,
            common_names: subject.common_names,
            emails: subject.emails,
            directories: extensions.directories,
            others: extensions.other_names,
        },
        policies: extensions.policies,
        unknown_critical: extensions.unknown_critical,
        malformed: extensions.malformed,
        signature_algorithm: algorithm_name(&envelope.algorithm.oid),
        has_bad_dates: !(is_plain && is_plain_too),
        trust: None,
        undecided: notes.undecided,
        signature: Signed::Really,
    })
}

/// The three parts of a certificate.
pub(super) struct Envelope<'a> {
    /// What is signed, header included.
    pub tbs: &'a [u8],
    /// The outer signature algorithm.
    pub algorithm: Algorithm<'a>,
    /// The signature's octets; none when its bits are not whole octets.
    pub signature: Option<&'a [u8]>,
}

/// An AlgorithmIdentifier.
pub(super) struct Algorithm<'a> {
    /// `1.2.840.113549.1.1.11`.
    pub oid: String,
    /// The parameters, header included; empty when absent.
    pub parameters: &'a [u8],
    /// All of it.
    pub whole: &'a [u8],
}

/// Takes a certificate apart.
pub(super) fn envelope(der: &[u8]) -> Result<Envelope<'_>, String> {
    let mut outer = der::only(der, SEQUENCE, "the certificate")?;
    let tbs = outer.expect(SEQUENCE, "the certificate")?.whole;
    let algorithm = algorithm(outer.expect(SEQUENCE, "the signature algorithm")?)?;
    let (unused, signature) = der::bits(outer.expect(BIT_STRING, "the signature")?.content, "the signature")?;
    outer.end("the certificate")?;
    Ok(Envelope { tbs, algorithm, signature: (unused == 0).then_some(signature) })
}

/// The signature algorithm inside the signed part.
pub(super) fn inner_algorithm(tbs: &[u8]) -> Result<Algorithm<'_>, String> {
    let mut tbs = der::only(tbs, SEQUENCE, "the certificate")?;
    tbs.optional(0xa0, "the version")?;
    tbs.expect(INTEGER, "the serial number")?;
    algorithm(tbs.expect(SEQUENCE, "the inner signature algorithm")?)
}

/// Octets of the subject, header included; 0 for what is no certificate.
pub(super) fn subject_length(der: &[u8]) -> usize {
    let read = || {
        let mut tbs = der::only(envelope(der)?.tbs, SEQUENCE, "the certificate")?;
        tbs.optional(0xa0, "the version")?;
        for what in ["the serial number", "the inner signature algorithm", "the issuer", "the validity"] {
            tbs.any().map_err(|error| format!("{what}: {error}"))?;
        }
        Ok::<_, String>(tbs.any()?.whole.len())
    };
    read().unwrap_or(0)
}

pub(super) fn algorithm(element: Element<'_>) -> Result<Algorithm<'_>, String> {
    let mut reader = Reader::new(element.content);
    let oid = der::oid(reader.expect(OID, "an algorithm")?.content)?;
    let parameters = match reader.is_empty() {
        true => &[],
        false => match reader.any()? {
            Element { tag: NULL, content: [_, ..], .. } => return Err("an algorithm whose NULL has a value".into()),
            parameters => parameters.whole,
        },
    };
    reader.end("an algorithm")?;
    Ok(Algorithm { oid, parameters, whole: element.whole })
}

/// The algorithm and the key bits of a SubjectPublicKeyInfo; none when the bits are not whole octets.
pub(super) fn subject_public_key_info(spki: &[u8]) -> Result<(Algorithm<'_>, Option<&[u8]>), String> {
    let mut reader = der::only(spki, SEQUENCE, "the public key")?;
    let algorithm = algorithm(reader.expect(SEQUENCE, "the public key")?)?;
    let (unused, bits) = der::bits(reader.expect(BIT_STRING, "the public key")?.content, "the public key")?;
    reader.end("the public key")?;
    Ok((algorithm, (unused == 0).then_some(bits)))
}

fn version(tbs: &mut Reader<'_>) -> Result<u8, String> {
    let Some(element) = tbs.optional(0xa0, "the version")? else { return Ok(1) };
    let mut reader = Reader::new(element.content);
    let number = der::integer(reader.expect(INTEGER, "the version")?, "the version")?;
    reader.end("the version")?;
    match number {
        [number @ 0..=2] => Ok(number + 1),
        _ => Err("a version other than 1, 2 or 3".into()),
    }
}

/// [`time`], or what older gRPCs make of one.
fn time_as(element: Element<'_>, profile: Profile) -> Result<(Timestamp, bool), String> {
    if profile.strict_times || !matches!(element.tag, 0x17 | 0x18) {
        return time(element);
    }
    if let Ok(read) = time(element) {
        return Ok(read);
    }
    // The days of a month that are too many run on into the next.
    let day = if element.tag == 0x17 { 4..6 } else { 6..8 };
    for over in 1..=3u8 {
        let mut content = element.content.to_vec();
        let Some([tens @ b'0'..=b'3', ones @ b'0'..=b'9']) = content.get_mut(day.clone()) else { break };
        let number = (*tens - b'0') * 10 + *ones - b'0';
        if !(29..=31).contains(&number) {
            break;
        }
        (*tens, *ones) = (b'0' + (number - over) / 10, b'0' + (number - over) % 10);
        if let Ok((time, is_utc)) = time(Element { content: &content, ..element }) {
            return Ok((time.saturating_add(SignedDuration::from_hours(24 * i64::from(over))).unwrap_or(time), is_utc));
        }
    }
    Ok((Timestamp::UNIX_EPOCH, false))
}

/// UTCTime with seconds or GeneralizedTime without fractions; and whether it is in UTC. A UTCTime with an offset is read, but
/// no certificate that has one is valid.
pub(super) fn time(element: Element<'_>) -> Result<(Timestamp, bool), String> {
    const BAD: &str = "a date that is no date";
    let text = std::str::from_utf8(element.content).map_err(|_| BAD)?;
    let (digits, rest) = match element.tag {
        0x17 => text.split_at_checked(12).ok_or("a date without seconds")?,
        0x18 => text.split_at_checked(14).ok_or("a date without seconds")?,
        _ => return Err("a date of another type".into()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BAD.into());
    }
    let is_utc = match rest.as_bytes() {
        b"Z" => true,
        [b'+' | b'-', h, i, m, n]
            if element.tag == 0x17
                && [h, i, m, n].iter().all(|digit| digit.is_ascii_digit())
                && (*h, *i) < (b'2', b'4')
                && *m < b'6' =>
        {
            false
        }
        _ => return Err(BAD.into()),
    };
    let full = match element.tag {
        0x17 if digits >= "50" => format!("19{digits}"),
        0x17 => format!("20{digits}"),
        _ => digits.into(),
    };
    let part = |from: usize, to: usize| full.get(from..to).and_then(|part| part.parse::<i8>().ok()).ok_or(BAD);
    let year = full.get(..4).and_then(|year| year.parse::<i16>().ok()).ok_or(BAD)?;
    let civil = DateTime::new(year, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?, 0)
        .map_err(|_| BAD.to_string())?;
    // The last hours of the year 9999 are beyond what a Timestamp holds.
    Ok((TimeZone::UTC.to_timestamp(civil).unwrap_or(Timestamp::MAX), is_utc))
}

fn public_key(element: Element<'_>) -> Result<PublicKey, String> {
    let (algorithm, bits) = subject_public_key_info(element.whole)?;
    let (name, size) = match algorithm.oid.as_str() {
        "1.2.840.113549.1.1.1" => ("RSA".into(), bits.and_then(rsa_bits).unwrap_or(0)),
        "1.2.840.113549.1.1.10" => ("RSA-PSS".into(), bits.and_then(rsa_bits).unwrap_or(0)),
        "1.2.840.10045.2.1" => curve(algorithm.parameters),
        "1.3.101.112" => ("Ed25519".into(), 256),
        "1.3.101.113" => ("Ed448".into(), 456),
        "1.2.840.10040.4.1" => ("DSA".into(), 0),
        other => (other.to_string(), 0),
    };
    Ok(PublicKey { algorithm: name, bits: size, spki_sha256: sha256(element.whole), spki: element.whole.to_vec() })
}

fn curve(parameters: &[u8]) -> (String, u32) {
    let mut reader = Reader::new(parameters);
    let Ok(element) = reader.any() else { return (NO_CURVE.into(), 0) };
    match (element.tag, der::oid(element.content).as_deref()) {
        (OID, Ok("1.2.840.10045.3.1.7")) => ("P-256".into(), 256),
        (OID, Ok("1.3.132.0.34")) => ("P-384".into(), 384),
        (OID, Ok("1.3.132.0.35")) => ("P-521".into(), 521),
        (OID, Ok("1.3.132.0.33")) => ("P-224".into(), 224),
        (OID, Ok("1.3.132.0.10")) => ("secp256k1".into(), 256),
        (OID, Ok(other)) => (format!("curve {other}"), 0),
        (SEQUENCE, _) => (EXPLICIT_CURVE.into(), 0),
        _ => (NO_CURVE.into(), 0),
    }
}

/// [`PublicKey::algorithm`] of an EC key that spells its curve out.
pub(super) const EXPLICIT_CURVE: &str = "explicit curve";
const NO_CURVE: &str = "EC without a curve";

fn rsa_bits(key: &[u8]) -> Option<u32> {
    let mut reader = der::only(key, SEQUENCE, "the RSA key").ok()?;
    let modulus = der::integer(reader.expect(INTEGER, "the modulus").ok()?, "the modulus").ok()?;
    let digits = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let octets = u32::try_from(digits.len()).ok()?;
    octets.checked_mul(8)?.checked_sub(digits.first()?.leading_zeros())
}

/// Whether parameters are absent or NULL.
pub(super) fn is_absent_or_null(parameters: &[u8]) -> bool {
    parameters.is_empty() || parameters == [NULL, 0]
}

fn algorithm_name(oid: &str) -> String {
    match oid {
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "rsassaPss",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => other,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};

    use super::super::certificate::{Name, Purpose};
    use super::*;

    #[test]
    fn a_null_of_an_algorithm_has_no_value() {
        let with = |null: &[u8]| {
            let content = [&[0x06, 3, 0x2a, 3, 4][..], null].concat();
            algorithm(Element { tag: SEQUENCE, content: &content, whole: &content }).is_ok()
        };
        assert!(with(&[]) && with(&[5, 0]) && with(&[2, 1, 1]));
        assert!(!with(&[5, 1, 0]), "measured with grpcio 1.58 and 1.85");
    }

    fn sample() -> Vec<u8> {
        let mut params = CertificateParams::new(["ray-head".to_string(), "10.0.0.5".into()]).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "Ray");
        params.distinguished_name.push(DnType::CommonName, "Ray Head");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(3));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn at(tag: u8, text: &str) -> Result<Timestamp, String> {
        let bytes = der::wrap(tag, text.as_bytes());
        time(Reader::new(&bytes).any().unwrap()).map(|(time, _)| time)
    }

    #[test]
    fn facts_are_read() {
        let certificate = certificate(&sample(), Profile::python()).unwrap();
        assert_eq!(certificate.version, 3);
        assert!(certificate.subject.contains("CN=Ray Head") && certificate.subject.contains("O=Ray"));
        assert_eq!(certificate.issuer_canonical, certificate.subject_canonical);
        assert_eq!(certificate.names.unwrap(), [Name::Dns("ray-head".into()), Name::Ip(vec![10, 0, 0, 5])]);
        assert_eq!((certificate.ca, certificate.path_len), (Some(true), Some(3)));
        let usage = certificate.key_usage.unwrap();
        assert!(usage.digital_signature && usage.cert_sign && !usage.key_encipherment);
        assert_eq!(certificate.purposes.unwrap(), [Purpose::ServerAuth]);
        assert_eq!((certificate.key.algorithm.as_str(), certificate.key.bits), ("P-256", 256));
        assert_eq!(certificate.signature_algorithm, "ecdsa-with-SHA256");
        assert_eq!(certificate.authority_key_id, certificate.subject_key_id);
        assert!(certificate.undecided.is_empty() && certificate.malformed.is_empty());
    }

    #[test]
    fn dates() {
        assert_eq!(at(0x17, "491231235959Z").unwrap().to_string(), "2049-12-31T23:59:59Z");
        assert_eq!(at(0x17, "500101000000Z").unwrap().to_string(), "1950-01-01T00:00:00Z");
        assert_eq!(at(0x18, "20240229000000Z").unwrap().to_string(), "2024-02-29T00:00:00Z");
        assert_eq!(at(0x18, "99991231235959Z").unwrap(), Timestamp::MAX);
        for (tag, text) in [
            (0x17, "4912312359Z"),
            (0x17, "491331235959Z"),
            (0x17, "490230235959Z"),
            (0x17, "491231235960Z"),
            (0x17, "491231235959"),
            (0x18, "20240229000000.5Z"),
            (0x18, "20240229000000+0100"),
            (0x16, "491231235959Z"),
            (0x17, "4912312359-1Z"),
        ] {
            assert!(at(tag, text).is_err(), "{text}");
        }
    }

    /// Measured with grpcio 1.53.2 and 1.54.3.
    #[test]
    fn dates_for_older_grpcs() {
        let read = |text: &str, version| {
            let bytes = der::wrap(0x17, text.as_bytes());
            time_as(Reader::new(&bytes).any().unwrap(), Profile::of_grpcio(version).unwrap()).ok()
        };
        for (text, expected) in [("230229000000Z", "2023-03-01T00:00:00Z"), ("240431000000Z", "2024-05-01T00:00:00Z")] {
            assert_eq!(read(text, "1.53.2").unwrap(), (expected.parse().unwrap(), true));
            assert_eq!(read(text, "1.54.3"), None);
        }
        for text in ["2401010000Z", "240101000060Z", "240100000000Z", "241301000000Z", "", "240101000000+2400"] {
            assert!(
                read(text, "1.53.2").is_some_and(|(_, is_utc)| !is_utc) && read(text, "1.54.3").is_none(),
                "{text}"
            );
        }
        assert!(read("240101000000+0100", "1.54.3").is_some_and(|(_, is_utc)| !is_utc));
    }

    #[test]
    fn what_follows_a_certificate_is_refused() {
        let mut der = sample();
        der.push(0);
        assert!(certificate(&der, Profile::python()).is_err());
    }

    proptest! {
        #[test]
        fn spoiled_certificates_never_panic(spots in proptest::collection::vec((0usize..700, any::<u8>()), 1..6), cut in 0usize..700) {
            let mut der = sample();
            for (spot, byte) in spots {
                if let Some(place) = der.get_mut(spot) {
                    *place = byte;
                }
            }
            if cut < 60 {
                der.truncate(cut);
            }
            if let Ok(certificate) = certificate(&der, Profile::python()) {
                super::super::signature::verify(&certificate, &certificate);
            }
        }

        #[test]
        fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = certificate(&bytes, Profile::core());
        }
    }
}
