//! Distinguished names: for people, and in the form in which gRPC compares them.

use super::der::{self, OID, Reader, SEQUENCE, SET, UTF8_STRING};
use super::profile::ValueTypes;
use super::value::{self, Notes};

/// A distinguished name.
pub(super) struct DistinguishedName {
    /// `CN=ray-head,O=x`: the last part first, as RFC 4514 has it.
    pub text: String,
    /// The parts in their order, string types, ASCII case and blanks folded; DER without the outer header.
    pub canonical: Vec<u8>,
    /// Number of attributes.
    pub attributes: usize,
    /// The common names; none for one that is no text.
    pub common_names: Vec<Option<String>>,
    /// The e-mail addresses; none for one that is no IA5String.
    pub emails: Vec<Option<String>>,
}

/// Reads the contents of a Name.
pub(super) fn name(content: &[u8], notes: &mut Notes) -> Result<DistinguishedName, String> {
    let mut parts = Vec::new();
    let mut canonical = Vec::new();
    let (mut count, mut common_names, mut emails) = (0, Vec::new(), Vec::new());
    let mut sets = Reader::new(content);
    while !sets.is_empty() {
        let mut set = Reader::new(sets.expect(SET, "a name")?.content);
        if set.is_empty() && notes.profile.value_types == ValueTypes::Strict {
            return Err("a name with an empty part".into());
        }
        let mut texts = Vec::new();
        let mut attributes = Vec::new();
        while !set.is_empty() {
            let mut attribute = Reader::new(set.expect(SEQUENCE, "a name")?.content);
            let kind = attribute.expect(OID, "a name")?;
            let value = attribute.any()?;
            attribute.end("a name")?;
            let oid = der::oid(kind.content)?;
            value::of_attribute(value, notes)?;
            let text = value::text(value)?;
            let folded = match &text {
                Some(text) if is_folded(value.tag) => der::wrap(UTF8_STRING, fold(text).as_bytes()),
                _ => value.whole.to_vec(),
            };
            attributes.push(der::wrap(SEQUENCE, &[kind.whole, &folded].concat()));
            let shown = text.clone().unwrap_or_else(|| format!("#{}", super::certificate::hex(value.whole)));
            texts.push(format!("{}={}", short(&oid), shown.escape_debug()));
            count += 1;
            match oid.as_str() {
                COMMON_NAME => common_names.push(text),
                EMAIL_ADDRESS => emails.push(text.filter(|_| value.tag == 0x16)),
                _ => {}
            }
        }
        // A SET is in the order of its encoded elements.
        attributes.sort();
        canonical.extend(der::wrap(SET, &attributes.concat()));
        parts.push(texts.join("+"));
    }
    parts.reverse();
    Ok(DistinguishedName {
        text: if parts.is_empty() { "(no name)".into() } else { parts.join(",") },
        canonical,
        attributes: count,
        common_names,
        emails,
    })
}

/// A name with a common name alone, or without any part.
pub(super) fn of_common_name(text: Option<&str>) -> DistinguishedName {
    let attribute = |text: &str| {
        let kind = der::wrap(OID, &[0x55, 4, 3]);
        let value = der::wrap(UTF8_STRING, fold(text).as_bytes());
        der::wrap(SET, &der::wrap(SEQUENCE, &[kind, value].concat()))
    };
    DistinguishedName {
        text: text.map_or_else(|| "(no name)".into(), |text| format!("CN={}", text.escape_debug())),
        canonical: text.map(attribute).unwrap_or_default(),
        attributes: usize::from(text.is_some()),
        common_names: text.map(|text| Some(text.to_owned())).into_iter().collect(),
        emails: Vec::new(),
    }
}

const COMMON_NAME: &str = "2.5.4.3";
const EMAIL_ADDRESS: &str = "1.2.840.113549.1.9.1";

/// Whether the text of a type takes part in the folding.
fn is_folded(tag: u8) -> bool {
    matches!(tag, UTF8_STRING | 0x13 | 0x14 | 0x16 | 0x1a | 0x1c | 0x1e)
}

fn fold(text: &str) -> String {
    text.split(|c: char| matches!(c, ' ' | '\t'..='\r'))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .to_ascii_lowercase()
}

fn short(oid: &str) -> &str {
    match oid {
        COMMON_NAME => "CN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.25" => "DC",
        EMAIL_ADDRESS => "emailAddress",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::profile::Profile;
    use super::*;

    fn one(tag: u8, value: &[u8]) -> Vec<u8> {
        let attribute = [der::wrap(OID, &[0x55, 4, 3]), der::wrap(tag, value)].concat();
        der::wrap(SET, &der::wrap(SEQUENCE, &attribute))
    }

    fn canonical(content: &[u8]) -> Vec<u8> {
        name(content, &mut Notes::new(Profile::core())).unwrap().canonical
    }

    #[test]
    fn string_type_case_and_blanks_are_folded_but_not_the_order() {
        let plain = one(UTF8_STRING, b"ray root");
        assert_eq!(canonical(&plain), canonical(&one(0x13, b"  Ray \t ROOT ")));
        assert_eq!(
            canonical(&plain),
            canonical(&one(0x1e, &"Ray Root".encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>()))
        );
        assert_ne!(canonical(&plain), canonical(&one(UTF8_STRING, b"rayroot")));
        let other = one(UTF8_STRING, b"other");
        assert_ne!(canonical(&[plain.clone(), other.clone()].concat()), canonical(&[other, plain].concat()));
    }

    #[test]
    fn names_for_people_have_the_last_part_first() {
        let both = [one(UTF8_STRING, b"a"), one(UTF8_STRING, b"b")].concat();
        let read = name(&both, &mut Notes::new(Profile::core())).unwrap();
        assert_eq!(read.text, "CN=b,CN=a");
        assert_eq!(read.common_names, [Some("a".to_string()), Some("b".into())]);
        assert!(name(&one(UTF8_STRING, &[0xff]), &mut Notes::new(Profile::core())).is_err());
    }
}
