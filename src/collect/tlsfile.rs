//! The bytes of a TLS file, described without its private halves.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::tlskey::{self, Key};
use crate::evidence::{FileFacts, Misplaced, Shape};
use crate::grpc::pem;

/// What the bytes are, and the private keys in them that a TLS handshake can use.
pub(crate) fn read(bytes: &[u8]) -> (FileFacts, Vec<Key>) {
    let (key_facts, keys) = tlskey::read(bytes);
    let mut certificates = pem::read(bytes);
    for block in &mut certificates.blocks {
        // A key under a certificate's label must not slip through.
        if !block.to_der().is_ok_and(|der| is_certificate(&der)) {
            block.der = String::new();
        }
    }
    let shape = shape(bytes);
    let public = match shape {
        Shape::Der => is_certificate(bytes),
        Shape::Pem => only_certificates(bytes),
        _ => false,
    };
    let facts = FileFacts {
        size: bytes.len() as u64,
        sha256: public.then(|| sha256(bytes)),
        shape,
        certificates,
        keys: key_facts,
    };
    (facts, keys)
}

/// SHA-256, lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The label of a PEM boundary line in column 0, `RSA PRIVATE KEY` for `-----BEGIN RSA PRIVATE KEY-----`.
pub(crate) fn boundary<'a>(line: &'a [u8], word: &str) -> Option<&'a str> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let label = line.strip_prefix("-----")?.strip_prefix(word)?.strip_prefix(' ')?.strip_suffix("-----")?;
    (!label.contains("-----")).then_some(label)
}

fn shape(bytes: &[u8]) -> Shape {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Shape::Empty;
    }
    if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) || bytes.starts_with(&[0xce; 4]) {
        return Shape::Jks;
    }
    if let Some(body) = sequence(bytes) {
        // PFX ::= SEQUENCE { version INTEGER (3), authSafe SEQUENCE … }, RFC 7292 section 4.
        return if body.starts_with(&[0x02, 0x01, 0x03, 0x30]) { Shape::Pkcs12 } else { Shape::Der };
    }
    if let Some(misplaced) = pem_shape(bytes) {
        return misplaced;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => text_shape(text),
        _ => Shape::Binary,
    }
}

fn pem_shape(bytes: &[u8]) -> Option<Shape> {
    const BEGIN: &[u8] = b"-----BEGIN";
    let first = position(bytes, BEGIN)?;
    if first == 3 && bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Some(Shape::PemOutOfPlace(Misplaced::ByteOrderMark));
    }
    if lines(bytes).any(|line| boundary(line, "BEGIN").is_some()) {
        return Some(Shape::Pem);
    }
    let rest = &bytes[first..];
    if position(rest, b"-----\\n").is_some() || position(rest, b"-----\\r").is_some() {
        return Some(Shape::PemOutOfPlace(Misplaced::LiteralNewlines));
    }
    let line = lines(rest).next().unwrap_or_default();
    if position(line, b"-----END").is_some() {
        return Some(Shape::PemOutOfPlace(Misplaced::OneLine));
    }
    if first > 0 && bytes.get(first - 1) != Some(&b'\n') {
        return Some(Shape::PemOutOfPlace(Misplaced::Indented));
    }
    Some(Shape::Pem)
}

fn text_shape(text: &str) -> Shape {
    let packed = Zeroizing::new(text.split_whitespace().collect::<String>());
    if let Ok(unpacked) = STANDARD.decode(packed.as_bytes()).map(Zeroizing::new)
        && position(&unpacked, b"-----BEGIN").is_some()
    {
        return Shape::Base64OfPem;
    }
    const WORDS: [&str; 11] = [
        "<",
        "***",
        "changeme",
        "change_me",
        "change-me",
        "dummy",
        "insert",
        "placeholder",
        "replace",
        "todo",
        "your-",
    ];
    let text = text.trim().to_ascii_lowercase();
    let placeholder = text.len() <= 400 && WORDS.iter().any(|word| text.contains(word));
    Shape::Text { placeholder: placeholder || text == "..." || text == "xxx" || text == "null" || text == "none" }
}

/// The body of a DER SEQUENCE that fills the bytes, but for white space at the end.
pub(crate) fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    let (tag, body, rest) = tlv(bytes)?;
    (tag == 0x30 && rest.iter().all(u8::is_ascii_whitespace)).then_some(body)
}

/// Tag, body and what comes after, of one DER element with a short tag and a length of at most four octets.
pub(crate) fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (octets.iter().fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((tag, body, rest))
}

