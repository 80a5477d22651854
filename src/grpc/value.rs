//! Values of any type, and what reading a certificate leaves behind.

use super::der::{self, BIT_STRING, BOOLEAN, Element, INTEGER, NULL, OID, UTF8_STRING};
use super::profile::{Profile, ValueTypes};

/// By whose rules a certificate is read, and what those rules leave open.
pub(super) struct Notes {
    pub profile: Profile,
    /// See [`super::certificate::Certificate::undecided`].
    pub undecided: Vec<String>,
}

impl Notes {
    pub(super) fn new(profile: Profile) -> Self {
        Self { profile, undecided: Vec::new() }
    }
}

/// Whether gRPC reads a value in a place where any type may stand.
pub(super) fn any(value: Element<'_>, notes: &mut Notes) -> Result<(), String> {
    let types = notes.profile.value_types;
    let number = value.tag & 0x1f;
    let is_universal = value.tag & 0xc0 == 0;
    if !is_universal {
        return Ok(());
    }
    match (value.tag & 0x20 != 0, number) {
        (true, 16 | 17) => Ok(()),
        // EXTERNAL, EMBEDDED PDV and CHARACTER STRING are constructed types, which only the gRPC of 2026 minds.
        (true, 8 | 11 | 29) => Ok(()),
        (false, 8 | 11 | 29) if types != ValueTypes::Strict => Ok(()),
        (true, 7 | 9 | 13..=15) => {
            notes.undecided.push("a value of a primitive type in constructed form".into());
            Ok(())
        }
        (true, _) | (false, 0 | 8 | 11 | 16 | 17 | 29) => Err(format!("a value of the type {:#04x}", value.tag)),
        (false, _) => primitive(value, types),
    }
}

/// Whether gRPC reads the value of an attribute of a name. Until 2025 only the types of a list counted, which is that of
/// X.680 without times, most of the old strings, OCTET STRING and the types that are no strings.
pub(super) fn of_attribute(value: Element<'_>, notes: &mut Notes) -> Result<(), String> {
    const LISTED: [u8; 19] = [
        0x03, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x12, 0x13, 0x14, 0x16, 0x1c, 0x1d, 0x1e, 0x1f,
        0x30,
    ];
    if notes.profile.value_types == ValueTypes::Listed && !LISTED.contains(&value.tag) {
        return Err(format!("a name with a value of the type {:#04x}", value.tag));
    }
    any(value, notes)
}

/// The characters of a string type; none for a type that is no text for gRPC. `Err` when they are malformed.
pub(super) fn text(value: Element<'_>) -> Result<Option<String>, String> {
    const BAD: &str = "text that is malformed";
    let content = value.content;
    let wide = |size: usize| {
        if !content.len().is_multiple_of(size) {
            return Err(BAD.to_string());
        }
        content
            .chunks(size)
            .map(|unit| char::from_u32(unit.iter().fold(0, |value, byte| (value << 8) | u32::from(*byte))))
            .collect::<Option<String>>()
            .ok_or_else(|| BAD.to_string())
    };
    let text = match value.tag {
        UTF8_STRING => String::from_utf8(content.to_vec()).map_err(|_| BAD)?,
        // NumericString, PrintableString, T61String, IA5String, the times and VisibleString: one octet is one character,
        // whatever it is.
        0x12 | 0x13 | 0x14 | 0x16 | 0x17 | 0x18 | 0x1a => {
            return Ok(Some(content.iter().copied().map(char::from).collect()));
        }
        0x1c => wide(4)?,
        0x1e => wide(2)?,
        _ => return Ok(None),
    };
    // Code points that Unicode will never assign are no text.
    let is_noncharacter = |c: char| matches!(u32::from(c), 0xfdd0..=0xfdef) || u32::from(c) & 0xfffe == 0xfffe;
    if text.chars().any(is_noncharacter) { Err(BAD.into()) } else { Ok(Some(text)) }
}

fn primitive(value: Element<'_>, types: ValueTypes) -> Result<(), String> {
    const ENUMERATED: u8 = 0x0a;
    match value.tag {
        BOOLEAN => match value.content {
            [0 | 0xff] => Ok(()),
            [_] if types == ValueTypes::Listed => Ok(()),
            _ => Err("a BOOLEAN that is none".into()),
        },
        INTEGER | ENUMERATED => der::integer(value, "a value").map(|_| ()),
        BIT_STRING => der::bits(value.content, "a value").map(|_| ()),
        NULL if !value.content.is_empty() => Err("a NULL with content".into()),
        OID => der::oid(value.content).map(|_| ()),
        0x17 | 0x18 => super::parse::time(value).map(|_| ()),
        _ => text(value).map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::der::Reader;
    use super::*;

    fn reads(tag: u8, content: &[u8], version: &str) -> bool {
        let bytes = der::wrap(tag, content);
        let mut notes = Notes::new(Profile::of_grpcio(version).unwrap());
        of_attribute(Reader::new(&bytes).any().unwrap(), &mut notes).is_ok()
    }

    /// Measured with grpcio of these versions, in the organizationalUnitName of a leaf.
    #[test]
    fn types_of_values_in_names() {
        for (tag, content, expected) in [
            (0x01, &b"\xff"[..], [false, true, true, true]),
            (0x01, b"\x05", [false; 4]),
            (0x02, b"\0\x01", [false; 4]),
            (0x03, b"\0\x01", [true; 4]),
            (0x03, b"\x01\x01", [false; 4]),
            (0x04, b"x", [false, true, true, true]),
            (0x05, b"\0", [false; 4]),
            (0x06, b"\x2a\x03", [false, true, true, true]),
            (0x07, b"x", [true; 4]),
            (0x08, b"x", [true, true, true, false]),
            (0x0a, b"\x01", [true; 4]),
            (0x10, b"", [false; 4]),
            (0x12, b"x", [true; 4]),
            (0x17, b"x", [false; 4]),
            (0x17, b"240101000000Z", [false, true, true, true]),
            (0x1a, b"x", [false, true, true, true]),
            (0x1c, b"\0\0\xff\xfe", [false; 4]),
            (0x1d, b"x", [true, true, true, false]),
            (0x1e, b"\xd8\0", [false; 4]),
            (0x24, b"\x04\x01x", [false; 4]),
            (0x28, b"\x05\0", [false, true, true, true]),
            (0x30, b"\x01", [true; 4]),
            (0x31, b"\x01", [false, true, true, true]),
            (0x80, b"x", [false, true, true, true]),
            (0x0c, "\u{fdd0}".as_bytes(), [false; 4]),
        ] {
            let found = ["1.58.0", "1.76.0", "1.84.2", "1.85.1"].map(|version| reads(tag, content, version));
            assert_eq!(found, expected, "{tag:#04x} {content:02x?}");
        }
    }
}
