//! A strict reader of DER: definite minimal lengths, low tag numbers, every slice checked.

use std::fmt::Write;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    /// Identifier octet.
    pub tag: u8,
    /// Contents octets.
    pub content: &'a [u8],
    /// Identifier, length and contents.
    pub whole: &'a [u8],
}

/// Elements in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Whatever comes next.
    pub(super) fn any(&mut self) -> Result<Element<'a>, String> {
        let bytes = self.0;
        let (&tag, rest) = bytes.split_first().ok_or("the data ends where an element must be")?;
        if tag & 0x1f == 0x1f {
            return Err("a tag number above 30".into());
        }
        let (&first, rest) = rest.split_first().ok_or("the data ends in a length")?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => long_length(first & 0x7f, rest)?,
            _ => return Err("an indefinite or oversized length".into()),
        };
        let (content, after) = rest.split_at_checked(length).ok_or("an element is longer than the data")?;
        self.0 = after;
        let whole = bytes.get(..bytes.len() - after.len()).unwrap_or_default();
        Ok(Element { tag, content, whole })
    }

    /// The next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8, what: &str) -> Result<Element<'a>, String> {
        let element = self.any().map_err(|error| format!("{what}: {error}"))?;
        if element.tag != tag {
            return Err(format!("{what}: tag {:#04x} where {tag:#04x} must be", element.tag));
        }
        Ok(element)
    }

    /// The next element if it has this tag.
    pub(super) fn optional(&mut self, tag: u8, what: &str) -> Result<Option<Element<'a>>, String> {
        if self.0.first() != Some(&tag) {
            return Ok(None);
        }
        self.expect(tag, what).map(Some)
    }

    /// Nothing may be left.
    pub(super) fn end(&self, what: &str) -> Result<(), String> {
        if self.is_empty() { Ok(()) } else { Err(format!("{what}: bytes left over")) }
    }
}

/// The elements inside `bytes`, which must be one element of this tag and nothing else.
pub(super) fn only<'a>(bytes: &'a [u8], tag: u8, what: &str) -> Result<Reader<'a>, String> {
    let mut reader = Reader::new(bytes);
    let element = reader.expect(tag, what)?;
    reader.end(what)?;
    Ok(Reader::new(element.content))
}

/// An INTEGER's contents, which must be minimal.
pub(super) fn integer<'a>(element: Element<'a>, what: &str) -> Result<&'a [u8], String> {
    match element.content {
        [] => Err(format!("{what}: an empty INTEGER")),
        [0, next, ..] if *next < 0x80 => Err(format!("{what}: an INTEGER with needless zeros in front")),
        [0xff, next, ..] if *next >= 0x80 => Err(format!("{what}: an INTEGER with needless ones in front")),
        content => Ok(content),
    }
}

/// The octets of a BIT STRING and the number of bits that do not count at its end, which must be zero.
pub(super) fn bits<'a>(content: &'a [u8], what: &str) -> Result<(u8, &'a [u8]), String> {
    match content {
        [] => Err(format!("{what}: an empty BIT STRING")),
        [0] => Ok((0, &[])),
        [unused @ 0..8, .., last] if last & ((1u8 << unused) - 1) == 0 => {
            Ok((*unused, content.get(1..).unwrap_or_default()))
        }
        _ => Err(format!("{what}: a BIT STRING with a bad padding")),
    }
}

/// `1.2.840.113549` of an OBJECT IDENTIFIER's contents.
pub(super) fn oid(content: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    let mut arc = 0u64;
    let mut fresh = true;
    let mut is_huge = false;
    for byte in content {
        if fresh && *byte == 0x80 {
            return Err("an object identifier with needless zeros".into());
        }
        arc = match arc.checked_mul(128) {
            Some(arc) => arc | u64::from(byte & 0x7f),
            None => {
                is_huge = true;
                0
            }
        };
        fresh = byte & 0x80 == 0;
        if fresh {
            // The first number holds the first two arcs. Writing to a String cannot fail.
            _ = match arc / 40 {
                root @ 0..2 if text.is_empty() => write!(text, "{root}.{}", arc % 40),
                _ if text.is_empty() => write!(text, "2.{}", arc - 80),
                _ => write!(text, ".{arc}"),
            };
            arc = 0;
        }
    }
    if text.is_empty() || !fresh {
        return Err("an object identifier that is cut".into());
    }
    if is_huge {
        // Numbers that nobody has given to anything: the octets tell it apart as well.
        return Ok(content.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    Ok(text)
}

/// One element with these contents.
pub(super) fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let significant = length.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
    match significant.as_slice() {
        [] => out.push(0),
        [short @ 0..=0x7f] => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

fn long_length(octets: u8, rest: &[u8]) -> Result<(usize, &[u8]), String> {
    let (length, rest) = rest.split_at_checked(usize::from(octets)).ok_or("the data ends in a length")?;
    let value = length.iter().fold(0usize, |value, byte| (value << 8) | usize::from(*byte));
    if length.first() == Some(&0) || value < 0x80 {
        return Err("a length in more octets than it needs".into());
    }
    Ok((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_be_minimal_and_within_the_data() {
        assert!(Reader::new(&[4, 1, 7]).any().is_ok());
        assert!(Reader::new(&[4, 0x81, 1, 7]).any().is_err());
        assert!(Reader::new(&[4, 0x80, 0, 0]).any().is_err());
        assert!(Reader::new(&[4, 2, 7]).any().is_err());
        assert!(Reader::new(&[4, 0x84, 0xff, 0xff, 0xff, 0xff, 7]).any().is_err());
    }

    #[test]
    fn what_is_wrapped_reads_back() {
        for size in [0, 1, 127, 128, 300, 70_000] {
            let content = vec![5; size];
            let wrapped = wrap(OCTET_STRING, &content);
            assert_eq!(Reader::new(&wrapped).any().unwrap().content, content);
        }
    }

    #[test]
    fn object_identifiers() {
        assert_eq!(oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]).unwrap(), "1.2.840.113549");
        assert_eq!(oid(&[0x55, 0x1d, 0x11]).unwrap(), "2.5.29.17");
        assert_eq!(oid(&[0]).unwrap(), "0.0");
        assert_eq!(oid(&[0x4f, 0]).unwrap(), "1.39.0");
        assert_eq!(oid(&[0x50]).unwrap(), "2.0");
        assert_eq!(oid(&[0x88, 0x37, 1]).unwrap(), "2.999.1");
        assert!(oid(&[0x2a, 0x86]).is_err());
        assert!(oid(&[]).is_err());
    }
}
