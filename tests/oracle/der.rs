//! Writes DER, also such as no DER should be: lengths and contents are the caller's.

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// Tag, shortest length, content.
pub(crate) fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let digits = &length[length.iter().position(|octet| *octet != 0).unwrap_or(length.len() - 1)..];
    if content.len() >= 0x80 {
        out.push(0x80 | u8::try_from(digits.len()).unwrap());
    }
    out.extend(digits);
    out.extend(content);
    out
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    wrap(SEQUENCE, &parts.concat())
}

/// `1.2.840.113549`.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs = dotted.split('.').map(|arc| arc.parse::<u64>().unwrap()).collect::<Vec<_>>();
    let mut content = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let septets = (64 - arc.leading_zeros()).div_ceil(7).max(1);
        for at in (0..septets).rev() {
            let more = if at > 0 { 0x80 } else { 0 };
            content.push(u8::try_from(arc >> (7 * at) & 0x7f).unwrap() | more);
        }
    }
    wrap(OID, &content)
}

/// A small number that is not negative.
pub(crate) fn number(value: u8) -> Vec<u8> {
    let content = if value < 0x80 { vec![value] } else { vec![0, value] };
    wrap(INTEGER, &content)
}

/// A BIT STRING of whole octets.
pub(crate) fn bits(octets: &[u8]) -> Vec<u8> {
    wrap(BIT_STRING, &[&[0], octets].concat())
}

#[test]
fn written_as_the_standard_says() {
    assert_eq!(oid("1.2.840.113549"), [6, 6, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]);
    assert_eq!(wrap(SEQUENCE, &[]), [0x30, 0]);
    assert_eq!(wrap(OCTET_STRING, &[7; 200])[..3], [4, 0x81, 200]);
    assert_eq!(wrap(OCTET_STRING, &[7; 300])[..4], [4, 0x82, 1, 44]);
}