/// Whether DER is laid out as a certificate: a sequence whose first element is a sequence that begins with a version or a
/// serial number. Private keys begin with an integer, encrypted ones with an OID in that place.
fn is_certificate(der: &[u8]) -> bool {
    let tbs = tlv(der).filter(|(tag, ..)| *tag == 0x30).and_then(|(_, body, _)| tlv(body));
    tbs.is_some_and(|(tag, body, _)| tag == 0x30 && matches!(body.first(), Some(0xa0 | 0x02)))
}

/// Whether nothing but white space stands outside of certificate blocks, so that a digest tells nobody anything.
fn only_certificates(bytes: &[u8]) -> bool {
    let mut inside = false;
    for line in lines(bytes) {
        match (boundary(line, "BEGIN"), boundary(line, "END")) {
            (Some(label), _) if label.ends_with("CERTIFICATE") => inside = true,
            (Some(_), _) => return false,
            (None, Some(_)) => inside = false,
            (None, None) if !inside && !line.iter().all(u8::is_ascii_whitespace) => return false,
            (None, None) => {}
        }
    }
    let reading = pem::read(bytes);
    let good = |block: &pem::Block| block.to_der().is_ok_and(|der| is_certificate(&der));
    !reading.blocks.is_empty() && reading.stopped.is_none() && reading.blocks.iter().all(good)
}

pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n')
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = include_str!("../../fixtures/django-ray/tls.crt");

    fn shape_of(text: &str) -> Shape {
        read(text.as_bytes()).0.shape
    }

    #[test]
    fn a_certificate_is_read_and_hashed() {
        let (facts, keys) = read(CERTIFICATE.as_bytes());
        assert_eq!((facts.shape, facts.certificates.blocks.len(), keys.len()), (Shape::Pem, 1, 0));
        assert!(facts.sha256.is_some());
        let (facts, _) = read(format!("password\n{CERTIFICATE}").as_bytes());
        assert_eq!((facts.sha256, facts.certificates.blocks.len()), (None, 1));
    }

    #[test]
    fn pem_out_of_place_is_told_from_pem() {
        let indented = CERTIFICATE.lines().map(|line| format!("  {line}\n")).collect::<String>();
        assert_eq!(shape_of(&indented), Shape::PemOutOfPlace(Misplaced::Indented));
        assert_eq!(shape_of(&format!("\u{feff}{CERTIFICATE}")), Shape::PemOutOfPlace(Misplaced::ByteOrderMark));
        let literal = CERTIFICATE.replace('\n', "\\n");
        assert_eq!(shape_of(&literal), Shape::PemOutOfPlace(Misplaced::LiteralNewlines));
        assert_eq!(shape_of(&CERTIFICATE.replace('\n', " ")), Shape::PemOutOfPlace(Misplaced::OneLine));
        assert_eq!(shape_of(&format!("text before\n{CERTIFICATE}")), Shape::Pem);
        assert_eq!(shape_of(&CERTIFICATE.replace('\n', "\r\n")), Shape::Pem);
        assert_eq!(shape_of(&STANDARD.encode(CERTIFICATE)), Shape::Base64OfPem);
    }

    #[test]
    fn other_kinds_of_files_are_named() {
        assert_eq!(shape_of(" \n\t"), Shape::Empty);
        assert_eq!(shape_of(""), Shape::Empty);
        for text in ["<base64 of tls.crt>", "REPLACE_ME", "changeme", "TODO", "***"] {
            assert_eq!(shape_of(text), Shape::Text { placeholder: true }, "{text}");
        }
        assert_eq!(shape_of("1"), Shape::Text { placeholder: false });
        let der = pem::read(CERTIFICATE.as_bytes()).blocks[0].to_der().unwrap();
        assert_eq!(read(&der).0.shape, Shape::Der);
        assert_eq!(read(&[0x30, 0x05, 0x02, 0x01, 0x03, 0x30, 0x00]).0.shape, Shape::Pkcs12);
        assert_eq!(read(&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]).0.shape, Shape::Jks);
        assert_eq!(read(&[0, 1, 2, 0xff]).0.shape, Shape::Binary);
    }

    #[test]
    fn a_key_under_a_certificates_label_is_not_kept() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let (facts, _) = read(key.replace("PRIVATE KEY", "CERTIFICATE").as_bytes());
        assert_eq!(facts.certificates.blocks[0].der, "");
        assert_eq!(facts.sha256, None);
    }
}
